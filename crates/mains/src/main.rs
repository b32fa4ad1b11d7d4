//! The `mains` command: everything lives in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    mains::run(std::env::args_os())
}
