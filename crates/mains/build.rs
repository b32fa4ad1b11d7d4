//! Asks the linker to pack the relocations of the program, where the C library can read them.
//!
//! A position-independent program with many tables of functions has tens of thousands of relocations. Packed they are a twelfth of
//! the size, which is read at every start.

use std::env;
use std::process::Command;

/// The first version of glibc that reads packed relocations.
const MIN_GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name, value: &str| env::var(name).is_ok_and(|text| text == value);
    let is_native = env::var("TARGET").is_ok_and(|target| is("HOST", &target));
    let is_glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if is_native && is_glibc && glibc().is_some_and(|version| version >= MIN_GLIBC) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Returns the version of this computer's C library: the program runs where it was built, or on a newer system.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
