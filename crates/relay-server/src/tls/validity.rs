//! What a certificate says of itself: from when to when, and for whom.

use std::time::Duration;

use chat_core::time::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

/// The end of the year 9999, beyond which no certificate can be valid.
const LAST_SECOND: u64 = 253_402_300_799;

/// From when to when a certificate is valid: what webpki says about times before and after.
pub(crate) fn validity(certificate: &EndEntityCert<'_>) -> Option<(Timestamp, Timestamp)> {
    let refused_at = |seconds| {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (usage, algorithms) = (KeyUsage::server_auth(), ALL_VERIFICATION_ALGS);
        certificate.verify_for_usage(algorithms, &[], &[], at, usage, None, None).err()
    };
    let moment = |at: UnixTime| Timestamp::from_millis(at.as_secs().saturating_mul(1_000));
    match (refused_at(0)?, refused_at(LAST_SECOND)?) {
        (
            webpki::Error::CertNotValidYet { not_before, .. },
            webpki::Error::CertExpired { not_after, .. },
        ) => Some((moment(not_before), moment(not_after))),
        _ => None,
    }
}

/// Whether a certificate is for `host`.
pub(crate) fn covers(certificate: &EndEntityCert<'_>, host: &str) -> bool {
    let name = ServerName::try_from(host);
    name.is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}
