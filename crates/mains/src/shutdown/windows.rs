//! Ctrl-C, Ctrl-Break, the closing of the window, the end of the session, and a stop of the service.

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
    ctrl_logoff, ctrl_shutdown,
};

use crate::error::Failure;
use crate::service_manager;

/// Receiver of the events that end a process, from the moment of its creation. After the closing of the window Windows gives a process
/// five seconds.
#[derive(Debug)]
pub struct Signals {
    interrupt: CtrlC,
    interrupt_by_break: CtrlBreak,
    close: CtrlClose,
    log_off: CtrlLogoff,
    shut_down: CtrlShutdown,
}

impl Signals {
    /// Begins to listen; from now on these events do not end the process by themselves.
    pub fn listen() -> Result<Self, Failure> {
        let failure = |error| Failure::local("signals cannot be listened to").caused_by(&error);
        Ok(Self {
            interrupt: ctrl_c().map_err(failure)?,
            interrupt_by_break: ctrl_break().map_err(failure)?,
            close: ctrl_close().map_err(failure)?,
            log_off: ctrl_logoff().map_err(failure)?,
            shut_down: ctrl_shutdown().map_err(failure)?,
        })
    }

    /// Begins to listen.
    pub fn listen_to_all() -> Result<Self, Failure> {
        Self::listen()
    }

    /// Waits for the first of them, and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.interrupt_by_break.recv() => "Ctrl-Break",
            _ = self.close.recv() => "the closing of the window",
            // A service goes on when a user leaves.
            _ = self.log_off.recv(), if !service_manager::is_service() => "the end of the session",
            _ = self.shut_down.recv() => "the shutdown of Windows",
            () = service_manager::stop_requested() => "the service manager",
        }
    }
}
