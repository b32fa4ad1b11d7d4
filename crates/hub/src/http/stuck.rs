//! Connections whose other end does not read.
//!
//! A client that stops reading is not heard of again: its stream is not asked for more, and the system waits for hours. So
//! a write that does not move for [`WAIT`] is an error, which ends the connection and gives back all that it held.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio_io_timeout::TimeoutWriter;

/// So long a write may not move.
pub const WAIT: Duration = Duration::from_secs(20);

/// A connection with an end to its patience.
pub type Bounded<T> = Pin<Box<TimeoutWriter<T>>>;

/// Puts a bound on how long a write of this connection may not move.
pub fn bound_writes<T: AsyncWrite>(io: T, wait: Duration) -> Bounded<T> {
    let mut io = TimeoutWriter::new(io);
    io.set_timeout(Some(wait));
    Box::pin(io)
}
