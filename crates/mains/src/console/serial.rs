//! A device on a serial port.

use std::io::Error;
use std::path::{Path, PathBuf};

use hiflying::Request;
use hiflying::serial::{Console, ConsoleError, OpenError, Opening, SessionConfig};
use zeroize::Zeroizing;

use super::assist::Vocabulary;
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::ui::clean;

/// An open console on a serial port.
#[derive(Debug)]
pub(super) struct SerialLink {
    device: PathBuf,
    console: Console,
}

impl SerialLink {
    /// Opens the port, enters command mode, and says how that went.
    pub(super) async fn open(context: &Context, device: &Path, baud: u32) -> Result<Self, Failure> {
        let console = Console::open(device, baud, SessionConfig::default())
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
                ConsoleError::NoAnswer => silent(device, baud),
                ConsoleError::Lost(source) => lost(device, &source),
            })?;
        if opening == Opening::Line {
            context.ui.status("no answer to the escape `+++`, but lines are answered: this is the plug's own console");
        }
        Ok(link)
    }

    pub(super) fn vocabulary(&self) -> Vocabulary {
        match self.console.opening() {
            Some(Opening::Line) => Vocabulary::Plug,
            _ => Vocabulary::Module,
        }
    }

    pub(super) fn description(&self) -> String {
        let device = self.device.display();
        match self.console.opening() {
            Some(Opening::Line) => format!("the plug's own console on {device}"),
            Some(Opening::AlreadyOpen) => {
                format!("a module on {device}, which was in command mode already")
            }
            Some(Opening::Escaped) | None => format!("a module on {device}, now in command mode"),
        }
    }

    pub(super) async fn send(&mut self, request: &Request) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.console
            .send(request.clone())
            .await
            .map_err(|error| match error {
                ConsoleError::NoAnswer => Failure::new(
                    Kind::NoAnswer,
                    format!("{request} was not answered on {}", self.device.display()),
                ),
                ConsoleError::Lost(source) => lost(&self.device, &source),
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

fn port_failure(error: &OpenError) -> Failure {
    let failure = Failure::local(clean(&error.to_string()));
    match error {
        OpenError::NotFound(_) => {
            failure.hint("plug the adapter in; `ls /dev/tty*` or `dmesg` tells its name")
        }
        OpenError::NoPermission(_) => failure
            .hint("on Debian and its like: `sudo usermod -aG dialout $USER`, then log in again"),
        OpenError::NotSerial(_) => failure.hint("a serial port is a device such as /dev/ttyUSB0"),
        OpenError::Busy(_) => failure.hint("another program, perhaps a modem manager, has it"),
        OpenError::Io { source, .. } => failure.caused_by(source),
    }
}

fn lost(device: &Path, source: &Error) -> Failure {
    Failure::local(format!("the serial port {} was lost", device.display()))
        .caused_by(source)
        .hint("was the adapter pulled out?")
}
