//! The modes of the terminal.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use nix::sys::termios::{self, LocalFlags, SetArg};
use nix::unistd::{getpgrp, tcgetpgrp};

/// A command in the background that touched the terminal would be stopped.
pub(super) fn is_ours() -> bool {
    io::stdin().is_terminal()
        && tcgetpgrp(io::stdin().as_fd()).is_ok_and(|group| group == getpgrp())
}

/// Has keys come one by one and without echo; Ctrl-C is a signal still.
pub(super) fn take_single_keys() -> Option<()> {
    let stdin = io::stdin();
    let mut modes = termios::tcgetattr(stdin.as_fd()).ok()?;
    modes
        .local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &modes).ok()
}
