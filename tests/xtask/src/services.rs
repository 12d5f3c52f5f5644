//! `cargo xtask services`: a private PostgreSQL and Redis, for a command or until Ctrl-C.
//!
//! ```text
//!  SEALWIRE_TEST_POSTGRES   postgres://postgres@127.0.0.1:PORT/postgres   a superuser, no password
//!  SEALWIRE_TEST_REDIS      redis://127.0.0.1:PORT/
//!  SEALWIRE_TEST_POSTGRES_PROGRAMS, SEALWIRE_TEST_REDIS_PROGRAM         for stories that kill their own
//!  SEALWIRE_TEST_STRACE     the path of strace                            `test` on Linux only
//! ```
//!
//! Both listen on loopback only, keep everything in a folder of their own under the temporary
//! folder, and are stopped and swept away on every way out. Nothing survives: no password is
//! asked for, and no data of value belongs there.

use std::process::Command;

use crate::failure::Failure;

/// Who wants the servers, which decides what must be at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum For {
    /// The tests, one of which also traces system calls.
    Tests,
    /// Whatever the caller runs.
    Anything,
}

/// Runs `command` beside the servers, or waits for Ctrl-C if there is none.
pub(crate) fn run(command: &[String]) -> Result<(), Failure> {
    match command.split_first() {
        Some((program, arguments)) => {
            run_beside(Command::new(program).args(arguments), For::Anything)
        }
        None => until_interrupted(),
    }
}

#[cfg(unix)]
pub(crate) use unix::{run_beside, until_interrupted};

#[cfg(not(unix))]
pub(crate) use elsewhere::{run_beside, until_interrupted};

#[cfg(unix)]
mod unix {
    use super::{Command, Failure, For};
    use crate::command::{run as run_command, say};
    use crate::instance::{Postgres, Redis};
    use crate::signals;
    use crate::tools::{self, Tool};

    /// The running servers, and what to tell a command about them.
    struct Services {
        environment: Vec<(&'static str, String)>,
        _postgres: Postgres,
        _redis: Redis,
    }

    /// Starts the servers, runs `command` with their addresses in its environment, stops them.
    pub(crate) fn run_beside(command: &mut Command, purpose: For) -> Result<(), Failure> {
        let services = start(purpose)?;
        signals::raised()?;
        run_command(command.envs(services.environment.iter().map(|(name, url)| (name, url))))
    }

    /// Starts the servers, prints their addresses for a shell, and stops them at a signal.
    pub(crate) fn until_interrupted() -> Result<(), Failure> {
        let services = start(For::Anything)?;
        for (name, url) in &services.environment {
            println!("export {name}={url}");
        }
        say("running until Ctrl-C");
        signals::wait();
        say("stopping");
        Ok(())
    }

    fn start(purpose: For) -> Result<Services, Failure> {
        let mut wanted = vec![Tool::Postgres, Tool::Redis];
        if purpose == For::Tests && cfg!(target_os = "linux") {
            wanted.push(Tool::Strace);
        }
        let found = tools::provide(&wanted)?;

        let (programs, program) = (found.path(Tool::Postgres)?, found.path(Tool::Redis)?);
        let (postgres, redis) = (Postgres::start(programs)?, Redis::start(program)?);
        let mut environment = vec![
            ("SEALWIRE_TEST_POSTGRES", postgres.url()),
            ("SEALWIRE_TEST_REDIS", redis.url()),
            ("SEALWIRE_TEST_POSTGRES_PROGRAMS", programs.display().to_string()),
            ("SEALWIRE_TEST_REDIS_PROGRAM", program.display().to_string()),
        ];
        if let Ok(strace) = found.path(Tool::Strace) {
            environment.push(("SEALWIRE_TEST_STRACE", strace.display().to_string()));
        }
        Ok(Services { environment, _postgres: postgres, _redis: redis })
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use super::{Command, Failure, For};

    const SENTENCE: &str = "PostgreSQL and Redis are started on Linux and macOS only; \
                            run the tests of one crate with `cargo test -p chat-core`";

    pub(crate) fn run_beside(_command: &mut Command, _purpose: For) -> Result<(), Failure> {
        Err(Failure::Missing(SENTENCE.to_owned()))
    }

    pub(crate) fn until_interrupted() -> Result<(), Failure> {
        Err(Failure::Missing(SENTENCE.to_owned()))
    }
}
