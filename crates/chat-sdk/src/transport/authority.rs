//! Whom a client believes that a relay is who it says: the authorities of the system, and those
//! that an app names itself.
//!
//! ```text
//!  system's authorities ─┐
//!                        ├──▶ one TLS configuration ──▶ REST
//!  Authority, Authority ─┘                         └──▶ WebSocket
//! ```
//!
//! A relay inside a company often has a certificate that no public authority has signed. An
//! [`Authority`] is trusted in addition, by this client alone; nothing on the system changes.
//! Both ways to the relay are given the same configuration, so that one cannot trust whom the other
//! refuses. What a relay can do without the right certificate is nothing; what it can do with it is
//! in `docs/threat-model.md`: messages are sealed end to end either way.
//!
//! Absent: trusting fewer than the system does, and trusting a certificate that nobody has signed
//! because somebody clicked.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::Origin;
use crate::error::{Error, Kind, Result};

/// One or several certificates of authorities, to be trusted besides the system's.
///
/// ```no_run
/// use chat_sdk::{Authority, Client};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = Authority::from_pem(&std::fs::read("our-authority.pem")?)?;
/// let builder = Client::builder("https://chat.example.internal").authority(authority);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Authority(Vec<CertificateDer<'static>>);

impl Authority {
    /// Reads certificates in PEM form, one or a bundle; anything in the file that is no certificate
    /// is passed over.
    ///
    /// # Errors
    ///
    /// [`Kind::AuthorityInvalid`] if there is none, or one of them cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| Kind::AuthorityInvalid.because(error))?;
        if certificates.is_empty() {
            return Err(Kind::AuthorityInvalid.into());
        }
        Self::read(certificates)
    }

    /// Reads one certificate in DER form.
    ///
    /// # Errors
    ///
    /// [`Kind::AuthorityInvalid`] if it cannot be read.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        Self::read(vec![CertificateDer::from(der.to_vec())])
    }

    fn read(certificates: Vec<CertificateDer<'static>>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|error| Kind::AuthorityInvalid.because(error))?;
        }
        Ok(Self(certificates))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({} certificates)", self.0.len())
    }
}

/// How TLS is spoken to `origin`; a relay without TLS needs nobody's authority.
///
/// # Errors
///
/// [`Kind::RelayNotTrusted`] where the system names no authority and the app none either.
pub(super) fn configuration(origin: &Origin, authorities: &[Authority]) -> Result<ClientConfig> {
    // The first is what is offered at once: a conversation recorded today stays closed to the
    // machines of tomorrow.
    let kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    // Ours, and not what some other part of the program has made the default of all.
    let provider = Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() });
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Kind::Internal.because(error))?;
    if !origin.is_tls() {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = Arc::new(verifier(authorities, provider)?);
    // SECURITY: dangerous is only to name a verifier at all; this one is the system's own.
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[cfg(not(target_os = "android"))]
fn verifier(authorities: &[Authority], provider: Arc<CryptoProvider>) -> Result<Verifier> {
    let roots = authorities.iter().flat_map(|Authority(certificates)| certificates.clone());
    Verifier::new_with_extra_roots(roots, provider)
        .map_err(|error| Kind::RelayNotTrusted.because(error))
}

/// Android takes authorities from the app's network security configuration and from nowhere else.
#[cfg(target_os = "android")]
fn verifier(authorities: &[Authority], provider: Arc<CryptoProvider>) -> Result<Verifier> {
    if !authorities.is_empty() {
        return Err(Kind::AuthorityInvalid.because("name it in network_security_config.xml"));
    }
    Verifier::new(provider).map_err(|error| Kind::RelayNotTrusted.because(error))
}

/// The error of a way that did not come about: whether somebody is there who cannot show that it is
/// the relay, or nobody.
pub(super) fn unreachable_or_not_trusted(
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let kind = match is_not_trusted(&error) {
        true => Kind::RelayNotTrusted,
        false => Kind::RelayUnreachable,
    };
    kind.because(error)
}

/// Looks through what an error is made of; one of TLS hides in one of input and output.
fn is_not_trusted(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return is_not_trusted(inner);
    }
    error.source().is_some_and(is_not_trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CERTIFICATE: &str =
        "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_no_certificate_is_no_authority() {
        let half = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n";
        let not_base64 = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        let a_key = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";

        for pem in ["", "hello", half, not_base64, NO_CERTIFICATE, a_key] {
            let error = Authority::from_pem(pem.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "authority_invalid", "{pem}");
            assert!(!error.is_transient());
        }
        for der in [&b""[..], b"\x30\x03\x02\x01\x01", NO_CERTIFICATE.as_bytes()] {
            assert_eq!(Authority::from_der(der).unwrap_err().kind(), Kind::AuthorityInvalid);
        }
    }

    #[test]
    fn a_doubt_about_a_certificate_is_found_however_deep_it_is() {
        let doubt = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let around = io::Error::new(io::ErrorKind::InvalidData, doubt());
        let twice = io::Error::other(io::Error::other(doubt()));
        let other = io::Error::other(rustls::Error::DecryptError);

        assert!(is_not_trusted(&doubt()));
        assert!(is_not_trusted(&around));
        assert!(is_not_trusted(&twice));
        assert!(!is_not_trusted(&other));
        assert!(!is_not_trusted(&io::Error::from(io::ErrorKind::ConnectionRefused)));
    }

    #[test]
    fn a_relay_without_tls_needs_no_authorities() {
        let origin = Origin::parse("http://127.0.0.1:7300").unwrap();

        let configuration = configuration(&origin, &[]).unwrap();

        let offered = configuration.crypto_provider().kx_groups[0].name();
        assert_eq!(offered, rustls::NamedGroup::X25519MLKEM768);
    }
}
