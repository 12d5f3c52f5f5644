//! Settings for certificates that the relay gets by itself.

use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::Settings;

/// Whose directory it is, if nobody says: Let's Encrypt's.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The folder in the data folder, if nobody says.
const CACHE: &str = "acme";
/// Names of one certificate.
const DOMAINS_MAX: usize = 100;

/// Where certificates come from, and for whom (RFC 8555).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acme {
    /// The names of the relay; at least one.
    pub domains: Vec<String>,
    /// Whom the authority may write to.
    pub contact: Option<String>,
    /// The URL of the authority's directory.
    pub directory: String,
    /// The folder for the account with the authority and the certificate.
    pub cache: PathBuf,
}

impl Acme {
    /// Certificate and key, in one file, so that they change together.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.cache.join("certificate.pem")
    }

    /// The account with the authority; whoever has it may order certificates for these names.
    #[must_use]
    pub fn account(&self) -> PathBuf {
        self.cache.join("account.json")
    }
}

/// Takes them; nothing, if no names are said.
pub(super) fn take(settings: &mut Settings, data: &Path) -> Option<Acme> {
    let domains = settings.take("tls.acme_domains", domains);
    let contact = settings.take("tls.acme_contact", contact);
    let directory = settings.take("tls.acme_directory", directory);
    let cache = settings.take("tls.acme_cache", |text| match text.trim() {
        "" => Err("the path of a folder"),
        path => Ok(PathBuf::from(path)),
    });
    Some(Acme {
        domains: domains?,
        contact,
        directory: directory.unwrap_or_else(|| DIRECTORY.to_owned()),
        cache: cache.unwrap_or_else(|| data.join(CACHE)),
    })
}

/// Writes them as they stand in a file.
pub(super) fn write(acme: &Acme, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |value: &str| toml::Value::from(value).to_string();
    writeln!(f, "acme_domains = {}", text(&acme.domains.join(", ")))?;
    if let Some(contact) = &acme.contact {
        writeln!(f, "acme_contact = {}", text(contact))?;
    }
    writeln!(f, "acme_directory = {}", text(&acme.directory))?;
    writeln!(f, "acme_cache = {}", text(&acme.cache.display().to_string()))
}

fn domains(text: &str) -> Result<Vec<String>, &'static str> {
    let domains: Vec<_> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_name = |name: &String| {
        name.len() <= 253
            && name.contains('.')
            && name.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            })
            && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    match domains.len() <= DOMAINS_MAX && domains.iter().all(is_name) {
        true => Ok(domains),
        false => Err("names like relay.example with commas between them, without `*`"),
    }
}

fn contact(text: &str) -> Result<String, &'static str> {
    let (text, wanted) = (text.trim(), "an address like mailto:operator@relay.example");
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let is_address = address.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && !host.is_empty() && !address.contains([' ', ',', '?'])
    });
    if is_address { Ok(format!("mailto:{address}")) } else { Err(wanted) }
}

fn directory(text: &str) -> Result<String, &'static str> {
    let is_near = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    let is_safe = text.starts_with("https://") || is_near.iter().any(|near| text.starts_with(near));
    if is_safe { Ok(text.to_owned()) } else { Err("the https:// URL of a directory") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_an_authority_can_look_at() {
        assert_eq!(
            domains("Relay.example, chat.relay.example"),
            Ok(vec!["relay.example".to_owned(), "chat.relay.example".to_owned()])
        );
        for wrong in
            ["", "relay", "*.relay.example", "-a.example", "a..example", "192.0.2.1", "a b.c"]
        {
            assert!(domains(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_account_is_made_over_tls_or_on_this_machine() {
        assert!(directory(DIRECTORY).is_ok());
        assert!(directory("http://127.0.0.1:4000/directory").is_ok());
        for wrong in ["http://ca.example/", "http://127.0.0.1.evil.example/", "ca.example"] {
            assert!(directory(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_contact_is_a_mail_address() {
        assert_eq!(contact("me@relay.example"), Ok("mailto:me@relay.example".to_owned()));
        assert_eq!(contact("mailto:me@relay.example"), Ok("mailto:me@relay.example".to_owned()));
        for wrong in ["", "me", "mailto:", "me@a, you@b"] {
            assert!(contact(wrong).is_err(), "{wrong:?}");
        }
    }
}
