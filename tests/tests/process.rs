//! The relay as its own program, so that a story can kill it, trace it and start it again.
//!
//! [`RelayProcess::kill`] is SIGKILL, and dropping one is too; [`RelayProcess::leave`] is SIGTERM.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chat_tests::ports::free_port;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::people::within;

/// Built by cargo beside these tests, from the relay's own `main.rs`.
const PROGRAM: &str = env!("CARGO_BIN_EXE_relay-under-test");

/// How a relay is started, again and again.
pub(crate) struct RelayProgram {
    /// What runs in its place, with the relay as its last arguments; nothing by default.
    pub(crate) wrapper: Vec<OsString>,
    /// Where it dies or its store fails, as `failpoint.rs` of the relay reads it; nowhere by default.
    pub(crate) fail: Option<String>,
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
        flag("--return-within-seconds", "1".into());
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
        Self { wrapper: Vec::new(), fail: None, arguments, port }
    }

    /// The same, on another database.
    pub(crate) fn database(mut self, url: &str) -> Self {
        self.arguments.extend(["--database".into(), url.into()]);
        self
    }

    /// The same, with another setting.
    pub(crate) fn with(mut self, flag: &str, value: &str) -> Self {
        self.arguments.extend([flag.into(), value.into()]);
        self
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it; it takes connections when this returns, unless it was told to die, and has:
    /// clients that were waiting for it can be quicker than its first line.
    pub(crate) async fn start(&self) -> RelayProcess {
        let mut words = self.wrapper.clone();
        words.push(PROGRAM.into());
        words.extend(self.arguments.iter().cloned());
        let (program, arguments) = words.split_first().unwrap();
        let started = Instant::now();
        let mut command = Command::new(program);
        if let Some(fail) = &self.fail {
            command.env("SEALWIRE_FAIL", fail);
        }
        let mut child = command
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
            let is_to_die = self.fail.as_ref().is_some_and(|fail| fail.ends_with(":die"));
            assert!(is_to_die, "the relay ended before it listened");
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

    /// Its number.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// How much memory it has, as the kernel counts it.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Tells it to leave by SIGTERM, and returns how long it took when it is gone.
    pub(crate) async fn leave(mut self) -> Duration {
        let began = Instant::now();
        let process = self.child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status().await.unwrap();
        assert!(told.success());
        assert!(within(self.child.wait()).await.unwrap().success());
        began.elapsed()
    }
}
