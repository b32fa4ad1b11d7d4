//! Core files, and standard input without a buffer.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps and foreign access to the memory; to be called before the first key is read. A system that refuses
/// (a strict sandbox) is no reason to stop.
pub(crate) fn shield() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::debug!(%error, "core dumps stay possible");
    }
    // Also closes /proc/<pid>/mem and ptrace to other processes of this user.
    if let Err(error) = prctl::set_dumpable(false) {
        tracing::debug!(%error, "the memory stays readable for this user");
    }
}

/// Returns standard input.
pub(super) fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::getrlimit;

    #[test]
    fn no_core_is_dumped() {
        shield();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert!(!prctl::get_dumpable().unwrap());
    }
}
