//! TLS in the program itself: certificate and key from files, read anew when they change.
//!
//! ```text
//!  files ──read──▶ CertifiedKey ──▶ new handshakes
//!    └─ changed? ─▶ read, checked; on an error the old one stays, and connections never notice
//! ```
//!
//! TLS 1.3 only, unless the configuration asks for 1.2 too. The key exchange is X25519 with
//! ML-KEM-768 wherever the client has it, so what is recorded today stays closed to tomorrow's
//! quantum computers. With the feature `acme` the file may come from an authority, and handshakes
//! that ask for a challenge of its are answered with that (`acme`). Absent: client
//! certificates, a certificate for each of several names.

#[cfg(feature = "acme")]
pub(crate) mod challenges;
pub(crate) mod validity;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chat_core::codec::Digest;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use zeroize::Zeroizing;

use crate::config::{Tls, TlsVersion};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is not there, or may not be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that should hold certificates does not.
    #[error("{} holds no certificate in PEM form", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// A file that should hold a private key does not.
    #[error("{} holds no private key in PEM form", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// They do not belong together, or are of a kind that cannot be used.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(rustls::Error),
}

/// What became of a look at the files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reloaded {
    /// They are what they were.
    Unchanged,
    /// New handshakes use what they hold now.
    Changed,
}

/// The certificate in use.
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// Of both files, when they were read last with success or without.
    seen: Mutex<Digest>,
    /// What an authority is to see.
    #[cfg(feature = "acme")]
    pub(crate) challenges: challenges::Challenges,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// Makes the cryptography of rustls that of aws-lc, for clients that do not say which: those of
/// `rediss://` URLs.
pub fn choose_provider() {
    // Whoever runs this relay inside a program may have chosen before.
    let _ = aws_lc_rs::default_provider().install_default();
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn read(tls: &Tls) -> Result<Arc<Self>, TlsError> {
        let files = Files::read(&tls.certificate, &tls.key)?;
        let current = files.certified(&tls.certificate, &tls.key)?;
        Ok(Arc::new(Self {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(files.digest()),
            #[cfg(feature = "acme")]
            challenges: challenges::Challenges::default(),
        }))
    }

    /// Looks at the files again, and uses what they hold from now on if that has changed.
    ///
    /// # Errors
    ///
    /// [`TlsError`], once for each change; what was in use stays in use.
    pub fn reload(&self) -> Result<Reloaded, TlsError> {
        let files = Files::read(&self.certificate, &self.key)?;
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == files.digest() {
                return Ok(Reloaded::Unchanged);
            }
            *seen = files.digest();
        }
        let certified = files.certified(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(Reloaded::Changed)
    }

    /// What handshakes are made with.
    ///
    /// # Errors
    ///
    /// [`TlsError::Unusable`].
    pub fn server_config(self: &Arc<Self>, tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
        let versions: &[_] = match tls.minimum {
            TlsVersion::Tls13 => &[&TLS13],
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(versions)
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        #[cfg(feature = "acme")]
        if tls.acme.is_some() {
            config.alpn_protocols.push(challenges::ALPN.to_vec());
        }
        // So that ten thousand clients who come back at once need not sign ten thousand times.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Unusable)?;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

fn provider() -> CryptoProvider {
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() }
}

impl ResolvesServerCert for Certificates {
    #[cfg_attr(not(feature = "acme"), expect(unused_variables, reason = "one certificate for all"))]
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        #[cfg(feature = "acme")]
        if challenges::is_asked_for(&hello) {
            return self.challenges.answer(hello.server_name()?);
        }
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Both files as they are at one moment, or as good as.
struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
        };
        Ok(Self { certificate: read(certificate)?, key: Zeroizing::new(read(key)?) })
    }

    fn digest(&self) -> Digest {
        let certificate = Digest::of(&self.certificate);
        let key = Digest::of(&self.key);
        Digest::of(&[certificate.as_bytes().as_slice(), key.as_bytes().as_slice()].concat())
    }

    fn certified(&self, certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain =
            chain.ok_or_else(|| TlsError::NoCertificate { path: certificate.to_owned() })?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| TlsError::NoKey { path: key.to_owned() })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Unusable)
    }
}
