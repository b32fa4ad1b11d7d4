//! Requirements of tests that not every machine meets: namespaces, tools, published clients. The rule for all of them stands
//! here: where a need is not met, the test says that it was skipped and why; with `CI=true` that is a failure.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// Says that this test is skipped, and why; with `CI=true` that is a failure.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "the CI must run this: {reason}"
    );
    // Not by `eprintln!`, of which nobody sees anything when a test passes.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Returns a requirement; `None`, and the test is skipped, where it is not met.
#[track_caller]
pub fn met<T>(need: Result<T, String>) -> Option<T> {
    match need {
        Ok(found) => Some(found),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// Moves this test's thread, and all it starts, into a network of its own with nothing but loopback. Returns whether that
/// is allowed.
pub fn own_network() -> bool {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_ok()
        && Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status()
            .is_ok_and(|status| status.success())
}

/// As [`own_network`], or a turn at the one that all share, for as long as it is held.
pub fn network_or_turn() -> Option<File> {
    if own_network() {
        return None;
    }
    let turn = File::create(std::env::temp_dir().join("mains-tests-loopback.lock")).unwrap();
    turn.lock().unwrap();
    Some(turn)
}

/// Requires network namespaces, and tools, each with the Debian package that brings it.
pub fn namespaces(tools: &[(&str, &str)]) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    for (program, package) in tools {
        tool(program, "-V", package)?;
    }
    Ok(())
}

/// Requires that a tool can be started.
pub fn tool(program: &str, argument: &str, package: &str) -> Result<(), String> {
    match Command::new(program).arg(argument).output() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("'{program}' is missing (Debian package {package})")),
    }
}

/// A file of the published clients, which `scripts/test` installs into the folder that `MAINS_TEST_CLIENTS` names.
pub fn client(file: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os("MAINS_TEST_CLIENTS").map(PathBuf::from);
    let path = folder.unwrap_or_default().join(file);
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{file} of the published clients is not installed (scripts/test does it)"
    ))
}

/// The Python of the published clients, where it has this package.
pub fn python(package: &str) -> Result<PathBuf, String> {
    let python = client("bin/python")?;
    let import = Command::new(&python)
        .args(["-W", "ignore", "-c", &format!("import {package}")])
        .output();
    if import.is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    Err(format!(
        "the Python package {package} is not installed (scripts/test does it)"
    ))
}

/// Runs a tool that must succeed.
#[track_caller]
pub fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
