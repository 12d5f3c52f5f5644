//! Configuration: flags, `SEALWIRE_…` variables and a TOML file, in that order of precedence.
//!
//! ```text
//!  flag ─┐
//!  env  ─┼─▶ Settings (text, with its source) ──check──▶ Config, or every problem at once
//!  file ─┘
//! ```
//!
//! Nothing is required: without any setting the relay keeps SQLite and its keys under
//! `./sealwire-data` and listens on loopback. A setting is read as text first and checked last, so
//! that a half-wrong configuration is refused with a list of all that is wrong with it.
//! Absent on purpose: secrets. Keys are generated and kept by the relay's storage.

mod accounts;
mod acme;
mod blobs;
mod network;
mod operating;
mod push;
mod retention;
mod settings;
mod tls;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use accounts::{Accounts, Registration, WorkspacesBy};
pub use acme::Acme;
pub use blobs::{BlobConfig, BlobLimits, BlobStore, S3Place};
pub use network::{Network, NoNetwork};
pub use operating::{Migrate, Operating, Timeouts};
pub use push::{ApnsConfig, FcmConfig, PushConfig};
pub use settings::{KEYS, Problems, Settings};
pub use tls::{Tls, TlsVersion};

use crate::clock::A_DAY;
use crate::retention::Rules;

/// Where the relay keeps everything.
#[derive(Clone, Eq, PartialEq)]
pub enum Database {
    /// A file of this path.
    Sqlite(PathBuf),
    /// `postgres://…`
    Postgres(String),
}

impl Database {
    /// As the storage takes it, and without the password.
    fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => without_password(url),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rates {
    /// Messages an account may send in a minute.
    pub messages_a_minute: u32,
    /// How often an account may say in a minute that somebody is typing, in each conversation.
    pub typing_a_minute: u32,
    /// WebSocket connections a device may make in a minute.
    pub connections_a_minute: u32,
    /// Log-ins in fifteen minutes, for each account and for each address.
    pub logins_a_quarter_hour: u32,
    /// Registrations in three minutes from one address.
    pub registrations_in_3_minutes: u32,
    /// Requests for prekey bundles an account may make in a minute.
    pub fetches_a_minute: u32,
    /// MiB of blobs an account may upload and fetch in fifteen minutes.
    pub blob_mebibytes_a_quarter_hour: u32,
    /// REST requests an account may make in fifteen minutes; an address that has not logged in may
    /// make a tenth of it.
    pub requests_a_quarter_hour: u32,
}

impl Rates {
    /// What a relay allows when nobody says otherwise.
    pub const DEFAULT: Self = Self {
        messages_a_minute: 60,
        typing_a_minute: 60,
        connections_a_minute: 5,
        logins_a_quarter_hour: 10,
        registrations_in_3_minutes: 6,
        fetches_a_minute: 60,
        blob_mebibytes_a_quarter_hour: 4_096,
        requests_a_quarter_hour: 1_000,
    };

    /// Each, under its name in a file.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u32); 8] {
        let mut rates = *self;
        rates.named_mut().map(|(name, rate)| (name, *rate))
    }

    fn named_mut(&mut self) -> [(&'static str, &mut u32); 8] {
        [
            ("messages_a_minute", &mut self.messages_a_minute),
            ("typing_a_minute", &mut self.typing_a_minute),
            ("connections_a_minute", &mut self.connections_a_minute),
            ("logins_a_quarter_hour", &mut self.logins_a_quarter_hour),
            ("registrations_in_3_minutes", &mut self.registrations_in_3_minutes),
            ("fetches_a_minute", &mut self.fetches_a_minute),
            ("blob_mebibytes_a_quarter_hour", &mut self.blob_mebibytes_a_quarter_hour),
            ("requests_a_quarter_hour", &mut self.requests_a_quarter_hour),
        ]
    }

    /// So much that tests and load generators do not notice.
    pub const GENEROUS: Self = Self {
        messages_a_minute: 10_000_000,
        typing_a_minute: 10_000_000,
        connections_a_minute: 10_000_000,
        logins_a_quarter_hour: 10_000_000,
        registrations_in_3_minutes: 10_000_000,
        fetches_a_minute: 10_000_000,
        blob_mebibytes_a_quarter_hour: 10_000_000,
        requests_a_quarter_hour: 10_000_000,
    };
}

/// How many connections there may be at once, at one node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caps {
    /// Connections in total.
    pub connections: u32,
    /// WebSocket connections of one account.
    pub connections_an_account: u32,
    /// Connections from one address on which nobody has logged in: those of REST, and WebSockets
    /// that are being opened.
    pub unauthenticated_an_address: u32,
}

impl Caps {
    /// What a relay allows when nobody says otherwise.
    pub const DEFAULT: Self =
        Self { connections: 50_000, connections_an_account: 16, unauthenticated_an_address: 64 };

    /// So much that tests and load generators do not notice.
    pub const GENEROUS: Self = Self {
        connections: 10_000_000,
        connections_an_account: 10_000_000,
        unauthenticated_an_address: 10_000_000,
    };

    /// Each, under its name in a file.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u32); 3] {
        let mut caps = *self;
        caps.named_mut().map(|(name, cap)| (name, *cap))
    }

    fn named_mut(&mut self) -> [(&'static str, &mut u32); 3] {
        [
            ("connections", &mut self.connections),
            ("connections_an_account", &mut self.connections_an_account),
            ("unauthenticated_an_address", &mut self.unauthenticated_an_address),
        ]
    }
}

/// A configuration that was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The folder for everything it keeps.
    pub data: PathBuf,
    /// Where it keeps it.
    pub database: Database,
    /// `redis://…`, when there are several nodes.
    pub redis: Option<String>,
    /// The name of this node; different for each.
    pub node: Option<String>,
    /// The URL that clients know the relay by, without a path.
    pub origin: Option<String>,
    /// Proxies that stand before the relay, whose `X-Forwarded-For` says who a client is.
    pub proxies: Vec<Network>,
    /// Pages of these origins may use the relay from a browser, beside its own.
    pub web_origins: Vec<String>,
    /// TLS, if it ends here.
    pub tls: Option<Tls>,
    /// Who may register, and what becomes of names.
    pub accounts: Accounts,
    /// How often something may happen.
    pub rates: Rates,
    /// How many connections there may be.
    pub caps: Caps,
    /// For how long the audit log is kept.
    pub audit_kept: Duration,
    /// How long messages are kept, and how many.
    pub retention: Rules,
    /// The folder for months of messages that are let go of; none: they are dropped.
    pub archive: Option<PathBuf>,
    /// Blobs: where, and how many.
    pub blobs: BlobConfig,
    /// Who wakes devices.
    pub push: PushConfig,
    /// How the node is operated.
    pub operating: Operating,
}

impl Config {
    /// The configuration that needs nothing, with its data in `data`.
    #[must_use]
    pub fn with_data(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7300)),
            database: Database::Sqlite(data.join("relay.db")),
            data,
            redis: None,
            node: None,
            origin: None,
            proxies: Vec::new(),
            web_origins: Vec::new(),
            tls: None,
            accounts: Accounts::DEFAULT,
            rates: Rates::DEFAULT,
            caps: Caps::DEFAULT,
            audit_kept: A_DAY * 365,
            retention: Rules::default(),
            archive: None,
            blobs: BlobConfig::DEFAULT,
            push: PushConfig::default(),
            operating: Operating::DEFAULT,
        }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &str| toml::Value::from(value).to_string();
        writeln!(f, "listen = {}", text(&self.listen.to_string()))?;
        writeln!(f, "data = {}", text(&self.data.display().to_string()))?;
        writeln!(f, "database = {}", text(&self.database.shown()))?;
        for (key, value) in
            [("redis", self.redis.as_deref().map(without_password)), ("node", self.node.clone())]
        {
            if let Some(value) = value {
                writeln!(f, "{key} = {}", text(&value))?;
            }
        }
        writeln!(f, "migrate = {}", text(&self.operating.migrate.to_string()))?;
        writeln!(f, "database_connections = {}", self.operating.database_connections)?;
        writeln!(f, "return_within_seconds = {}", self.operating.return_within_seconds)?;
        if let Some(origin) = &self.origin {
            writeln!(f, "origin = {}", text(origin))?;
        }
        if !self.proxies.is_empty() {
            let proxies: Vec<_> = self.proxies.iter().map(ToString::to_string).collect();
            writeln!(f, "proxies = {}", text(&proxies.join(", ")))?;
        }
        if !self.web_origins.is_empty() {
            writeln!(f, "web_origins = {}", text(&self.web_origins.join(", ")))?;
        }
        if let Some(tls) = &self.tls {
            tls::write(tls, f)?;
        }
        writeln!(f, "\n[accounts]")?;
        writeln!(f, "registration = {}", text(&self.accounts.registration.to_string()))?;
        writeln!(f, "workspaces_by = {}", text(&self.accounts.workspaces.to_string()))?;
        let kept = self.accounts.name_kept.as_secs() / A_DAY.as_secs();
        writeln!(f, "name_kept_days = {kept}")?;
        writeln!(f, "\n[audit]")?;
        writeln!(f, "keep_days = {}", self.audit_kept.as_secs() / A_DAY.as_secs())?;
        write!(f, "{}{}", self.blobs, self.push)?;
        retention::write(self.retention, self.archive.as_deref(), f)?;
        writeln!(f, "\n[timeouts]")?;
        let timeouts = self.operating.timeouts.named();
        timeouts.iter().try_for_each(|(name, seconds)| writeln!(f, "{name} = {seconds}"))?;
        writeln!(f, "\n[limits]")?;
        self.rates
            .named()
            .into_iter()
            .chain(self.caps.named())
            .try_for_each(|(name, count)| writeln!(f, "{name} = {count}"))
    }
}

/// A URL, its password replaced by `***`.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:***@{host}"),
        None => url.to_owned(),
    }
}
