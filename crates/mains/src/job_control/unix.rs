//! Job control of the shell: a stop by Ctrl-Z, and going on after `fg`; the end of the terminal.

use std::io::stdin;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{self, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::error::Failure;

/// Time after which a stop that did not take place is given up: the system ignores it where no shell could end it again.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// Keys of a screen that stop its job, and their meaning.
pub(crate) const KEYS: &[(&str, &str)] = &[("Ctrl-Z", "stop; `fg` continues")];

/// Receiver of SIGCONT, from the moment of its creation.
#[derive(Debug)]
pub(crate) struct JobControl {
    continued: Signal,
}

impl JobControl {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let kind = SignalKind::from_raw(signal::Signal::SIGCONT as i32);
        let continued = signal(kind)
            .map_err(|error| Failure::local("signals cannot be listened to").caused_by(&error))?;
        Ok(Self { continued })
    }

    /// Waits until the process goes on after a stop.
    pub(crate) async fn continued(&mut self) {
        self.continued.recv().await;
    }

    /// Stops the job, as Ctrl-Z does outside of raw mode: all processes of it, so that a `sudo` around this one stops, too.
    /// Returns when it goes on.
    pub(crate) async fn stop(&mut self) {
        // Fails for no process: this one is in its own group.
        let _ = kill(Pid::from_raw(0), signal::Signal::SIGTSTP);
        // Another thread may take the signal, a moment later.
        let _ = timeout(STOP_TIMEOUT, self.continued.recv()).await;
    }
}

/// Returns true when the terminal that stdin was is gone. Where hang-ups are ignored no signal tells so.
pub(crate) fn is_terminal_gone() -> bool {
    let stdin = stdin();
    let mut stdin = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let polled = poll(&mut stdin, PollTimeout::ZERO);
    let [stdin] = stdin;
    polled.is_ok()
        && stdin
            .revents()
            .is_some_and(|events| events.intersects(gone))
}
