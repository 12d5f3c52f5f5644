//! A private PostgreSQL that flushes like a real one.
//!
//! `fsync` and `synchronous_commit` stay on: tests and figures are about what is durable. Every
//! local user may connect as superuser, which is why nothing of value belongs here.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::account::Account;
use super::{Kind, Server, folder, tied_to_us};
use crate::command::run_quietly;
use crate::failure::Failure;

const KIND: Kind = Kind {
    name: "PostgreSQL",
    // SIGINT disconnects the clients and shuts down cleanly, SIGQUIT leaves at once.
    farewells: &[Signal::INT, Signal::QUIT],
    // StartupMessage: length, protocol 3.0, parameters (PostgreSQL manual, "Message Formats").
    question: b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0",
    // AuthenticationOk. A server that is still starting answers with an error, `E`.
    answer: b"R\0\0\0\x08\0\0\0\0",
};

/// What is set on the command line, so that no file of the machine can say otherwise.
const SETTINGS: [&str; 4] =
    ["listen_addresses=127.0.0.1", "fsync=on", "synchronous_commit=on", "max_connections=300"];

/// A running PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres(Server);

impl Postgres {
    /// Makes a cluster and starts it with the programs in the folder `programs`.
    pub(crate) fn start(programs: &Path) -> Result<Self, Failure> {
        let folder = folder()?;
        let account = Account::instead_of_root()?;
        if let Some(account) = &account {
            account.take_over(folder.path())?;
        }
        initialise(programs, folder.path(), account.as_ref())?;
        let server = Server::start(&KIND, folder, |folder, address| {
            let mut command = tied_to_us(&programs.join("postgres"), "INT");
            command.arg("-D").arg(folder.join("data"));
            command.arg("-c").arg(format!("port={}", address.port()));
            command.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
            command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
            if let Some(account) = &account {
                account.run_as(&mut command);
            }
            command
        })?;
        Ok(Self(server))
    }

    /// Returns the address of the database `postgres` for its superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.0.address)
    }
}

fn initialise(programs: &Path, folder: &Path, account: Option<&Account>) -> Result<(), Failure> {
    let mut command = Command::new(programs.join("initdb"));
    command.current_dir(folder).arg("-D").arg(folder.join("data"));
    command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    // The empty cluster need not survive a crash; what is written to it later is flushed.
    command.arg("--no-sync");
    if let Some(account) = account {
        account.run_as(&mut command);
    }
    run_quietly("initdb", &mut command).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_states_its_own_length() {
        let length = u32::from_be_bytes(KIND.question[..4].try_into().unwrap());

        assert_eq!(length as usize, KIND.question.len());
    }
}
