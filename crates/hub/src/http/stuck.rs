//! Time limit on writes to clients that do not read.
//!
//! A client that stops reading cannot be noticed otherwise: its stream is not polled any more, and the operating system waits for
//! hours. A write without progress for [`WRITE_TIMEOUT`] is therefore an error, which ends the connection and frees its resources.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio_io_timeout::TimeoutWriter;

/// Maximum time for a write to make no progress.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection with a time limit on its writes.
pub type Bounded<T> = Pin<Box<TimeoutWriter<T>>>;

/// Limits the time for which a write to this connection may make no progress.
pub fn bound_writes<T: AsyncWrite>(io: T, wait: Duration) -> Bounded<T> {
    let mut io = TimeoutWriter::new(io);
    io.set_timeout(Some(wait));
    Box::pin(io)
}
