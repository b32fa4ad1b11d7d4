//! A device on a serial port.

use std::io::Error;
use std::path::{Path, PathBuf};

use hiflying::AtRequest;
use hiflying::serial::{
    SerialConfig, SerialConsole, SerialConsoleError, SerialOpenError, SerialOpening,
};
use zeroize::Zeroizing;

use super::assist::Vocabulary;
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::ui::clean;

/// An open console on a serial port.
#[derive(Debug)]
pub(super) struct SerialLink {
    device: PathBuf,
    console: SerialConsole,
}

impl SerialLink {
    /// Opens the port, enters command mode, and says how that went.
    pub(super) async fn open(context: &Context, device: &Path, baud: u32) -> Result<Self, Failure> {
        let console = SerialConsole::open(device, baud, SerialConfig::default())
            .map_err(|error| port_failure(&error))?;
        let mut link = Self {
            device: device.to_owned(),
            console,
        };
        let opening = link
            .console
            .wait_open()
            .await
            .map_err(|error| match error {
                SerialConsoleError::NoReply => silent(device, baud),
                SerialConsoleError::Lost(source) => lost(device, &source),
            })?;
        if opening == SerialOpening::Line {
            context.ui.status("no answer to the escape `+++`, but lines are answered: this is the plug's own console");
        }
        Ok(link)
    }

    pub(super) fn vocabulary(&self) -> Vocabulary {
        match self.console.opening() {
            Some(SerialOpening::Line) => Vocabulary::Plug,
            _ => Vocabulary::Module,
        }
    }

    pub(super) fn description(&self) -> String {
        let device = self.device.display();
        match self.console.opening() {
            Some(SerialOpening::Line) => format!("the plug's own console on {device}"),
            Some(SerialOpening::AlreadyOpen) => {
                format!("a module on {device}, which was in command mode already")
            }
            Some(SerialOpening::Escaped) | None => {
                format!("a module on {device}, now in command mode")
            }
        }
    }

    pub(super) async fn send(
        &mut self,
        request: &AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.console
            .send(request.clone())
            .await
            .map_err(|error| match error {
                SerialConsoleError::NoReply => Failure::new(
                    Kind::NoAnswer,
                    format!("{request} was not answered on {}", self.device.display()),
                ),
                SerialConsoleError::Lost(source) => lost(&self.device, &source),
            })
    }

    pub(super) async fn close(self) {
        // What cannot be left is gone already.
        let _ = self.console.close().await;
    }
}

fn silent(device: &Path, baud: u32) -> Failure {
    Failure::new(Kind::NoAnswer, format!("nothing answers on {} at {baud} baud", device.display())).hint(
        "are RX and TX crossed, ground connected, 3.3 V levels, and is this the right port and `--baud`?",
    )
}

fn port_failure(error: &SerialOpenError) -> Failure {
    let failure = Failure::local(clean(&error.to_string()));
    match error {
        SerialOpenError::NotFound(_) => {
            failure.hint("plug the adapter in; `ls /dev/tty*` or `dmesg` tells its name")
        }
        SerialOpenError::NoPermission(_) => failure
            .hint("on Debian and its like: `sudo usermod -aG dialout $USER`, then log in again"),
        SerialOpenError::NotSerial(_) => {
            failure.hint("a serial port is a device such as /dev/ttyUSB0")
        }
        SerialOpenError::Busy(_) => {
            failure.hint("another program, perhaps a modem manager, has it")
        }
        SerialOpenError::Io { source, .. } => failure.caused_by(source),
    }
}

fn lost(device: &Path, source: &Error) -> Failure {
    Failure::local(format!("the serial port {} was lost", device.display()))
        .caused_by(source)
        .hint("was the adapter pulled out?")
}
