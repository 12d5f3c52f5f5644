//! The relay as its own program, so that a story can kill it, trace it and start it again.
//!
//! Absent: draining. [`RelayProcess::kill`] is SIGKILL, and dropping one is too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::people::within;

/// Built by cargo beside these tests, from the relay's own `main.rs`.
const PROGRAM: &str = env!("CARGO_BIN_EXE_relay-under-test");
/// Below the ports that the system hands out by itself: nobody takes one while a relay is away.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// How a relay is started, again and again.
pub(crate) struct RelayProgram {
    /// What runs in its place, with the relay as its last arguments; nothing by default.
    pub(crate) wrapper: Vec<OsString>,
    arguments: Vec<OsString>,
    port: u16,
}

impl RelayProgram {
    /// On SQLite in `folder`, without limits that a story notices.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let port = free_port();
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        let mut flag = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        flag("--listen", format!("127.0.0.1:{port}").into());
        flag("--data", folder.into());
        for limit in [
            "--connections-a-minute",
            "--messages-a-minute",
            "--logins-a-quarter-hour",
            "--registrations-in-3-minutes",
            "--fetches-a-minute",
            "--requests-a-quarter-hour",
        ] {
            flag(limit, "10000000".into());
        }
        Self { wrapper: Vec::new(), arguments, port }
    }

    /// The same, on another database.
    pub(crate) fn database(mut self, url: &str) -> Self {
        self.arguments.extend(["--database".into(), url.into()]);
        self
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it; it takes connections when this returns.
    pub(crate) async fn start(&self) -> RelayProcess {
        let mut words = self.wrapper.clone();
        words.push(PROGRAM.into());
        words.extend(self.arguments.iter().cloned());
        let (program, arguments) = words.split_first().unwrap();
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .env("SEALWIRE_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the relay does not start");
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        within(async {
            while let Some(line) = output.next_line().await.unwrap() {
                if line.contains("listens on") {
                    return;
                }
            }
            panic!("the relay ended before it listened");
        })
        .await;
        RelayProcess { child, _output: output, ready_after: started.elapsed() }
    }
}

/// A relay that runs.
pub(crate) struct RelayProcess {
    child: Child,
    /// Kept open: a relay that cannot print its farewell would panic.
    _output: Lines<BufReader<ChildStdout>>,
    /// How long it took until it listened.
    pub(crate) ready_after: Duration,
}

impl RelayProcess {
    /// Ends it by SIGKILL, and returns when it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn free_port() -> u16 {
    let span = u32::from(PORTS.end - PORTS.start);
    let random: u32 = rand::random();
    (0..span)
        .map(|step| PORTS.start + u16::try_from((random % span + step) % span).unwrap())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port")
}
