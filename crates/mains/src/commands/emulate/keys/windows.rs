//! The modes of the console.

use std::io::{self, IsTerminal};

/// Returns true for a console, which no process in the background is kept from.
pub(super) fn is_ours() -> bool {
    io::stdin().is_terminal()
}

/// Leaves the modes as they are: keys arrive with Enter. The mode without it would make a key of Ctrl-C, too.
pub(super) fn take_single_keys() -> Option<()> {
    Some(())
}
