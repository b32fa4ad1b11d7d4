//! Keeps keys where they belong: out of core dumps, and out of reach of other processes of the same user.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// To be called before the first key is read. A system that refuses (a strict sandbox) is no reason not to go on.
pub(super) fn shield() {
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::debug!(%error, "core dumps stay possible");
    }
    // Also closes /proc/<pid>/mem and ptrace to other processes of this user.
    if let Err(error) = prctl::set_dumpable(false) {
        tracing::debug!(%error, "the memory stays readable for this user");
    }
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
