//! Runs a serial [`SerialSession`] on a real port (feature `serial`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use serial2_tokio::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};
use tokio::io::AsyncWrite;
use tokio::time::{timeout, timeout_at};
use zeroize::Zeroizing;

use super::open_error::NOT_SERIAL;
use super::{LEAVE, SerialConfig, SerialEvent, SerialOpening, SerialSession};
use crate::at::AtRequest;

/// Time to write a line. A healthy port takes milliseconds, a stuck one (flow control, a hung adapter) never ends.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Reason why a serial port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SerialOpenError {
    /// The device does not exist: adapter not plugged in, or a wrong name.
    #[error("no serial port {}", .0.display())]
    NotFound(PathBuf),
    /// The user has no access to the port (on Debian: is not in the group `dialout`).
    #[error("no permission to use the serial port {}", .0.display())]
    NoPermission(PathBuf),
    /// The file is not a terminal device.
    #[error("{} is not a serial port", .0.display())]
    NotSerial(PathBuf),
    /// Another program has the port.
    #[error("the serial port {} is in use", .0.display())]
    Busy(PathBuf),
    /// Another error of the system.
    #[error("cannot open the serial port {}", path.display())]
    Io {
        /// The port.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: std::io::Error,
    },
}

impl SerialOpenError {
    fn new(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        if source
            .raw_os_error()
            .is_some_and(|code| NOT_SERIAL.contains(&code))
        {
            return Self::NotSerial(path);
        }
        match source.kind() {
            ErrorKind::NotFound => Self::NotFound(path),
            ErrorKind::PermissionDenied => Self::NoPermission(path),
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => Self::NotSerial(path),
            ErrorKind::ResourceBusy => Self::Busy(path),
            _ => Self::Io { path, source },
        }
    }
}

/// Failure of a command on the serial console.
#[derive(Debug, thiserror::Error)]
pub enum SerialConsoleError {
    /// No device on the line replies: wires, power, speed.
    #[error("no reply on the serial port")]
    NoReply,
    /// The port is gone: adapter unplugged.
    #[error("the serial port was lost")]
    Lost(#[source] std::io::Error),
}

/// An AT console on a serial port.
///
/// [`close`](Self::close) leaves command mode; dropping the console sends `AT+ENTM` as well, but
/// cannot wait for the reply.
#[derive(Debug)]
pub struct SerialConsole {
    port: SerialPort,
    session: SerialSession,
}

impl SerialConsole {
    /// Opens `path` with 8 data bits, no parity, one stop bit, no flow control. An SP-2 runs at
    /// 115200 baud.
    pub fn open(path: &Path, baud: u32, config: SerialConfig) -> Result<Self, SerialOpenError> {
        let port = SerialPort::open(path, |settings| line_settings(settings, baud))
            .map_err(|error| SerialOpenError::new(path, error))?;
        // Best effort: bytes from before the session are of no use.
        let _ = port.discard_input_buffer();
        Ok(Self {
            port,
            session: SerialSession::new(config, Instant::now()),
        })
    }

    /// Returns the state of the device when its console was opened, once it is open.
    pub fn opening(&self) -> Option<SerialOpening> {
        self.session.opening()
    }

    /// Waits until the device accepts commands.
    pub async fn wait_open(&mut self) -> Result<SerialOpening, SerialConsoleError> {
        loop {
            if let Some(opening) = self.session.opening() {
                return Ok(opening);
            }
            match self.step().await? {
                Some(SerialEvent::Opened(opening)) => return Ok(opening),
                Some(SerialEvent::Silent | SerialEvent::Closed) => {
                    return Err(SerialConsoleError::NoReply);
                }
                _ => {}
            }
        }
    }

    /// Sends one command and returns its raw reply.
    pub async fn send(
        &mut self,
        request: AtRequest,
    ) -> Result<Zeroizing<Vec<u8>>, SerialConsoleError> {
        tracing::debug!(%request, "sending");
        let asked = self.session.submit(Instant::now(), request);
        loop {
            match self.step().await? {
                Some(SerialEvent::Reply { id, raw }) if id == asked => return Ok(raw),
                Some(SerialEvent::NoReply { id }) if id == asked => {
                    return Err(SerialConsoleError::NoReply);
                }
                _ => {}
            }
        }
    }

    /// Leaves command mode and waits a moment for the confirmation.
    pub async fn close(mut self) -> Result<(), SerialConsoleError> {
        self.session.close(Instant::now());
        while !self.session.is_closed() {
            self.step().await?;
        }
        self.flush().await
    }

    /// Writes pending bytes and returns an event, or waits for input or the next timeout.
    async fn step(&mut self) -> Result<Option<SerialEvent>, SerialConsoleError> {
        self.flush().await?;
        if let Some(event) = self.session.poll_event() {
            return Ok(Some(event));
        }
        let mut buffer = Zeroizing::new([0; 1024]);
        let read = self.port.read(buffer.as_mut());
        let outcome = match self.session.poll_timeout() {
            Some(at) => timeout_at(at.into(), read).await.ok(),
            None => Some(read.await),
        };
        match outcome {
            None => self.session.handle_timeout(Instant::now()),
            Some(Ok(0)) => return Err(self.lost(ErrorKind::UnexpectedEof.into())),
            Some(Ok(count)) => {
                let (received, _) = buffer.split_at(count);
                self.session.handle_input(Instant::now(), received);
            }
            Some(Err(error)) => return Err(self.lost(error)),
        }
        Ok(None)
    }

    async fn flush(&mut self) -> Result<(), SerialConsoleError> {
        while let Some(bytes) = self.session.poll_transmit() {
            let written = timeout(WRITE_TIMEOUT, self.port.write_all(&bytes)).await;
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.lost(error)),
                Err(_) => return Err(self.lost(ErrorKind::TimedOut.into())),
            }
        }
        Ok(())
    }

    /// Ends the session: on a port that is gone there is no command mode to leave.
    fn lost(&mut self, error: std::io::Error) -> SerialConsoleError {
        self.session.abandon();
        SerialConsoleError::Lost(error)
    }
}

impl Drop for SerialConsole {
    fn drop(&mut self) {
        if self.session.owes_leaving() {
            let mut context = Context::from_waker(Waker::noop());
            // Nine bytes fit into an empty buffer at once, or the port is stuck.
            let _ = Pin::new(&mut self.port).poll_write(&mut context, LEAVE);
        }
    }
}

fn line_settings(mut settings: Settings, baud: u32) -> std::io::Result<Settings> {
    settings.set_raw();
    settings.set_baud_rate(baud)?;
    settings.set_char_size(CharSize::Bits8);
    settings.set_parity(Parity::None);
    settings.set_stop_bits(StopBits::One);
    settings.set_flow_control(FlowControl::None);
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_their_names() {
        let error = |number| {
            SerialOpenError::new(
                Path::new("/dev/ttyUSB0"),
                std::io::Error::from_raw_os_error(number),
            )
        };
        assert!(matches!(error(2), SerialOpenError::NotFound(_)));
        assert!(matches!(error(13), SerialOpenError::NoPermission(_)));
        assert!(matches!(error(16), SerialOpenError::Busy(_)));
        assert!(matches!(error(25), SerialOpenError::NotSerial(_)));
        assert!(matches!(error(5), SerialOpenError::Io { .. }));
        assert_eq!(
            error(13).to_string(),
            "no permission to use the serial port /dev/ttyUSB0"
        );
    }
}
