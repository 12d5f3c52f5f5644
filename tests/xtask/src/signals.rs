//! Ctrl-C and its kin: noticed, passed on, and never the end of us before we have cleaned up.
//!
//! ```text
//!  SIGINT, SIGTERM, SIGHUP ──▶ a thread remembers the first ──▶ passes it on to the running command
//!                                                          └──▶ wakes whoever waits for it
//! ```
//!
//! The main thread ends when the command ends, or at the next look at [`raised`]; so every guard
//! is dropped and every server stopped. Elsewhere than on Unix signals keep their default meaning.

use std::process::Child;

use crate::failure::Failure;

/// Forgets the command again when dropped.
#[derive(Debug)]
#[must_use = "signals are passed on only while this lives"]
pub(crate) struct PassingOn(());

#[cfg(unix)]
pub(crate) use unix::{listen, pass_on_to, raised, wait};

#[cfg(not(unix))]
pub(crate) use elsewhere::{listen, pass_on_to, raised};

#[cfg(unix)]
mod unix {
    use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
    use std::thread;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::{Child, Failure, PassingOn};

    static STATE: Mutex<State> = Mutex::new(State { first: None, command: None });
    static CHANGED: Condvar = Condvar::new();

    struct State {
        first: Option<i32>,
        command: Option<Pid>,
    }

    /// Starts listening; from here on signals end nothing by themselves.
    pub(crate) fn listen() -> Result<(), Failure> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(Failure::files("cannot listen for signals"))?;
        thread::spawn(move || {
            for signal in &mut signals {
                let mut state = state();
                state.first.get_or_insert(signal);
                if let Some(command) = state.command {
                    send(command, signal);
                }
                CHANGED.notify_all();
            }
        });
        Ok(())
    }

    /// Fails once a signal has come.
    pub(crate) fn raised() -> Result<(), Failure> {
        state().first.map_or(Ok(()), |signal| Err(Failure::Interrupted { signal }))
    }

    /// Blocks until a signal comes and returns it.
    pub(crate) fn wait() -> i32 {
        let mut state = state();
        loop {
            if let Some(signal) = state.first {
                return signal;
            }
            state = CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Passes signals on to `command`, those too that came before, until the guard is dropped.
    ///
    /// A terminal sends Ctrl-C to the whole foreground group, so the command may hear it twice,
    /// which harms nothing; a `kill` of us alone it hears only from here.
    pub(crate) fn pass_on_to(command: &Child) -> PassingOn {
        let pid = Pid::from_child(command);
        let mut state = state();
        state.command = Some(pid);
        if let Some(signal) = state.first {
            send(pid, signal);
        }
        PassingOn(())
    }

    impl Drop for PassingOn {
        fn drop(&mut self) {
            state().command = None;
        }
    }

    fn state() -> MutexGuard<'static, State> {
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(command: Pid, signal: i32) {
        let signal = match signal {
            SIGINT => Signal::INT,
            SIGHUP => Signal::HUP,
            _ => Signal::TERM,
        };
        // An error means that the command has just ended, which is what the signal asks for.
        let _ = kill_process(command, signal);
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use super::{Child, Failure, PassingOn};

    pub(crate) fn listen() -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn raised() -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn pass_on_to(_command: &Child) -> PassingOn {
        PassingOn(())
    }
}
