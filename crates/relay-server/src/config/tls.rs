//! Settings for TLS in the program itself.

use std::fmt;
use std::path::{Path, PathBuf};

use super::acme::{self, Acme};
use super::settings::{Settings, file, seconds};

/// TLS in the program itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// A file with the certificate and those that vouch for it, in PEM form.
    pub certificate: PathBuf,
    /// A file with its private key, in PEM form.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
    /// For how long browsers are to remember that there is TLS; zero: they are told nothing.
    pub hsts_seconds: u32,
    /// Where the file comes from, if the relay gets it by itself; both paths are the same then.
    pub acme: Option<Acme>,
}

impl Tls {
    /// Browsers remember for a year.
    pub const HSTS_SECONDS: u32 = 365 * 24 * 3600;

    /// TLS 1.3 with these files.
    #[must_use]
    pub fn with(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            minimum: TlsVersion::Tls13,
            hsts_seconds: Self::HSTS_SECONDS,
            acme: None,
        }
    }

    /// TLS 1.3 with a certificate that the relay gets by itself.
    #[must_use]
    pub fn from_authority(acme: Acme) -> Self {
        Self { acme: Some(acme.clone()), ..Self::with(acme.certificate(), acme.certificate()) }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// 1.2, for clients that know nothing newer.
    Tls12,
    /// 1.3.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

/// Takes them; nothing, if there is to be no TLS, or if they make no sense.
pub(super) fn take(settings: &mut Settings, data: &Path) -> Option<Tls> {
    let certificate = settings.take("tls.certificate", file);
    let key = settings.take("tls.key", file);
    let minimum = settings.take("tls.minimum", version);
    let hsts_seconds = settings.take("tls.hsts_seconds", seconds);
    let acme = acme::take(settings, data);
    let mut tls = match (certificate, key, acme) {
        (Some(certificate), Some(key), None) => Tls::with(certificate, key),
        (None, None, Some(acme)) => {
            if cfg!(not(feature = "acme")) {
                settings.complain(
                    "`tls.acme_domains` needs a relay that was built with `--features acme`.",
                );
            }
            Tls::from_authority(acme)
        }
        _ => {
            if settings.says_something_of("tls.") {
                settings.complain(
                    "TLS needs both files, or names to get a certificate for: set \
                     `tls.certificate` and `tls.key`, or `tls.acme_domains`, or nothing of `tls`.",
                );
            }
            return None;
        }
    };
    tls.minimum = minimum.unwrap_or(tls.minimum);
    tls.hsts_seconds = hsts_seconds.unwrap_or(tls.hsts_seconds);
    Some(tls)
}

/// Writes them as they stand in a file.
pub(super) fn write(tls: &Tls, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |value: &str| toml::Value::from(value).to_string();
    writeln!(f, "\n[tls]")?;
    match &tls.acme {
        Some(acme) => acme::write(acme, f)?,
        None => {
            writeln!(f, "certificate = {}", text(&tls.certificate.display().to_string()))?;
            writeln!(f, "key = {}", text(&tls.key.display().to_string()))?;
        }
    }
    writeln!(f, "minimum = {}", text(&tls.minimum.to_string()))?;
    writeln!(f, "hsts_seconds = {}", tls.hsts_seconds)
}

fn version(text: &str) -> Result<TlsVersion, &'static str> {
    match text {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" => Ok(TlsVersion::Tls13),
        _ => Err("1.2 or 1.3"),
    }
}
