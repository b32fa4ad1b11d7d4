//! Tells the program its version, and asks the linker to pack its relocations where the C library can read them.
//!
//! A position-independent program with many tables of functions has tens of thousands of relocations. Packed they are a twelfth of
//! the size, which is read at every start.

use std::env;
use std::process::Command;

/// The first version of glibc that reads packed relocations.
const MIN_GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=MAINS_VERSION={}", version());
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

/// Returns the version, with the commit that the program is built of where that is known: `0.1.0 (5b1c9e2f7a40)`.
///
/// `MAINS_COMMIT` names it. Otherwise only a release build asks git, because every commit would build the program anew.
fn version() -> String {
    println!("cargo::rerun-if-env-changed=MAINS_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let named = env::var("MAINS_COMMIT")
        .ok()
        .filter(|name| !name.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    match named.or_else(|| is_release.then(commit).flatten()) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    }
}

/// Returns the commit of the working tree that this package is part of.
fn commit() -> Option<String> {
    // A copy of the sources in the repository of something else has no commit of its own.
    if git(&["rev-parse", "--show-prefix"])? != "crates/mains/" {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        commit
    } else {
        format!("{commit}, modified")
    })
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
