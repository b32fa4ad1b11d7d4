//! Reading keys from a file or standard input, and keeping them out of core dumps and out of reach of other processes of
//! the same user.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::hints;
use crate::ui::Ui;

#[cfg_attr(unix, path = "secret/unix.rs")]
#[cfg_attr(windows, path = "secret/windows.rs")]
mod memory;

pub(crate) use memory::shield;

/// Reads a secret of at most `max_length` bytes from a file, without the one line end that editors add; `what` names it in
/// messages. A longer one comes back with some excess bytes, so that the caller notices, but never as a whole. Ctrl-C and
/// `--timeout` hold meanwhile.
pub(crate) async fn from_file(
    ui: &Ui,
    file: &Path,
    what: &str,
    max_length: usize,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (file, name) = (file.to_owned(), what.to_owned());
    let (bytes, is_open) = aside(move || read_file(&file, &name, max_length)).await?;
    if is_open {
        ui.warn(format_args!(
            "{what} can be read by everybody on this computer; {}",
            hints::CLOSE_FILE
        ));
    }
    Ok(bytes)
}

/// Reads as [`from_file`] from standard input to its end. Not through the standard library's own buffer, which is never
/// wiped.
pub(crate) async fn from_stdin(
    what: &'static str,
    max_length: usize,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    aside(move || {
        let mut stdin = memory::stdin()
            .map_err(|error| Failure::usage(format!("{what} cannot be read")).caused_by(&error))?;
        from_reader(&mut stdin, what, max_length)
    })
    .await
}

/// Reads on a thread of its own: a pipe or a terminal may block for ever. The thread ends with the process.
pub(crate) async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(Failure::failed("nothing can be read").caused_by(&error)))
}

/// Reads the secret; true when everybody can read the file.
pub(crate) fn read_file(
    file: &Path,
    what: &str,
    max_length: usize,
) -> Result<(Zeroizing<Vec<u8>>, bool), Failure> {
    let unreadable =
        |error: io::Error| Failure::usage(format!("{what} cannot be read")).caused_by(&error);
    let mut stream = File::open(file).map_err(unreadable)?;
    let metadata = stream.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::usage(format!("{what} is a directory")));
    }
    let bytes = from_reader(&mut stream, what, max_length)?;
    Ok((bytes, statefile::is_open_to_all(&metadata)))
}

/// Reads as [`from_file`] from any stream.
pub(crate) fn from_reader(
    stream: &mut dyn io::Read,
    what: &str,
    max_length: usize,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // One byte more reveals an excess, two more are a line end. Of full size from the start: a buffer that grows
    // leaves copies behind.
    let limit = max_length.saturating_add(3);
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    stream
        .take(u64::try_from(limit).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("{what} cannot be read")).caused_by(&error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_asked_for() {
        let read = |mut text: &[u8]| from_reader(&mut text, "it", 4).unwrap().to_vec();
        assert_eq!(read(b"1234\r\n"), b"1234");
        assert_eq!(read(b"1234\n\n"), b"1234\n");
        assert_eq!(read(&[b'x'; 5000]).len(), 7);
    }
}
