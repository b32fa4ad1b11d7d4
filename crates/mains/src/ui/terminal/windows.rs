//! The modes and abilities of the console.

use crossterm::terminal::disable_raw_mode;

/// Restores the console's modes when dropped: a hidden question that is given up would leave it without echo.
#[derive(Debug)]
pub struct Terminal;

impl Terminal {
    /// Takes the usual modes for those that the console has.
    pub fn keep() -> Self {
        Self
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails where standard input is no console, whose modes nobody has changed.
        let _ = disable_raw_mode();
    }
}

/// Returns true for a console on which nothing can be placed, if the user says so.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
