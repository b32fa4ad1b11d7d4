//! Keys that are typed in the terminal while twins run.

use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use nix::sys::termios::{self, LocalFlags, SetArg};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::sync::mpsc;

use crate::ui::Terminal;

/// Typed keys; none ever comes without a terminal.
pub(super) struct TypedKeys {
    typed: mpsc::Receiver<u8>,
    /// Restores the terminal when dropped.
    _terminal: Option<Terminal>,
}

impl TypedKeys {
    /// Begins to listen, if stdin is a terminal and this command has it.
    pub(super) fn listen() -> Self {
        let (sender, typed) = mpsc::channel(16);
        let terminal = is_ours().then(Terminal::keep);
        if terminal.is_some() && take_single_keys().is_some() {
            // A blocking read cannot be given up; the thread ends with the process.
            std::thread::spawn(move || forward(&sender));
        }
        Self {
            typed,
            _terminal: terminal,
        }
    }

    /// Waits for the next key.
    pub(super) async fn next(&mut self) -> u8 {
        match self.typed.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    /// Tells whether there is a terminal to type in.
    pub(super) fn are_heard(&self) -> bool {
        !self.typed.is_closed()
    }
}

/// A command in the background that touched the terminal would be stopped.
fn is_ours() -> bool {
    io::stdin().is_terminal()
        && tcgetpgrp(io::stdin().as_fd()).is_ok_and(|group| group == getpgrp())
}

/// Has keys come one by one and without echo; Ctrl-C is a signal still.
fn take_single_keys() -> Option<()> {
    let stdin = io::stdin();
    let mut modes = termios::tcgetattr(stdin.as_fd()).ok()?;
    modes
        .local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &modes).ok()
}

fn forward(sender: &mpsc::Sender<u8>) {
    let mut key = [0];
    while let Ok(1) = io::stdin().read(&mut key) {
        let [byte] = key;
        if sender.blocking_send(byte).is_err() {
            return;
        }
    }
}
