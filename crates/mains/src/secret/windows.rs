//! Standard input without a buffer.

use std::fs::File;
use std::io;
use std::os::windows::io::AsHandle as _;

/// Does nothing: Windows writes no memory of a program to a file, unless an administrator has set it up.
pub(crate) fn shield() {}

/// Returns standard input.
pub(super) fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_handle().try_clone_to_owned()?.into())
}
