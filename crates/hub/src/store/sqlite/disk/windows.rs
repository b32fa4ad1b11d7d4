//! The file of the database and its disk, as Windows shows them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::windows::fs::FileExt as _;
use std::path::Path;

use same_file::Handle;

/// Reads from a place of a file. Nothing reads it from the place where this leaves its cursor.
pub(super) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = buffer.get_mut(read..).expect("no more is read than fits");
                offset += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes at a place of a file.
pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).expect("no more is written than given");
                offset += written as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Tells whether an open file is the one at this path.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    Ok(Handle::from_file(file.try_clone()?)? == Handle::from_path(path)?)
}

/// Returns false: SQLite extends the index on the disk before it maps it, which fails where there is no room.
pub(super) fn is_full(_: &Path) -> bool {
    false
}
