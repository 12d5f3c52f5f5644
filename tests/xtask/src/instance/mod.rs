//! A server of our own for as long as a value lives.
//!
//! ```text
//!  start ──▶ a free port ──▶ spawn ──▶ ready? ──▶ the value
//!                ▲                       │ no, it ended at once
//!                └───────────────────────┘ at most 3 times
//!  drop  ──▶ polite signal ──▶ harsher signal ──▶ SIGKILL ──▶ the folder goes
//! ```
//!
//! Each server sits in a process group of its own, so that Ctrl-C at a terminal reaches us and
//! not it, and the command that uses it ends first. Where `setpriv` can, the kernel ends the
//! server if we are killed outright.

mod account;
mod postgres;
mod redis;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::command::{not_started, say, seconds, succeeds, tail};
use crate::failure::Failure;
use crate::signals;

pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;

/// How often a server is started anew because its port was taken after all.
const ATTEMPTS_MAX: u32 = 3;
/// How long a server may take until it answers; a cold disk is slow.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to end after each signal.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What distinguishes one kind of server from another.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// What to send to end it, the gentlest first.
    farewells: &'static [Signal],
    /// Sent on a fresh connection; a server that is ready answers with `answer`.
    question: &'static [u8],
    answer: &'static [u8],
}

/// A running server; dropping it stops the server and removes its folder.
#[derive(Debug)]
struct Server {
    kind: &'static Kind,
    address: SocketAddrV4,
    child: Child,
    /// Dropped, and with that removed, after the server was stopped.
    _folder: TempDir,
}

impl Server {
    /// Starts what `command` prepares for a folder and an address, and waits until it answers.
    fn start(
        kind: &'static Kind,
        folder: TempDir,
        command: impl Fn(&Path, SocketAddrV4) -> Command,
    ) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let address = free_address()?;
            let mut child = spawn(&mut command(folder.path(), address), folder.path())?;
            match until_ready(kind, &mut child, address) {
                Ok(()) => {
                    let elapsed = seconds(started.elapsed());
                    say(&format!("{} answers on {address} after {elapsed}", kind.name));
                    return Ok(Self { kind, address, child, _folder: folder });
                }
                Err(Unready::Ended) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(unready) => {
                    stop(&mut child, kind.farewells);
                    signals::raised()?;
                    return Err(unready.explain(kind, folder.path()));
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let started = Instant::now();
        stop(&mut self.child, self.kind.farewells);
        say(&format!("{} stopped after {}", self.kind.name, seconds(started.elapsed())));
    }
}

/// Why a server does not answer.
enum Unready {
    Ended,
    Silent,
    Interrupted,
}

impl Unready {
    fn explain(&self, kind: &Kind, folder: &Path) -> Failure {
        let said = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let why = match self {
            Self::Ended => "it ended by itself",
            Self::Silent => "it does not answer",
            Self::Interrupted => "it was interrupted",
        };
        Failure::Step {
            what: format!("starting {}", kind.name),
            detail: format!("{why}; it said:{}", tail(&said)),
        }
    }
}

/// Makes the temporary folder of a server.
fn folder() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix("sealwire-").tempdir();
    made.map_err(Failure::files("cannot make a temporary folder"))
}

/// Finds a port on loopback that was free a moment ago; somebody may take it before the server
/// does, hence the attempts.
fn free_address() -> Result<SocketAddrV4, Failure> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let port = port.map_err(Failure::files("cannot find a free port on 127.0.0.1"))?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

fn spawn(command: &mut Command, folder: &Path) -> Result<Child, Failure> {
    let log = File::create(folder.join("log"))
        .and_then(|log| Ok((log.try_clone()?, log)))
        .map_err(Failure::files("cannot write the server's log"))?;
    command.current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
    command.spawn().map_err(|source| not_started(command, source))
}

/// Prepares `program` so that it gets `signal` when this thread ends, however that comes about.
///
/// Without a `setpriv` that knows how, the program runs as it is; then only SIGKILL orphans it.
fn tied_to_us(program: &Path, signal: &str) -> Command {
    if succeeds(Command::new("setpriv").args(["--pdeathsig", signal, "true"])) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal, "--"]).arg(program);
        return command;
    }
    Command::new(program)
}

fn until_ready(kind: &Kind, child: &mut Child, address: SocketAddrV4) -> Result<(), Unready> {
    let started = Instant::now();
    while started.elapsed() < READY_TIMEOUT {
        signals::raised().map_err(|_signal| Unready::Interrupted)?;
        if has_ended(child) {
            return Err(Unready::Ended);
        }
        if answers(kind, address) {
            return Ok(());
        }
        thread::sleep(POLL_INTERVAL);
    }
    Err(Unready::Silent)
}

/// Tells whether a fresh connection gets the answer of a server that is ready.
fn answers(kind: &Kind, address: SocketAddrV4) -> bool {
    let ask = || {
        let mut connection = TcpStream::connect_timeout(&address.into(), PROBE_TIMEOUT)?;
        connection.set_read_timeout(Some(PROBE_TIMEOUT))?;
        connection.write_all(kind.question)?;
        let mut answer = vec![0; kind.answer.len()];
        connection.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer == kind.answer)
}

/// Ends `child` with the gentlest signal that does, and collects it.
fn stop(child: &mut Child, farewells: &[Signal]) {
    let pid = Pid::from_child(child);
    for farewell in farewells {
        // INVARIANT: the child was not collected yet, so the number is still its own.
        if has_ended(child) || kill_process(pid, *farewell).is_err() {
            break;
        }
        let sent = Instant::now();
        while sent.elapsed() < STOP_TIMEOUT && !has_ended(child) {
            thread::sleep(POLL_INTERVAL);
        }
    }
    if !has_ended(child) {
        // An error means that it ended in this very moment.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn has_ended(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEEPER: Kind =
        Kind { name: "sleeper", farewells: &[Signal::TERM], question: b"?", answer: b"!" };

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_stopped_child_is_collected() {
        let mut child = sleeper();

        stop(&mut child, &[Signal::TERM]);

        assert!(child.try_wait().unwrap().is_some());
    }

    #[test]
    fn a_server_that_ends_is_noticed_at_once() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();

        let ready = until_ready(&SLEEPER, &mut child, free_address().unwrap());

        assert!(matches!(ready, Err(Unready::Ended)));
    }

    #[test]
    fn the_wrong_answer_is_no_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
        let server = thread::spawn(move || {
            for answer in [b"-", b"!"] {
                listener.accept().unwrap().0.write_all(answer).unwrap();
            }
        });

        assert!(!answers(&SLEEPER, address));
        assert!(answers(&SLEEPER, address));
        server.join().unwrap();
    }
}
