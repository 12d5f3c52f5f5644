//! What may be wrong with a relay, looked for before people notice.
//!
//! ```text
//!  ok    database   SQLite, ./sealwire-data/relay.db, schema 7, answers after 0.3 ms
//!  warn  files      1024 descriptors, 50000 connections wanted
//!                   → raise LimitNOFILE, or lower limits.connections
//! ```
//!
//! Nothing is changed and nothing is made: a database that is not there yet is no failure, since the
//! relay makes it. Every finding that is not ok says what to do.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use chat_core::time::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use webpki::EndEntityCert;

use super::{OperatorError, open};
use crate::audit::verify;
use crate::config::{Config, Database, KEYS, Tls, without_password};
use crate::storage::{Storage, StorageError};
use crate::tls::Certificates;
use crate::tls::validity::{covers, validity};

/// What a certificate has left when it is time to renew it.
const RENEW_WITHIN: Duration = Duration::from_secs(21 * 24 * 3600);
/// Clocks that are further apart than this are worth a word, and than the second a failure.
const SKEW_WARN: Duration = Duration::from_secs(1);
const SKEW_FAIL: Duration = Duration::from_secs(60);
/// A database or Redis that takes longer is slow, and after the second not there.
const SLOW: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);
const MEBIBYTE: u64 = 1 << 20;
/// Descriptors that a node needs beside its connections.
const DESCRIPTORS_BESIDE: u64 = 64;
/// Where Linux says what a process may have; elsewhere nothing is said of it.
const LIMITS: &str = "/proc/self/limits";

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    /// It is not.
    Ok,
    /// It works, for now.
    Warn,
    /// It does not work, or loses something.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok  ",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What.
    pub part: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do about it; empty if nothing.
    pub advice: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {:<12} {}", self.verdict, self.part, self.says)?;
        if self.advice.is_empty() { Ok(()) } else { writeln!(f, "{:18} → {}", "", self.advice) }
    }
}

fn ok(part: &'static str, says: impl Into<String>) -> Finding {
    Finding { part, verdict: Verdict::Ok, says: says.into(), advice: "" }
}

fn warn(part: &'static str, says: impl Into<String>, advice: &'static str) -> Finding {
    Finding { part, verdict: Verdict::Warn, says: says.into(), advice }
}

fn fail(part: &'static str, says: impl Into<String>, advice: &'static str) -> Finding {
    Finding { part, verdict: Verdict::Fail, says: says.into(), advice }
}

/// Looks at everything that a relay of this configuration needs; writes one finding after the other,
/// and returns the worst.
///
/// # Errors
///
/// [`OperatorError::Output`].
pub async fn examine(
    config: &Config,
    now: Timestamp,
    output: &mut impl Write,
) -> Result<Verdict, OperatorError> {
    let mut findings = vec![
        ok("settings", "can be used"),
        variables(std::env::vars().map(|(name, _)| name)),
        clock(now),
    ];
    findings.extend(machine(config).await);
    if let Some(tls) = &config.tls {
        findings.extend(certificate(tls, config.origin.as_deref(), now));
    }
    if let Some(url) = &config.redis {
        findings.push(redis(url, now).await);
    }
    findings.extend(database(config).await);
    for finding in &findings {
        write!(output, "{finding}")?;
    }
    Ok(findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok))
}

/// Variables that look like settings and are none.
fn variables(names: impl Iterator<Item = String>) -> Finding {
    let known = |name: &str| {
        KEYS.iter().any(|(key, _)| {
            let key = key.strip_prefix("limits.").unwrap_or(key);
            key.replace('.', "_").to_uppercase() == name
        })
    };
    let beside = ["CONFIG", "LOG", "LOG_FORMAT"];
    let unknown: Vec<String> = names
        .filter(|name| {
            let name = name.strip_prefix("SEALWIRE_");
            // Those are for the project's own tests.
            name.is_some_and(|name| {
                !known(name) && !beside.contains(&name) && !name.starts_with("TEST_")
            })
        })
        .collect();
    match unknown.as_slice() {
        [] => ok("variables", "all that begin with SEALWIRE_ are settings"),
        names => warn(
            "variables",
            format!("{} is no setting", names.join(", ")),
            "correct the name, or take it away; `config print` shows what is used",
        ),
    }
}

/// When this version was written; a clock before that is wrong.
const WRITTEN: Timestamp = Timestamp::from_millis(1_760_000_000_000);

fn clock(now: Timestamp) -> Finding {
    match now < WRITTEN {
        true => fail(
            "clock",
            "shows a time before this program was written",
            "set it, and keep it set with NTP: tokens and timers depend on it",
        ),
        false => ok("clock", "shows a time that may be"),
    }
}

/// A clock beside ours.
fn skew(part: &'static str, says: String, between: Duration) -> Finding {
    let advice = "keep both clocks set with NTP: tokens, timers and limits depend on them";
    let apart = format!("{says}; its clock is {} ms from ours", between.as_millis());
    match between {
        far if far > SKEW_FAIL => fail(part, apart, advice),
        some if some > SKEW_WARN => warn(part, apart, advice),
        _ => ok(part, says),
    }
}

async fn machine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![descriptors(config)];
    if let Database::Sqlite(_) = config.database {
        let mut folder = config.data.as_path();
        while !folder.exists() {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            folder = parent.unwrap_or(Path::new("."));
        }
        findings.push(space(folder).await);
        #[cfg(unix)]
        if config.data.exists() {
            findings.push(permissions(&config.data));
        }
    }
    findings
}

fn descriptors(config: &Config) -> Finding {
    let wanted = u64::from(config.caps.connections) + DESCRIPTORS_BESIDE;
    let limits = std::fs::read_to_string(LIMITS).unwrap_or_default();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = soft.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    match soft {
        Some(limit) if limit < wanted => warn(
            "files",
            format!("{limit} descriptors, {wanted} wanted for all connections"),
            "raise LimitNOFILE or `ulimit -n`, or lower limits.connections",
        ),
        Some(limit) => ok("files", format!("{limit} descriptors")),
        None => ok("files", "this system does not say how many descriptors there may be"),
    }
}

/// Asks `df`, which every Unix has.
async fn space(folder: &Path) -> Finding {
    let advice = "make room: a relay whose disk is full accepts nothing";
    let asked = tokio::process::Command::new("df").arg("-Pk").arg(folder).output().await;
    let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let free = said.ok().and_then(|said| {
        let kibibytes = said.lines().nth(1)?.split_whitespace().nth(3)?;
        Some(kibibytes.parse::<u64>().ok()? / 1_024)
    });
    let Some(free) = free else {
        return warn("disk", format!("nothing is known of {}", folder.display()), advice);
    };
    let says = format!("{free} MiB free");
    match free * MEBIBYTE {
        little if little < 128 * MEBIBYTE => fail("disk", says, advice),
        some if some < 2_048 * MEBIBYTE => warn("disk", says, advice),
        _ => ok("disk", says),
    }
}

#[cfg(unix)]
fn permissions(folder: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(folder).map(|found| found.permissions().mode() & 0o077) {
        Ok(0) => ok("folder", format!("{} is its owner's alone", folder.display())),
        Ok(_) => warn(
            "folder",
            format!("others can look into {}", folder.display()),
            "chmod 700: it holds the relay's secrets",
        ),
        Err(error) => fail("folder", error.to_string(), "run this as the relay's user"),
    }
}

fn certificate(tls: &Tls, origin: Option<&str>, now: Timestamp) -> Vec<Finding> {
    crate::tls::choose_provider();
    if tls.acme.is_some() && !tls.certificate.exists() {
        return vec![warn("tls", "there is no certificate yet", "the running relay gets one")];
    }
    if let Err(error) = Certificates::read(tls) {
        return vec![fail("tls", error.to_string(), "name files that fit together in `tls`")];
    }
    let first = CertificateDer::pem_file_iter(&tls.certificate).ok().and_then(|mut it| it.next());
    let Some(Ok(first)) = first else {
        return vec![fail("tls", "the certificate cannot be read", "look at `tls.certificate`")];
    };
    let unreadable = || fail("tls", "the certificate cannot be read", "look at `tls.certificate`");
    let Ok(read) = EndEntityCert::try_from(&first) else { return vec![unreadable()] };
    let Some((begins, ends)) = validity(&read) else { return vec![unreadable()] };
    let left = ends.since(now);
    let days = left.as_secs() / (24 * 3600);
    let expiry = match () {
        () if now < begins => fail("tls", "the certificate is not valid yet", "look at the clock"),
        () if left.is_zero() => {
            fail("tls", "the certificate has expired", "renew it; the relay reads the new files")
        }
        () if left < RENEW_WITHIN => {
            warn("tls", format!("the certificate ends in {days} days"), "renew it now")
        }
        () => ok("tls", format!("the certificate is good for {days} days")),
    };
    let mut findings = vec![expiry];
    let host = origin.and_then(|origin| origin.strip_prefix("https://"));
    let host = host.map(|host| host.split(':').next().unwrap_or(host));
    if let Some(host) = host.filter(|host| !covers(&read, host)) {
        findings.push(fail(
            "tls",
            format!("the certificate does not name {host}, which is the origin"),
            "clients will refuse it: get one for that name",
        ));
    }
    findings
}

async fn redis(url: &str, now: Timestamp) -> Finding {
    let advice = "look at the URL, the server and the network; nodes do not hear of each other";
    let asked = async {
        let client = ::redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let began = Instant::now();
        let (seconds, micros): (u64, u64) =
            ::redis::cmd("TIME").query_async(&mut connection).await?;
        let theirs = Timestamp::from_millis(seconds.saturating_mul(1_000) + micros / 1_000);
        Ok::<_, ::redis::RedisError>((began.elapsed(), theirs))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((took, theirs))) => {
            let says = format!("answers after {:.1} ms", took.as_secs_f64() * 1_000.0);
            skew("redis", says, now.since(theirs).max(theirs.since(now)))
        }
        Ok(Err(error)) => fail("redis", format!("{}: {error}", without_password(url)), advice),
        Err(_) => fail("redis", format!("{} does not answer", without_password(url)), advice),
    }
}

async fn database(config: &Config) -> Vec<Finding> {
    let place = match &config.database {
        Database::Sqlite(path) => format!("SQLite, {}", path.display()),
        Database::Postgres(url) => without_password(url),
    };
    let opened = tokio::time::timeout(PATIENCE, open(config)).await;
    match opened.unwrap_or(Err(OperatorError::Storage(StorageError::Unavailable))) {
        Ok(storage) => {
            let findings = within_database(&*storage, place).await;
            storage.close().await;
            findings
        }
        Err(OperatorError::NoDatabase(_)) => {
            vec![ok("database", format!("{place} is not there yet; the first start makes it"))]
        }
        Err(OperatorError::Storage(StorageError::TooOld { found: 0, .. })) => {
            vec![ok("database", format!("{place} is empty; the first start fills it"))]
        }
        Err(error @ OperatorError::Storage(StorageError::TooOld { .. })) => vec![warn(
            "database",
            error.to_string(),
            "run `relay-server migrate`, or start a node with migrate = \"at_start\"",
        )],
        Err(error) => vec![fail(
            "database",
            format!("{place}: {error}"),
            "without it nothing is accepted: look at the server, the URL and its settings",
        )],
    }
}

async fn within_database(storage: &dyn Storage, place: String) -> Vec<Finding> {
    let began = Instant::now();
    let checked = storage.check().await;
    let took = began.elapsed();
    let says = format!("{place}, answers after {:.1} ms", took.as_secs_f64() * 1_000.0);
    let answer = match checked {
        Ok(()) if took > SLOW => warn("database", says, "look at its load and its network"),
        Ok(()) => ok("database", says),
        Err(error) => fail("database", error.to_string(), "look at the server's log"),
    };
    let chain = match verify(storage, None).await {
        Ok(end) => ok("audit", format!("the log is whole, {} entries so far", end.sequence)),
        Err(error) => fail(
            "audit",
            error.to_string(),
            "somebody has changed the database by hand, or it was not restored by `restore`",
        ),
    };
    vec![answer, chain]
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

    fn tls(folder: &Path, names: &[&str]) -> Tls {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Tls::with(certificate, key)
    }

    fn worst(findings: &[Finding]) -> Verdict {
        findings.iter().map(|finding| finding.verdict).max().unwrap()
    }

    #[test]
    fn a_certificate_is_judged_by_its_end_and_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let tls = tls(folder.path(), &["relay.example", "*.chat.example"]);
        let now = WRITTEN;
        // What rcgen makes by itself ends in the year 4096.
        let end = Timestamp::from_millis(67_090_000_000_000);

        let at = |origin: &str, now| worst(&certificate(&tls, Some(origin), now));

        assert_eq!(at("https://relay.example", now), Verdict::Ok);
        assert_eq!(at("https://relay.example:8443", now), Verdict::Ok);
        assert_eq!(at("https://eu.chat.example", now), Verdict::Ok);
        assert_eq!(at("https://a.eu.chat.example", now), Verdict::Fail);
        assert_eq!(at("https://other.example", now), Verdict::Fail);
        assert_eq!(at("https://relay.example", end.after(YEAR)), Verdict::Fail);
        std::fs::write(&tls.key, "no key").unwrap();
        assert_eq!(at("https://relay.example", now), Verdict::Fail);
    }

    #[test]
    fn clocks_far_apart_are_a_failure() {
        let apart = |millis| skew("redis", String::new(), Duration::from_millis(millis)).verdict;

        assert_eq!(
            [apart(10), apart(3_000), apart(90_000)],
            [Verdict::Ok, Verdict::Warn, Verdict::Fail]
        );
        assert_eq!(clock(Timestamp::from_millis(0)).verdict, Verdict::Fail);
    }

    #[test]
    fn a_variable_that_is_no_setting_is_noticed() {
        let of = |names: &[&str]| variables(names.iter().map(|name| (*name).to_owned())).verdict;

        assert_eq!(of(&["SEALWIRE_LISTEN", "SEALWIRE_TLS_KEY", "SEALWIRE_LOG"]), Verdict::Ok);
        assert_eq!(of(&["SEALWIRE_MESSAGES_A_MINUTE", "PATH"]), Verdict::Ok);
        assert_eq!(of(&["SEALWIRE_LISTN"]), Verdict::Warn);
    }

    #[tokio::test]
    async fn what_is_not_there_yet_is_no_failure_and_what_is_away_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::with_data(folder.path().join("data"));

        assert_eq!(worst(&database(&config).await), Verdict::Ok);
        assert!(!config.data.exists(), "nothing is made");
        config.database = Database::Postgres("postgres://x:secret@127.0.0.1:1/x".to_owned());
        let findings = database(&config).await;
        assert_eq!(worst(&findings), Verdict::Fail);
        assert!(findings.iter().all(|finding| !finding.to_string().contains("secret")));
        let away = redis("redis://:secret@127.0.0.1:1", WRITTEN).await;
        assert_eq!(away.verdict, Verdict::Fail);
        assert!(!away.to_string().contains("secret"), "{away}");
    }
}
