//! Settings as people give them, from several sources, and the list of what is wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::accounts::{registration, workspaces_by};
use super::{
    Accounts, BlobConfig, BlobStore, Config, Database, Network, Operating, PushConfig, blobs, push,
    retention, tls,
};
use crate::clock::A_DAY;

/// Every setting: its key in a file, and what it is when nobody says.
pub const KEYS: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:7300"),
    ("data", "./sealwire-data"),
    ("database", "relay.db in the data folder"),
    ("redis", "none: a single node"),
    ("node", "a random name"),
    ("migrate", "at_start"),
    ("database_connections", "16, to PostgreSQL"),
    ("return_within_seconds", "20"),
    ("origin", "http:// and the address it listens on"),
    ("proxies", "none: the address at the other end is the client's"),
    ("web_origins", "none: only pages of the relay's own origin"),
    ("tls.certificate", "none: no TLS here"),
    ("tls.key", "none: no TLS here"),
    ("tls.minimum", "1.3"),
    ("tls.hsts_seconds", "31536000"),
    ("tls.acme_domains", "none: the certificate is a file"),
    ("tls.acme_contact", "none"),
    ("tls.acme_directory", "Let's Encrypt"),
    ("tls.acme_cache", "acme in the data folder"),
    ("accounts.registration", "open; or invitation, or closed"),
    ("accounts.workspaces_by", "operator; or owners"),
    ("accounts.name_kept_days", "30"),
    ("audit.keep_days", "365"),
    ("retention.keep_days", "none: messages are kept"),
    ("retention.until_delivered", "false"),
    ("retention.archive", "none: months that are let go of are dropped"),
    ("retention.mebibytes_an_account", "none: as many as there is room for"),
    ("retention.mebibytes_a_workspace", "none: as many as there is room for"),
    ("blobs.store", "blobs in the data folder"),
    ("blobs.s3_endpoint", "Amazon's, if `blobs.store` is in S3"),
    ("blobs.s3_region", "as AWS_REGION has it, if `blobs.store` is in S3"),
    ("blobs.mebibytes_a_blob", "100"),
    ("blobs.mebibytes_an_account", "1024"),
    ("blobs.mebibytes_a_workspace", "none: as many as its accounts may have"),
    ("push.web_hooks", "none; or public, or anywhere"),
    ("push.fcm_key", "none: no FCM"),
    ("push.fcm_server", "https://fcm.googleapis.com"),
    ("push.apns_key", "none: no APNs"),
    ("push.apns_key_id", "none: no APNs"),
    ("push.apns_team_id", "none: no APNs"),
    ("push.apns_topic", "none: no APNs"),
    ("push.apns_server", "https://api.push.apple.com"),
    ("timeouts.handshake_seconds", "10"),
    ("timeouts.head_seconds", "10"),
    ("timeouts.body_seconds", "15"),
    ("timeouts.request_seconds", "30"),
    ("limits.messages_a_minute", "60 an account"),
    ("limits.typing_a_minute", "60 an account in each conversation"),
    ("limits.connections_a_minute", "5 a device"),
    ("limits.logins_a_quarter_hour", "10 an account, and 10 an address"),
    ("limits.registrations_in_3_minutes", "6 an address"),
    ("limits.fetches_a_minute", "60 prekey requests an account"),
    ("limits.blob_mebibytes_a_quarter_hour", "4096 an account, up and down"),
    ("limits.requests_a_quarter_hour", "1000 an account, a tenth an address before log-in"),
    ("limits.connections", "50000 at once"),
    ("limits.connections_an_account", "16 at once"),
    ("limits.unauthenticated_an_address", "64 at once"),
];

/// From here on, up to 1, two keys are taken for each other.
const ALIKE: f64 = 0.85;

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// One sentence each.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "The configuration cannot be used: {only}"),
            all => {
                write!(f, "The configuration cannot be used, for {} reasons:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

/// Settings as they were found: text, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    found: BTreeMap<String, Found>,
    problems: Vec<String>,
}

#[derive(Clone, Debug)]
struct Found {
    text: String,
    source: String,
}

impl Settings {
    /// Notes a setting, unless an earlier, stronger source has set it already.
    pub fn set(&mut self, key: &str, text: impl Into<String>, source: impl Into<String>) {
        if KEYS.iter().all(|(known, _)| *known != key) {
            let (source, meant) = (source.into(), meant(key));
            let meant = meant.map_or(String::new(), |known| format!(" Did you mean `{known}`?"));
            self.problems
                .push(format!("`{key}` in {source} is not a setting of this relay.{meant}"));
            return;
        }
        let found = Found { text: text.into(), source: source.into() };
        self.found.entry(key.to_owned()).or_insert(found);
    }

    /// Notes everything that a TOML file says, after the stronger sources.
    pub fn read_file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.read_toml(&text, &path.display().to_string()),
            Err(error) => {
                self.problems.push(format!("The file {} cannot be read: {error}.", path.display()));
            }
        }
    }

    /// Notes everything that `text` says; `source` is its name for people.
    pub fn read_toml(&mut self, text: &str, source: &str) {
        match text.parse::<toml::Table>() {
            Ok(table) => self.read_table(&table, "", source),
            Err(error) => {
                let message = error.message();
                self.problems.push(format!("The file {source} is not TOML: {message}."));
            }
        }
    }

    fn read_table(&mut self, table: &toml::Table, prefix: &str, source: &str) {
        for (key, value) in table {
            let key = format!("{prefix}{key}");
            match value {
                toml::Value::Table(inner) => self.read_table(inner, &format!("{key}."), source),
                toml::Value::String(text) => self.set(&key, text, source),
                other => self.set(&key, other.to_string(), source),
            }
        }
    }

    /// The configuration as it would be used, with where each setting comes from; it can be read
    /// back.
    ///
    /// # Errors
    ///
    /// [`Problems`], all of them.
    pub fn explain(self) -> Result<String, Problems> {
        let found = self.found.clone();
        let text = self.check()?.to_string();
        let mut section = String::new();
        let mut explained = String::with_capacity(2 * text.len());
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                section = format!("{name}.");
            }
            explained.push_str(line);
            if let Some((key, _)) = line.split_once(" = ") {
                let found = found.get(&format!("{section}{key}"));
                let source = found.map_or("default", |found| found.source.as_str());
                explained.push_str("  # ");
                explained.push_str(source);
            }
            explained.push('\n');
        }
        Ok(explained)
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// [`Problems`], all of them.
    pub fn check(mut self) -> Result<Config, Problems> {
        let mut config = Config::with_data("./sealwire-data");
        if let Some(data) = self.take("data", |text| non_empty(text).map(PathBuf::from)) {
            config = Config::with_data(data);
        }
        if let Some(listen) = self.take("listen", address) {
            config.listen = listen;
        }
        if let Some(database) = self.take("database", database) {
            config.database = database;
        }
        config.redis = self.take("redis", redis);
        config.node = self.take("node", node_name);
        config.origin = self.take("origin", origin);
        config.proxies = self.take("proxies", proxies).unwrap_or_default();
        config.web_origins = self.take("web_origins", web_origins).unwrap_or_default();
        config.tls = tls::take(&mut self, &config.data);
        self.take_accounts(&mut config.accounts);
        if let Some(days) = self.take("audit.keep_days", count) {
            config.audit_kept = A_DAY * days;
        }
        config.blobs = self.take_blobs();
        config.push = self.take_push();
        config.operating = self.take_operating();
        config.retention = retention::take(&mut self);
        config.archive = self.take("retention.archive", |text| non_empty(text).map(PathBuf::from));
        self.take_counts("limits", config.rates.named_mut());
        self.take_counts("limits", config.caps.named_mut());
        self.check_together(&config);
        if self.problems.is_empty() { Ok(config) } else { Err(Problems(self.problems)) }
    }

    pub(super) fn take<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let Found { text, source } = self.found.get(key)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(wanted) => {
                self.problems.push(format!("`{key}` ({source}) must be {wanted}."));
                None
            }
        }
    }

    fn take_blobs(&mut self) -> BlobConfig {
        let mut config = BlobConfig::DEFAULT;
        config.store = self.take("blobs.store", blobs::store);
        let endpoint = self.take("blobs.s3_endpoint", blobs::s3_endpoint);
        let region = self.take("blobs.s3_region", blobs::s3_region);
        match &mut config.store {
            Some(BlobStore::S3(place)) => {
                place.endpoint = endpoint;
                place.region = region;
            }
            _ if endpoint.is_some() || region.is_some() => self.problems.push(
                "`blobs.s3_endpoint` and `blobs.s3_region` mean something only where `blobs.store` is in S3: \
                 s3://bucket/prefix."
                    .to_owned(),
            ),
            _ => {}
        }
        let limits = &mut config.limits;
        if let Some(count) = self.take("blobs.mebibytes_a_blob", blobs::mebibytes_a_blob) {
            limits.mebibytes_a_blob = count;
        }
        if let Some(count) = self.take("blobs.mebibytes_an_account", count) {
            limits.mebibytes_an_account = count;
        }
        limits.mebibytes_a_workspace = self.take("blobs.mebibytes_a_workspace", count);
        config
    }

    fn take_push(&mut self) -> PushConfig {
        let said = push::Said {
            web_hooks: self.take("push.web_hooks", push::reach),
            fcm_key: self.take("push.fcm_key", file),
            fcm_server: self.take("push.fcm_server", blobs::s3_endpoint),
            apns_key: self.take("push.apns_key", file),
            apns_key_id: self.take("push.apns_key_id", push::word),
            apns_team_id: self.take("push.apns_team_id", push::word),
            apns_topic: self.take("push.apns_topic", push::word),
            apns_server: self.take("push.apns_server", blobs::s3_endpoint),
        };
        said.check().unwrap_or_else(|missing| {
            self.problems.push(missing.to_owned());
            PushConfig::default()
        })
    }

    /// Notes something that is wrong with several settings together.
    pub(super) fn complain(&mut self, problem: &str) {
        self.problems.push(problem.to_owned());
    }

    /// Whether any setting was given whose key begins so.
    pub(super) fn says_something_of(&self, prefix: &str) -> bool {
        self.found.keys().any(|key| key.starts_with(prefix))
    }

    fn take_accounts(&mut self, accounts: &mut Accounts) {
        if let Some(registration) = self.take("accounts.registration", registration) {
            accounts.registration = registration;
        }
        if let Some(workspaces) = self.take("accounts.workspaces_by", workspaces_by) {
            accounts.workspaces = workspaces;
        }
        if let Some(days) = self.take("accounts.name_kept_days", days) {
            accounts.name_kept = A_DAY * days;
        }
    }

    fn take_operating(&mut self) -> Operating {
        let mut operating = Operating::DEFAULT;
        if let Some(migrate) = self.take("migrate", str::parse) {
            operating.migrate = migrate;
        }
        if let Some(count) = self.take("database_connections", count) {
            operating.database_connections = count;
        }
        if let Some(seconds) = self.take("return_within_seconds", seconds) {
            operating.return_within_seconds = seconds;
        }
        self.take_counts("timeouts", operating.timeouts.named_mut());
        operating
    }

    fn take_counts<const N: usize>(&mut self, section: &str, named: [(&'static str, &mut u32); N]) {
        for (name, place) in named {
            if let Some(value) = self.take(&format!("{section}.{name}"), count) {
                *place = value;
            }
        }
    }

    fn check_together(&mut self, config: &Config) {
        // A setting that is wrong by itself was named already; here its presence counts.
        if self.found.contains_key("redis") && matches!(config.database, Database::Sqlite(_)) {
            self.problems.push(
                "`redis` connects several nodes, which need one database for all: set `database` \
                 to postgres://…, or leave `redis` out."
                    .to_owned(),
            );
        }
        if self.found.contains_key("retention.archive")
            && matches!(config.database, Database::Sqlite(_))
        {
            self.problems.push(
                "`retention.archive` takes months of PostgreSQL; SQLite has none: leave it out."
                    .to_owned(),
            );
        }
        let origin = config.origin.as_deref();
        let is_public = !config.listen.ip().is_loopback();
        if is_public && !self.found.contains_key("origin") {
            self.problems.push(
                "`listen` is not a loopback address, so `origin` must say which https:// URL \
                 clients use."
                    .to_owned(),
            );
        } else if is_public && origin.is_some_and(|origin| !origin.starts_with("https://")) {
            self.problems.push(
                "`origin` must begin with https:// when `listen` is not a loopback address."
                    .to_owned(),
            );
        } else if config.tls.is_some() && origin.is_some_and(|o| !o.starts_with("https://")) {
            self.problems.push("`origin` must begin with https:// where there is TLS.".to_owned());
        }
        let ends_tls = self.found.keys().any(|key| key == "proxies" || key.starts_with("tls."));
        if is_public && !ends_tls {
            self.problems.push(
                "`listen` is not a loopback address, so TLS must end somewhere: set \
                 `tls.certificate` and `tls.key`, or name the proxies before the relay in \
                 `proxies`."
                    .to_owned(),
            );
        }
    }
}

/// The setting that a key was probably meant to be.
fn meant(key: &str) -> Option<&'static str> {
    let likeness = |known: &str| {
        // Without its section too: that is what people forget.
        let bare = known.rsplit('.').next().unwrap_or(known);
        strsim::jaro_winkler(known, key).max(strsim::jaro_winkler(bare, key))
    };
    let known = KEYS.iter().map(|(known, _)| (*known, likeness(known)));
    let best = known.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.filter(|(_, likeness)| *likeness > ALIKE).map(|(known, _)| known)
}

fn non_empty(text: &str) -> Result<&str, &'static str> {
    if text.trim().is_empty() { Err("the path of a folder") } else { Ok(text) }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an address with a port, like 127.0.0.1:7300")
}

fn database(text: &str) -> Result<Database, &'static str> {
    if is_postgres(text) {
        return Ok(Database::Postgres(text.to_owned()));
    }
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
    match path.unwrap_or(text) {
        "" => Err("the path of a SQLite file, or postgres://…"),
        other if other.contains("://") => Err("the path of a SQLite file, or postgres://…"),
        path => Ok(Database::Sqlite(PathBuf::from(path))),
    }
}

fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

fn redis(text: &str) -> Result<String, &'static str> {
    let known = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(text.to_owned())
    } else {
        Err("a URL like redis://127.0.0.1:6379")
    }
}

fn node_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_' || c == b'.');
    if fits { Ok(text.to_owned()) } else { Err("1 to 64 letters, digits, `-`, `_` or `.`") }
}

fn origin(text: &str) -> Result<String, &'static str> {
    let wanted = "a URL without a path, like https://relay.example";
    let text = text.strip_suffix('/').unwrap_or(text);
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(wanted),
    }
}

fn proxies(text: &str) -> Result<Vec<Network>, &'static str> {
    let wanted = "addresses or ranges like 10.0.0.0/8, with commas between them";
    text.split(',').map(|network| network.trim().parse().map_err(|_| wanted)).collect()
}

fn web_origins(text: &str) -> Result<Vec<String>, &'static str> {
    text.split(',').map(|one| origin(one.trim())).collect()
}

pub(super) fn file(text: &str) -> Result<PathBuf, &'static str> {
    if text.trim().is_empty() { Err("the path of a file") } else { Ok(text.into()) }
}

fn days(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "a whole number of days")
}

pub(super) fn seconds(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "a whole number of seconds")
}

fn count(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number from 1 on"),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests;
