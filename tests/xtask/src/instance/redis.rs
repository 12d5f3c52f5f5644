//! A private Redis that keeps nothing: it is a fast path here, never the truth.

use std::path::Path;

use rustix::process::Signal;

use super::{Kind, Server, folder, tied_to_us};
use crate::failure::Failure;

const KIND: Kind =
    Kind { name: "Redis", farewells: &[Signal::TERM], question: b"PING\r\n", answer: b"+PONG\r\n" };

/// A running Redis.
#[derive(Debug)]
pub(crate) struct Redis(Server);

impl Redis {
    /// Starts `program`, without snapshots, log or configuration file.
    pub(crate) fn start(program: &Path) -> Result<Self, Failure> {
        let server = Server::start(&KIND, folder()?, |folder, address| {
            let mut command = tied_to_us(program, "TERM");
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.arg("--port").arg(address.port().to_string());
            command.arg("--dir").arg(folder);
            command
        })?;
        Ok(Self(server))
    }

    /// Returns the address.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.0.address)
    }
}
