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

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Every setting: its key in a file, and what it is when nobody says.
pub const KEYS: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:7300"),
    ("data", "./sealwire-data"),
    ("database", "relay.db in the data folder"),
    ("redis", "none: a single node"),
    ("node", "a random name"),
    ("origin", "http:// and the address it listens on"),
    ("proxies", "none: the address at the other end is the client's"),
    ("limits.messages_a_minute", "60 an account"),
    ("limits.logins_a_quarter_hour", "10 an account, and 10 an address"),
    ("limits.registrations_in_3_minutes", "6 an address"),
    ("limits.fetches_a_minute", "60 prekey requests an account"),
    ("limits.requests_a_quarter_hour", "1000 an account, a tenth an address before log-in"),
];

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
    /// Log-ins in fifteen minutes, for each account and for each address.
    pub logins_a_quarter_hour: u32,
    /// Registrations in three minutes from one address.
    pub registrations_in_3_minutes: u32,
    /// Requests for prekey bundles an account may make in a minute.
    pub fetches_a_minute: u32,
    /// REST requests an account may make in fifteen minutes; an address that has not logged in may
    /// make a tenth of it.
    pub requests_a_quarter_hour: u32,
}

impl Rates {
    /// What a relay allows when nobody says otherwise.
    pub const DEFAULT: Self = Self {
        messages_a_minute: 60,
        logins_a_quarter_hour: 10,
        registrations_in_3_minutes: 6,
        fetches_a_minute: 60,
        requests_a_quarter_hour: 1_000,
    };

    /// So much that tests and load generators do not notice.
    pub const GENEROUS: Self = Self {
        messages_a_minute: 10_000_000,
        logins_a_quarter_hour: 10_000_000,
        registrations_in_3_minutes: 10_000_000,
        fetches_a_minute: 10_000_000,
        requests_a_quarter_hour: 10_000_000,
    };
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
    pub proxies: Vec<IpAddr>,
    /// How often something may happen.
    pub rates: Rates,
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
            rates: Rates::DEFAULT,
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
        if let Some(origin) = &self.origin {
            writeln!(f, "origin = {}", text(origin))?;
        }
        if !self.proxies.is_empty() {
            let proxies: Vec<_> = self.proxies.iter().map(ToString::to_string).collect();
            writeln!(f, "proxies = {}", text(&proxies.join(", ")))?;
        }
        let rates = self.rates;
        writeln!(f, "\n[limits]")?;
        writeln!(f, "messages_a_minute = {}", rates.messages_a_minute)?;
        writeln!(f, "logins_a_quarter_hour = {}", rates.logins_a_quarter_hour)?;
        writeln!(f, "registrations_in_3_minutes = {}", rates.registrations_in_3_minutes)?;
        writeln!(f, "fetches_a_minute = {}", rates.fetches_a_minute)?;
        writeln!(f, "requests_a_quarter_hour = {}", rates.requests_a_quarter_hour)
    }
}

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
            let source = source.into();
            self.problems.push(format!("`{key}` in {source} is not a setting of this relay."));
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
        self.take_rates(&mut config.rates);
        self.check_together(&config);
        if self.problems.is_empty() { Ok(config) } else { Err(Problems(self.problems)) }
    }

    fn take<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, &'static str>) -> Option<T> {
        let Found { text, source } = self.found.get(key)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(wanted) => {
                self.problems.push(format!("`{key}` ({source}) must be {wanted}."));
                None
            }
        }
    }

    fn take_rates(&mut self, rates: &mut Rates) {
        for (key, rate) in [
            ("limits.messages_a_minute", &mut rates.messages_a_minute),
            ("limits.logins_a_quarter_hour", &mut rates.logins_a_quarter_hour),
            ("limits.registrations_in_3_minutes", &mut rates.registrations_in_3_minutes),
            ("limits.fetches_a_minute", &mut rates.fetches_a_minute),
            ("limits.requests_a_quarter_hour", &mut rates.requests_a_quarter_hour),
        ] {
            if let Some(value) = self.take(key, count) {
                *rate = value;
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
        let origin = config.origin.as_deref();
        let is_public = !config.listen.ip().is_loopback();
        if is_public && !self.found.contains_key("origin") {
            self.problems.push(
                "`listen` is not a loopback address, so `origin` must say which https:// URL \
                 clients use (TLS ends at a proxy before the relay)."
                    .to_owned(),
            );
        } else if is_public && origin.is_some_and(|origin| !origin.starts_with("https://")) {
            self.problems.push(
                "`origin` must begin with https:// when `listen` is not a loopback address."
                    .to_owned(),
            );
        }
    }
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

fn proxies(text: &str) -> Result<Vec<IpAddr>, &'static str> {
    let wanted = "the addresses of the proxies, with commas between them";
    text.split(',').map(|address| address.trim().parse().map_err(|_| wanted)).collect()
}

fn count(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number from 1 on"),
        Ok(count) => Ok(count),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (key, text) in pairs {
            settings.set(key, *text, "a test");
        }
        settings
    }

    #[test]
    fn nothing_at_all_is_a_configuration() {
        let config = settings(&[]).check().unwrap();

        assert_eq!(config.listen.to_string(), "127.0.0.1:7300");
        assert_eq!(config.database, Database::Sqlite("./sealwire-data/relay.db".into()));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let problems = settings(&[
            ("listen", "7300"),
            ("database", "mysql://somewhere"),
            ("redis", "localhost"),
            ("origin", "relay.example/chat"),
            ("limits.messages_a_minute", "none"),
            ("colour", "blue"),
        ])
        .check()
        .unwrap_err();

        let text = problems.to_string();
        for named in ["listen", "database", "redis", "origin", "messages_a_minute", "colour"] {
            assert!(text.contains(named), "{named} is missing in: {text}");
        }
        // Redis beside a database that is not PostgreSQL is a problem of its own.
        assert_eq!(problems.sentences().len(), 7);
    }

    #[test]
    fn redis_needs_postgres() {
        let redis = ("redis", "redis://127.0.0.1:6379");

        assert!(settings(&[redis]).check().is_err());
        assert!(settings(&[redis, ("database", "postgres://127.0.0.1/sealwire")]).check().is_ok());
        assert!(settings(&[("database", "postgres://127.0.0.1/sealwire")]).check().is_ok());
    }

    #[test]
    fn a_public_address_needs_an_origin_with_tls() {
        let listen = ("listen", "0.0.0.0:7300");

        assert!(settings(&[listen]).check().is_err());
        assert!(settings(&[listen, ("origin", "http://relay.example")]).check().is_err());
        assert!(settings(&[listen, ("origin", "https://relay.example")]).check().is_ok());
    }

    #[test]
    fn the_stronger_source_wins_and_a_file_fills_the_rest() {
        let mut settings = settings(&[("listen", "127.0.0.1:1")]);
        settings.read_toml("listen = \"127.0.0.1:2\"\n[limits]\nmessages_a_minute = 7", "a.toml");

        let config = settings.check().unwrap();

        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.rates.messages_a_minute, 7);
    }

    fn again_database() -> Database {
        Database::Postgres("postgres://relay:***@127.0.0.1/sealwire".to_owned())
    }

    #[test]
    fn what_is_printed_can_be_read_back_and_holds_no_password() {
        let config = settings(&[
            ("database", "postgres://relay:secret@127.0.0.1/sealwire"),
            ("origin", "https://relay.example/"),
            ("proxies", "127.0.0.1,::1"),
        ])
        .check()
        .unwrap();

        let text = config.to_string();
        let mut again = Settings::default();
        again.read_toml(&text, "print");

        assert!(!text.contains("secret"));
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(Config { database: again_database(), ..config }, again.check().unwrap());
    }
}
