//! What an authority is shown that asks whether a name is ours (TLS-ALPN-01, RFC 8737).
//!
//! ```text
//!  authority ── ClientHello: ALPN acme-tls/1, SNI relay.example ──▶
//!            ◀── a certificate made for that, with the digest of the key authorization in it
//! ```
//!
//! Such a handshake never gets the relay's certificate, and nobody else gets these. Nothing is said
//! over the connection afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use super::provider;

/// The protocol by which an authority asks.
pub(crate) const ALPN: &[u8] = b"acme-tls/1";

/// Whether somebody asks for nothing but a challenge.
pub(crate) fn is_asked_for(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut protocols| protocols.all(|protocol| protocol == ALPN))
}

/// Certificates to be shown, by name.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, Arc<CertifiedKey>>>);

/// Why a challenge cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Made(#[from] rcgen::Error),
    /// The key of the certificate cannot be used.
    #[error("its key cannot be used: {0}")]
    Key(#[from] rustls::Error),
}

impl Challenges {
    /// Shows `digest`, the SHA-256 of a key authorization, to who asks for `name`.
    pub(crate) fn show(&self, name: &str, digest: &[u8; 32]) -> Result<(), NotShown> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let signer = provider()
            .key_provider
            .load_private_key(PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        // Not checked for fitting together: nothing here reads a certificate with this extension.
        let shown = CertifiedKey::new(vec![certificate.der().clone()], signer);
        self.shown().insert(name.to_owned(), Arc::new(shown));
        Ok(())
    }

    /// Shows nothing any more.
    pub(crate) fn clear(&self) {
        self.shown().clear();
    }

    /// What is shown for a name.
    pub(crate) fn answer(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.shown().get(&name.to_ascii_lowercase()).cloned()
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        // The map is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
