//! Drives the [`Protocol`] over a stream.

use std::io;
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};

use crate::protocol::packet::{BrokerLimits, Filter, MqttLogin, MqttVersion};
use crate::protocol::{Protocol, ProtocolError, ProtocolEvent};

/// A stream to a broker, with TLS or without.
pub(crate) trait BrokerStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> BrokerStream for T {}

/// The end of a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The broker closed the connection without a word.
    #[error("the broker closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The protocol ended it.
    #[error("{0:?}")]
    Protocol(ProtocolError),
}

impl From<ProtocolError> for SessionError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

/// A session with a broker, which lasts as long as its connection.
pub(crate) struct Session {
    protocol: Protocol,
    reader: ReadHalf<Box<dyn BrokerStream>>,
    writer: WriteHalf<Box<dyn BrokerStream>>,
    input: BytesMut,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the broker does not accept.
    pub(crate) async fn login(
        stream: Box<dyn BrokerStream>,
        version: MqttVersion,
        login: &MqttLogin,
    ) -> Result<Self, SessionError> {
        let (reader, writer) = tokio::io::split(stream);
        let mut session = Self {
            protocol: Protocol::new(version, login, now())?,
            reader,
            writer,
            input: BytesMut::new(),
        };
        // The first event is the reply; the protocol accepts nothing before it.
        session.next().await?;
        Ok(session)
    }

    /// Returns the limits of the broker.
    pub(crate) fn limits(&self) -> Option<&BrokerLimits> {
        self.protocol.limits()
    }

    /// Returns true if a message can be published now.
    pub(crate) fn can_publish(&self) -> bool {
        self.protocol.can_publish()
    }

    /// Publishes a message; [`Session::next`] sends it. Returns the identifier of its acknowledgement; `None` if it does not fit
    /// into a packet of this broker.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> Option<u16> {
        self.protocol.publish(topic, payload, retain, now())
    }

    /// Subscribes; [`Session::next`] sends it. Returns the identifier of the reply.
    pub(crate) fn subscribe(&mut self, filters: &[Filter]) -> Result<u16, SessionError> {
        Ok(self.protocol.subscribe(filters, now())?)
    }

    /// Sends what is ready and returns the next event. Loses nothing when it is cancelled.
    ///
    /// # Errors
    ///
    /// [`SessionError`] at the end of the connection.
    pub(crate) async fn next(&mut self) -> Result<ProtocolEvent, SessionError> {
        loop {
            if let Some(event) = self.protocol.poll_event() {
                return Ok(event);
            }
            let due = self
                .protocol
                .poll_timeout()
                .map(tokio::time::Instant::from_std);
            let output = self.protocol.output();
            let has_output = !output.is_empty();
            tokio::select! {
                read = self.reader.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Err(SessionError::Closed);
                    }
                    self.protocol.handle_input(&mut self.input, now())?;
                }
                written = self.writer.write_buf(output), if has_output => {
                    if written? == 0 {
                        return Err(SessionError::Closed);
                    }
                    self.writer.flush().await?;
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(far)), if due.is_some() => {
                    self.protocol.handle_timeout(now())?;
                }
            }
        }
    }

    /// Ends the session in order.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.protocol.disconnect(now());
        self.writer.write_all_buf(self.protocol.output()).await?;
        self.writer.shutdown().await
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(3_600)
}
