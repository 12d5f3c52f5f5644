//! Why a verb did not succeed, and the exit status that says so.

use std::io;
use std::process::{ExitCode, ExitStatus};

/// Why a verb did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program is not there, or may not be run.
    #[error("{program} could not be started: {source}")]
    NotStarted { program: String, source: io::Error },
    /// Something this machine lacks; the sentence says what to install.
    #[error("{0}")]
    Missing(String),
    /// A step of ours went wrong; `detail` is what the program said.
    #[error("{what} failed: {detail}")]
    Step { what: String, detail: String },
    /// The file system refused.
    #[error("{what}: {source}")]
    Files { what: String, source: io::Error },
    /// A command that was run for the caller ended badly, and has said why itself.
    #[error("the command ended with {0}")]
    Command(ExitStatus),
    /// Some checks failed; they are listed above.
    #[error("{0} failed")]
    Checks(String),
    /// Somebody pressed Ctrl-C or asked us to end.
    #[error("interrupted")]
    Interrupted { signal: i32 },
}

impl Failure {
    /// Tells whether the command that failed has already printed its own reason.
    pub(crate) fn was_told_already(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// Returns the failed command's own exit status where there is one, 128 + signal after a
    /// signal, as shells do, and 1 otherwise.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Command(status) => ExitCode::from(code_of(*status)),
            Self::Interrupted { signal } => ExitCode::from(after_signal(*signal)),
            _ => ExitCode::FAILURE,
        }
    }

    /// Wraps an error of the file system; `what` names the deed and the path.
    pub(crate) fn files(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Files { what, source }
    }
}

fn code_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return after_signal(signal);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn after_signal(signal: i32) -> u8 {
    u8::try_from(signal.saturating_add(128)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_in_the_shells_exit_status() {
        assert_eq!(after_signal(2), 130);
        assert_eq!(after_signal(15), 143);
        assert_eq!(after_signal(1000), 1);
    }
}
