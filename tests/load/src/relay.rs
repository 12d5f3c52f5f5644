//! The relay that is measured: started as a process of its own, or somebody else's.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::Outcome;

/// More than any load reaches.
const NO_LIMIT: &str = "10000000";

/// A relay.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it is.
    pub(crate) url: String,
    own: Option<Own>,
}

/// What belongs to a relay that was started here, and goes with it.
#[derive(Debug)]
struct Own {
    process: Child,
    _output: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

impl Relay {
    /// One that runs already.
    pub(crate) fn elsewhere(url: String) -> Self {
        Self { url, own: None }
    }

    /// Builds the relay for release and starts it on a port of its own.
    pub(crate) async fn start(database: Option<&str>) -> Outcome<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--release",
            "--locked",
            "-p",
            "relay-server",
            "--bin",
            "relay-server",
        ]);
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        if !build.status().await?.success() {
            return Err("the relay does not build".into());
        }
        let program = std::env::current_exe()?.with_file_name("relay-server");
        let folder = TempDir::new()?;
        let mut serve = Command::new(program);
        serve.arg("serve").args(["--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        for limit in [
            "--messages-a-minute",
            "--typing-a-minute",
            "--connections-a-minute",
            "--logins-a-quarter-hour",
            "--registrations-in-3-minutes",
            "--fetches-a-minute",
            "--requests-a-quarter-hour",
            "--connections",
            "--connections-an-account",
            "--unauthenticated-an-address",
        ] {
            serve.args([limit, NO_LIMIT]);
        }
        if let Some(url) = database {
            serve.args(["--database", url]);
        }
        let mut process = serve
            .env("SEALWIRE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the relay has no output")?;
        let mut output = BufReader::new(output).lines();
        while let Some(line) = output.next_line().await? {
            if let Some(url) = line.trim().strip_prefix("clients use ") {
                let url = url.trim().to_owned();
                let own = Own { process, _output: output, _folder: folder };
                return Ok(Self { url, own: Some(own) });
            }
        }
        Err("the relay ended before it listened".into())
    }

    /// The memory it has in use, in KiB, where it is ours and the system tells.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let process = self.own.as_ref()?.process.id()?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
