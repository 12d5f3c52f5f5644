//! What a running relay does about its certificate: has it, reads it anew, and gets another where
//! that is its own to do.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::task::JoinHandle;

use super::StartError;
use crate::audit::{AuditEvent, Note};
use crate::config::Tls;
use crate::service::Services;
use crate::tls::{Certificates, Reloaded};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads the files; one that an authority is to bring is stood in for until then.
pub(super) fn read(tls: &Tls) -> Result<Arc<Certificates>, StartError> {
    #[cfg(feature = "acme")]
    tls.acme.as_ref().map(crate::acme::prepare).transpose()?;
    Ok(Certificates::read(tls)?)
}

/// The tasks that keep the certificate good.
pub(super) fn keep(
    certificates: &Arc<Certificates>,
    tls: &Tls,
    services: &Arc<Services>,
) -> Vec<JoinHandle<()>> {
    let watching = tokio::spawn(watch(certificates.clone(), services.clone()));
    #[cfg(feature = "acme")]
    if let Some(acme) = tls.acme.clone() {
        let getting = crate::acme::run(acme, certificates.clone(), services.clone());
        return vec![watching, tokio::spawn(getting)];
    }
    #[cfg(not(feature = "acme"))]
    let _ = tls;
    vec![watching]
}

/// What answers say of TLS to come.
pub(super) fn hsts(tls: &Tls) -> Option<HeaderValue> {
    let seconds = Some(tls.hsts_seconds).filter(|seconds| *seconds > 0)?;
    HeaderValue::from_str(&format!("max-age={seconds}")).ok()
}

/// Looks now and then whether the files of the certificate have changed; does not return.
async fn watch(certificates: Arc<Certificates>, services: Arc<Services>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match certificates.reload() {
            Ok(Reloaded::Unchanged) => {}
            Ok(Reloaded::Changed) => {
                tracing::info!("the certificate has changed");
                services.audit.note(Note::done(AuditEvent::CertificateChanged));
            }
            Err(error) => tracing::warn!(%error, "the certificate in use stays in use"),
        }
    }
}
