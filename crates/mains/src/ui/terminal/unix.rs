//! The modes and abilities of the terminal.

use std::io;
use std::os::fd::AsFd;

use nix::sys::termios::{self, SetArg, Termios};

/// Restores the terminal's modes when dropped: a hidden question that is given up would leave it without echo.
#[derive(Debug)]
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// Records the modes of the terminal on stdin, if it is one.
    pub fn keep() -> Self {
        Self(termios::tcgetattr(io::stdin().as_fd()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(modes) = &self.0 {
            let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, modes);
        }
    }
}

/// Returns true for a terminal on which nothing can be placed.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}
