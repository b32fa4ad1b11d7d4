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
use crate::hints;
use crate::ui::clean;

/// An open console on a serial port.
#[derive(Debug)]
pub struct SerialLink {
    device: PathBuf,
    console: SerialConsole,
}

impl SerialLink {
    /// Opens the port and enters command mode.
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
                SerialConsoleError::NoReply => no_reply(device, baud),
                SerialConsoleError::Lost(source) => lost(device, &source),
            })?;
        if opening == SerialOpening::Line {
            context.ui.status(
                "no reply to the escape `+++`, but to plain lines: this is the plug's own console",
            );
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
                format!("a module on {device}, which was already in command mode")
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
                    format!("no reply to {request} on {}", self.device.display()),
                ),
                SerialConsoleError::Lost(source) => lost(&self.device, &source),
            })
    }

    pub(super) async fn close(self) {
        // A port that cannot be closed is already gone.
        let _ = self.console.close().await;
    }
}

fn no_reply(device: &Path, baud: u32) -> Failure {
    Failure::new(Kind::NoAnswer, format!("no reply on {} at {baud} baud", device.display())).hint(
        "check that RX and TX are crossed, ground is connected, levels are 3.3 V, and port and `--baud` are right",
    )
}

fn port_failure(error: &SerialOpenError) -> Failure {
    let failure = Failure::local(clean(&error.to_string()));
    match error {
        SerialOpenError::NotFound(_) => failure.hint(hints::SERIAL_NOT_FOUND),
        SerialOpenError::NoPermission(_) => failure.hint(hints::SERIAL_NOT_PERMITTED),
        SerialOpenError::NotSerial(_) => failure.hint(hints::SERIAL_EXAMPLE),
        SerialOpenError::Busy(_) => failure.hint(hints::SERIAL_BUSY),
        SerialOpenError::Io { source, .. } => failure.caused_by(source),
    }
}

fn lost(device: &Path, source: &Error) -> Failure {
    Failure::local(format!("the serial port {} was lost", device.display()))
        .caused_by(source)
        .hint("check that the adapter is plugged in")
}
