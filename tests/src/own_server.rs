//! PostgreSQL and Redis of a story's own, which it may kill, hold up and start again.
//!
//! ```text
//!  start ──▶ up ──▶ down(how) ──▶ up ──▶ …      the same address and, for PostgreSQL, the same data
//! ```
//!
//! The servers of [`crate::services`] are everybody's; these die with the value. `cargo xtask test`
//! says where their programs are. Nothing is kept that is worth anything: no password is asked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use crate::ports::free_port;

/// How long a server may take to start, also after a crash.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a server goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Down {
    /// It leaves without a word to anybody and without tidying up: PostgreSQL's *immediate*.
    AtOnce,
    /// The kernel ends it.
    Killed,
}

/// A process that can go and come back.
#[derive(Debug)]
struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    runs_as: Option<(u32, u32)>,
    folder: TempDir,
    child: Option<Child>,
}

impl Server {
    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.folder.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        run_as(&mut command, self.runs_as);
        self.child = Some(command.spawn().expect("the server does not start"));
    }

    /// Sends a signal by its name.
    async fn signal(&self, name: &str) {
        let id = self.child.as_ref().and_then(Child::id).expect("the server runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(sent.success());
    }

    async fn end(&mut self, signal: &str) {
        self.signal(signal).await;
        let mut child = self.child.take().unwrap();
        timeout(END_MAX, child.wait()).await.expect("the server does not end").unwrap();
    }

    /// Starts it until it answers; one that ends at once is started again, since what it left
    /// behind may need a moment to go.
    async fn until(&mut self, answers: impl AsyncFn() -> bool) {
        let up = async {
            let mut look = interval(LOOK_EVERY);
            loop {
                look.tick().await;
                let has_ended = |child: &mut Child| child.try_wait().unwrap().is_some();
                if self.child.as_mut().is_none_or(has_ended) {
                    self.spawn();
                }
                if answers().await {
                    return;
                }
            }
        };
        timeout(START_MAX, up).await.expect("the server does not answer");
    }
}

/// A PostgreSQL that flushes like a real one.
#[derive(Debug)]
pub struct OwnPostgres {
    server: Server,
    port: u16,
}

impl OwnPostgres {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub async fn start() -> Self {
        let programs = program("SEALWIRE_TEST_POSTGRES_PROGRAMS");
        let folder = tempfile::Builder::new().prefix("sealwire-").tempdir().unwrap();
        let runs_as = instead_of_root(folder.path());
        let data = folder.path().join("data").display().to_string();
        let mut command = Command::new(programs.join("initdb"));
        command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        command.args(["--no-sync", "-D", &data]).current_dir(folder.path());
        run_as(&mut command, runs_as);
        let made = command.output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let mut arguments = vec!["-D".to_owned(), data];
        let sockets = format!("unix_socket_directories={}", folder.path().display());
        let port_is = format!("port={port}");
        for setting in [&*port_is, &sockets, "listen_addresses=127.0.0.1", "fsync=on"] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let program = programs.join("postgres");
        let server = Server { program, arguments, runs_as, folder, child: None };
        let mut postgres = Self { server, port };
        postgres.up().await;
        postgres
    }

    /// The address of its database, for its superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same, on the way through another port.
    #[must_use]
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again; it answers when this returns.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn up(&mut self) {
        let url = self.url();
        self.server.until(async || PgConnection::connect(&url).await.is_ok()).await;
    }

    /// Lets it go; nobody answers when this returns.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub async fn down(&mut self, how: Down) {
        let signal = if how == Down::AtOnce { "QUIT" } else { "KILL" };
        self.server.end(signal).await;
        // Orphans of a killed server end by themselves, soon.
        let url = self.url();
        let gone = async {
            let mut look = interval(LOOK_EVERY);
            while PgConnection::connect(&url).await.is_ok() {
                look.tick().await;
            }
        };
        timeout(END_MAX, gone).await.expect("somebody still answers");
    }
}

/// A Redis that keeps nothing.
#[derive(Debug)]
pub struct OwnRedis {
    server: Server,
    port: u16,
}

impl OwnRedis {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub async fn start() -> Self {
        let program = program("SEALWIRE_TEST_REDIS_PROGRAM");
        let folder = tempfile::Builder::new().prefix("sealwire-").tempdir().unwrap();
        let port = free_port();
        let mut arguments: Vec<String> = ["--bind", "127.0.0.1", "--save", "", "--appendonly"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        arguments.extend(["no".to_owned(), "--port".to_owned(), port.to_string()]);
        let server = Server { program, arguments, runs_as: None, folder, child: None };
        let mut redis = Self { server, port };
        redis.up().await;
        redis
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, empty; it answers when this returns.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn up(&mut self) {
        let port = self.port;
        let answers = async || ask(port, "PING").await.is_ok_and(|answer| answer == "+PONG");
        self.server.until(answers).await;
    }

    /// Kills it.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub async fn down(&mut self) {
        self.server.end("KILL").await;
    }

    /// Lets it stand still: connections stay, nothing is answered.
    pub async fn pause(&self) {
        self.server.signal("STOP").await;
    }

    /// Lets it go on.
    pub async fn resume(&self) {
        self.server.signal("CONT").await;
    }

    /// Tells it to do something.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn tell(&self, command: &str) {
        assert_eq!(ask(self.port, command).await.unwrap(), "+OK", "{command}");
    }
}

/// The first line of the answer to an inline command.
async fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}

fn program(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable);
    found.map(PathBuf::from).unwrap_or_else(|| {
        panic!("{variable} names no program; run the tests with `cargo xtask test`")
    })
}

/// PostgreSQL refuses to run as root: an account without rights that the folder is given to.
fn instead_of_root(folder: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let account = ["postgres", "nobody"].into_iter().find_map(of).expect("nobody but root");
    chown(folder, Some(account.0), Some(account.1)).unwrap();
    Some(account)
}

fn run_as(command: &mut Command, account: Option<(u32, u32)>) {
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
}
