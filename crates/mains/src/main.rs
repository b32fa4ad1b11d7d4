//! The `mains` command.
fn main() {}
