//! Push: which services wake devices, and with which keys. Keys are files, never settings.

use std::fmt;
use std::path::PathBuf;

use crate::push::guard::Reach;

/// Apple's server for apps that were published.
const APNS_SERVER: &str = "https://api.push.apple.com";
/// Google's.
const FCM_SERVER: &str = "https://fcm.googleapis.com";

/// Everything that is set about push. Without anything nobody is woken.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PushConfig {
    /// Where web hooks may lead; absent: there are none.
    pub web_hooks: Option<Reach>,
    /// Google's.
    pub fcm: Option<FcmConfig>,
    /// Apple's.
    pub apns: Option<ApnsConfig>,
}

/// Firebase Cloud Messaging.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FcmConfig {
    /// The file of a service account.
    pub key: PathBuf,
    /// The URL of the server.
    pub server: String,
}

/// Apple's Push Notification service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApnsConfig {
    /// The file of a key for tokens (`.p8`).
    pub key: PathBuf,
    /// The key's id.
    pub key_id: String,
    /// The team's id.
    pub team_id: String,
    /// The app's bundle id.
    pub topic: String,
    /// The URL of the server.
    pub server: String,
}

/// As it stands in a file.
impl fmt::Display for PushConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let text = |value: &str| toml::Value::from(value).to_string();
        writeln!(f, "\n[push]")?;
        if let Some(reach) = self.web_hooks {
            let reach = match reach {
                Reach::Public => "public",
                Reach::Anywhere => "anywhere",
            };
            writeln!(f, "web_hooks = {}", text(reach))?;
        }
        if let Some(FcmConfig { key, server }) = &self.fcm {
            writeln!(f, "fcm_key = {}", text(&key.display().to_string()))?;
            writeln!(f, "fcm_server = {}", text(server))?;
        }
        if let Some(ApnsConfig { key, key_id, team_id, topic, server }) = &self.apns {
            writeln!(f, "apns_key = {}", text(&key.display().to_string()))?;
            for (name, value) in [
                ("apns_key_id", key_id),
                ("apns_team_id", team_id),
                ("apns_topic", topic),
                ("apns_server", server),
            ] {
                writeln!(f, "{name} = {}", text(value))?;
            }
        }
        Ok(())
    }
}

/// What was said of push, before it is known whether it is enough.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) web_hooks: Option<Reach>,
    pub(super) fcm_key: Option<PathBuf>,
    pub(super) fcm_server: Option<String>,
    pub(super) apns_key: Option<PathBuf>,
    pub(super) apns_key_id: Option<String>,
    pub(super) apns_team_id: Option<String>,
    pub(super) apns_topic: Option<String>,
    pub(super) apns_server: Option<String>,
}

impl Said {
    /// Whether that is enough; else what is missing.
    pub(super) fn check(self) -> Result<PushConfig, &'static str> {
        let fcm = match (self.fcm_key, self.fcm_server) {
            (Some(key), server) => {
                Some(FcmConfig { key, server: server.unwrap_or_else(|| FCM_SERVER.to_owned()) })
            }
            (None, None) => None,
            (None, Some(_)) => {
                return Err("FCM needs the file of a service account: set `push.fcm_key`.");
            }
        };
        let server = self.apns_server;
        let apns = match (self.apns_key, self.apns_key_id, self.apns_team_id, self.apns_topic) {
            (Some(key), Some(key_id), Some(team_id), Some(topic)) => {
                let server = server.unwrap_or_else(|| APNS_SERVER.to_owned());
                Some(ApnsConfig { key, key_id, team_id, topic, server })
            }
            (None, None, None, None) if server.is_none() => None,
            _ => {
                return Err("APNs needs all of `push.apns_key`, `push.apns_key_id`, \
                     `push.apns_team_id` and `push.apns_topic`.");
            }
        };
        Ok(PushConfig { web_hooks: self.web_hooks, fcm, apns })
    }
}

/// Reads `push.web_hooks`.
pub(super) fn reach(text: &str) -> Result<Reach, &'static str> {
    match text {
        "public" => Ok(Reach::Public),
        "anywhere" => Ok(Reach::Anywhere),
        _ => Err("`public` or `anywhere`"),
    }
}

/// Reads a name that goes into headers and tokens.
pub(super) fn word(text: &str) -> Result<String, &'static str> {
    let fits = (1..=255).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_' || c == b'.');
    if fits { Ok(text.to_owned()) } else { Err("1 to 255 letters, digits, `-`, `_` or `.`") }
}
