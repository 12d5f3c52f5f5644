//! Certificates from an authority, by themselves (ACME, RFC 8555).
//!
//! ```text
//!  due? ──order──▶ authority ──asks this port: acme-tls/1──▶ challenge certificate
//!                     └── chain ──▶ certificate.pem, in one step ──▶ read anew, as any file
//! ```
//!
//! A certificate is due when two thirds of its time are over, or when it does not name everything
//! that it should. Until there is a first one the file holds one that nobody trusts. Key and chain
//! stand in one file, so that both change at once; what reads it anew is the same that reads files
//! which somebody else renews. Absent: challenges other than TLS-ALPN-01, so several nodes behind
//! one address need certificates from elsewhere.

mod authority;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chat_core::time::Timestamp;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use self::authority::Authority;
use crate::config::Acme;
use crate::service::Services;
use crate::tls::Certificates;
use crate::tls::challenges::{Challenges, NotShown};
use crate::tls::validity::{covers, validity};

/// How often it looks whether a certificate is due.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How long it waits after a first failure, and after many; authorities count failures.
const RETRY_AFTER: Duration = Duration::from_secs(15 * 60);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long the authority may take over each of its steps.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// Something in the cache cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    Cache {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The account in the cache is none.
    #[error("{} holds no account; move it away to make a new one: {source}", path.display())]
    NoAccount {
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The authority could not be reached, or refused.
    #[error("the authority could not be reached, or refused: {0}")]
    Authority(#[from] instant_acme::Error),
    /// No client could be made for it.
    #[error("the authority cannot be spoken to: {0}")]
    Client(#[from] reqwest::Error),
    /// The authority wants to be convinced in another way.
    #[error("the authority offers no tls-alpn-01 challenge for {0}")]
    NoChallenge(String),
    /// The authority was not convinced.
    #[error(
        "the authority was not convinced that the names are ours; is its way to port 443 free?"
    )]
    NotConvinced,
    /// A challenge cannot be shown.
    #[error("a challenge cannot be shown: {0}")]
    NotShown(#[from] NotShown),
    /// What stands in until there is a certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// Sees to it that there is a file with a certificate, if only one that nobody trusts: it has ended
/// when it is made, and so is due.
pub(crate) fn prepare(acme: &Acme) -> Result<(), AcmeError> {
    let file = acme.certificate();
    if file.exists() {
        return Ok(());
    }
    let mut params = CertificateParams::new(acme.domains.clone())?;
    (params.not_before, params.not_after) = (date_time_ymd(1975, 1, 1), date_time_ymd(1975, 1, 2));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = Zeroizing::new(key.serialize_pem());
    save(&file, &Zeroizing::new(format!("{}{}", *key, certificate.pem())))
}

/// Gets certificates when they are due; does not return.
pub(crate) async fn run(acme: Acme, certificates: Arc<Certificates>, services: Arc<Services>) {
    let mut retry_after = RETRY_AFTER;
    loop {
        if !is_due(&acme, services.now()) {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let renewed = renew(&acme, &certificates.challenges).await;
        certificates.challenges.clear();
        match renewed {
            Ok(()) => {
                tracing::info!("there is a new certificate");
                retry_after = RETRY_AFTER;
            }
            Err(error) => {
                tracing::warn!(%error, "there is no new certificate yet");
                tokio::time::sleep(retry_after).await;
                retry_after = RETRY_AFTER_MAX.min(retry_after * 2);
            }
        }
    }
}

/// Whether it is time for another certificate.
fn is_due(acme: &Acme, now: Timestamp) -> bool {
    let first = CertificateDer::pem_file_iter(acme.certificate()).ok();
    let Some(Ok(first)) = first.and_then(|mut all| all.next()) else { return true };
    let Ok(read) = EndEntityCert::try_from(&first) else { return true };
    let Some((begins, ends)) = validity(&read) else { return true };
    let two_thirds = ends.since(begins) / 3 * 2;
    now >= begins.after(two_thirds) || !acme.domains.iter().all(|name| covers(&read, name))
}

/// Orders a certificate, and puts it where it is read.
async fn renew(acme: &Acme, challenges: &Challenges) -> Result<(), AcmeError> {
    let account = account(acme).await?;
    let names: Vec<_> = acme.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    convince(&mut order, challenges).await?;
    if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
        return Err(AcmeError::NotConvinced);
    }
    let key = Zeroizing::new(order.finalize().await?);
    let chain = order.poll_certificate(&PATIENCE).await?;
    save(&acme.certificate(), &Zeroizing::new(format!("{}{chain}", *key)))
}

/// Shows the authority what it wants to see for each name, and says that it may look.
async fn convince(order: &mut Order, challenges: &Challenges) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            _ => return Err(AcmeError::NotConvinced),
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or_else(|| AcmeError::NoChallenge(name.clone()))?;
        let digest =
            chat_core::codec::Digest::of(challenge.key_authorization().as_str().as_bytes());
        challenges.show(&name, digest.as_bytes())?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// The account with the authority: the one of before, or a new one.
async fn account(acme: &Acme) -> Result<Account, AcmeError> {
    let (path, builder) = (acme.account(), Account::builder_with_http(Box::new(Authority::new()?)));
    match std::fs::read(&path).map(Zeroizing::new) {
        Ok(bytes) => {
            let kept: Kept = serde_json::from_slice(&bytes)
                .map_err(|source| AcmeError::NoAccount { path, source })?;
            if kept.directory == acme.directory {
                return Ok(builder.from_credentials(kept.credentials).await?);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(AcmeError::Cache { path, source }),
    }
    let contact: Vec<_> = acme.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let directory = acme.directory.clone();
    let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
    let kept = serde_json::to_string(&Kept { directory, credentials })
        .map_err(|source| AcmeError::NoAccount { path: acme.account(), source })?;
    save(&acme.account(), &Zeroizing::new(kept))?;
    Ok(account)
}

/// Replaces a file as a whole, readable for nobody else.
fn save(path: &Path, text: &Zeroizing<String>) -> Result<(), AcmeError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        // Where there are owners of files, this one is its owner's alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source: std::io::Error| AcmeError::Cache { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_until_there_is_a_certificate_is_due() {
        let (_folder, acme) = made();

        prepare(&acme).unwrap();

        assert!(is_due(&acme, NOW));
        let key = std::fs::read_to_string(acme.certificate()).unwrap();
        assert!(key.contains("PRIVATE KEY"));
    }

    #[test]
    fn a_certificate_is_due_when_two_thirds_of_its_time_are_over_or_a_name_is_missing() {
        let (_folder, acme) = made();
        let mut params = CertificateParams::new(acme.domains.clone()).unwrap();
        // Ninety days; the first moment is 1 800 057 600 s.
        (params.not_before, params.not_after) =
            (date_time_ymd(2027, 1, 16), date_time_ymd(2027, 4, 16));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        save(&acme.certificate(), &Zeroizing::new(certificate.pem())).unwrap();
        let days = |days: u64| NOW.after(Duration::from_secs(days * 24 * 3600));
        let more = Acme {
            domains: vec!["relay.example".to_owned(), "chat.example".to_owned()],
            ..acme.clone()
        };

        assert!(!is_due(&acme, days(59)));
        assert!(is_due(&acme, days(61)));
        assert!(is_due(&more, days(1)));
    }

    /// 15 January 2027, 8 o'clock.
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn made() -> (tempfile::TempDir, Acme) {
        let folder = tempfile::tempdir().unwrap();
        let acme = Acme {
            domains: vec!["relay.example".to_owned()],
            contact: None,
            directory: "https://authority.example".to_owned(),
            cache: folder.path().join("acme"),
        };
        (folder, acme)
    }
}
