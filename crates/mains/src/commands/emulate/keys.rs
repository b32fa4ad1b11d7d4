//! Keys that are typed in the terminal while twins run.

use std::io::{self, Read};

use tokio::sync::mpsc;

use crate::ui::Terminal;

#[cfg_attr(unix, path = "keys/unix.rs")]
#[cfg_attr(windows, path = "keys/windows.rs")]
mod modes;

use modes::{is_ours, take_single_keys};

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

fn forward(sender: &mpsc::Sender<u8>) {
    let mut key = [0];
    while let Ok(1) = io::stdin().read(&mut key) {
        let [byte] = key;
        if sender.blocking_send(byte).is_err() {
            return;
        }
    }
}
