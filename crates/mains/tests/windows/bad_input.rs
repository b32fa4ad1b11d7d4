//! Odd paths, consoles and names of a computer with Windows.

use std::path::Path;

use crate::bench::{StartedProgram, WindowsBench, on_windows, run};
use crate::needs;

#[test]
fn a_console_of_code_page_437_gets_the_same_bytes() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    bench.json(&["name", &address, "K\u{fc}che"]).ends_with(0);
    let program = bench.program();
    let mut command = bench.other(
        "cmd",
        &[
            "/c", "chcp", "437", ">NUL", "&", &program, "--json", "status",
        ],
    );
    let listed = run(command
        .env("MAINS_STATE", on_windows(&bench.state()))
        .env("MAINS_INTERFACE", bench.address(1))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped()));
    assert!(listed.stdout.contains("K\u{fc}che"), "{listed:#?}");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    let file = bench.write("file", "");
    let mut command = bench.windows(&["--json", "name", &address, "lamp"]);
    let refused = run(command.env("MAINS_STATE", format!("{file}\\state")));
    let (kind, message) = refused.ends_with(7).failure();
    assert_eq!(kind, "local");
    assert!(message.contains("file\\state"), "{message}");
    let mut command = bench.windows(&["--json", "on", &address]);
    let switched = run(command.env("MAINS_STATE", format!("{file}\\state")));
    assert_eq!(
        switched.ends_with(0).json()[0]["confirmed"],
        true,
        "plugs are switched without a disk"
    );
}

#[test]
fn long_paths_work() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    let long = bench.path(&["a folder with a long name"; 14].join("/"));
    assert!(long.as_os_str().len() > 300);
    let state = on_windows(&long);
    let mut command = bench.windows(&["--json", "name", &address, "lamp"]);
    run(command.env("MAINS_STATE", &state)).ends_with(0);
    let mut command = bench.windows(&["--json", "on", "lamp"]);
    run(command.env("MAINS_STATE", &state)).ends_with(0);
}

#[test]
fn without_an_interface_there_is_a_reason() {
    let Some(bench) = WindowsBench::new() else {
        return;
    };
    let mut command = bench.windows(&["--json", "--interface", "Ethernet 7", "discover"]);
    let (kind, message) = run(&mut command).ends_with(2).failure();
    assert_eq!(kind, "usage");
    assert!(message.contains("no interface 'Ethernet 7'"), "{message}");
}

#[test]
fn the_state_may_be_on_a_network_drive() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    let share = bench.path("share");
    std::fs::create_dir_all(&share).unwrap();
    // Wine takes a share of another computer from here, and a drive from beside it.
    let drives = bench.prefix().join("dosdevices");
    std::fs::create_dir_all(drives.join("unc/nas")).unwrap();
    std::os::unix::fs::symlink(&share, drives.join("unc/nas/share")).unwrap();
    std::os::unix::fs::symlink(&share, drives.join("n:")).unwrap();
    for (state, name) in [("\\\\nas\\share\\mains", "lamp"), ("N:\\mains", "heater")] {
        let mut command = bench.windows(&["--json", "name", &address, name]);
        run(command.env("MAINS_STATE", state)).ends_with(0);
        let mut command = bench.windows(&["--json", "on", name]);
        run(command.env("MAINS_STATE", state)).ends_with(0);
    }
    assert!(share.join("mains/inventory.json").exists());
    let mut command = bench.windows(&["serve", "--listen", "127.0.0.9:8480"]);
    let hub = StartedProgram::start(command.env("MAINS_STATE", "\\\\nas\\share\\mains"), 1);
    let (code, log) = hub.end(nix::sys::signal::Signal::SIGINT);
    assert_eq!(code, Some(0), "{log}");
    assert!(share.join("mains/mains.sqlite").exists());
}

#[test]
fn a_read_only_folder_is_named() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    let folder = bench.path("read-only");
    std::fs::create_dir_all(&folder).unwrap();
    if needs::met(read_only(&folder)).is_none() {
        return;
    }
    let state = on_windows(&folder);
    for (words, code) in [(&["name", &address, "lamp"][..], 7), (&["on", &address], 0)] {
        let mut command = bench.windows(&[&["--json"], words].concat());
        let windows = run(command.env("MAINS_STATE", &state)).ends_with(code);
        let mut command = bench.native(&[&["--json"], words].concat());
        let native = run(command.env("MAINS_STATE", &folder)).ends_with(code);
        if code != 0 {
            assert_eq!(windows.failure().0, native.failure().0);
            assert!(windows.failure().1.contains("read-only"), "{windows:#?}");
        }
    }
}

/// Gives this test disks of its own, of which a folder is read-only.
fn read_only(folder: &Path) -> Result<(), String> {
    let flags = nix::sched::CloneFlags::CLONE_NEWNS;
    nix::sched::unshare(flags).map_err(|error| format!("no mount namespace: {error}"))?;
    let mount = || std::process::Command::new("mount");
    needs::succeed(mount().args(["--make-rprivate", "/"]));
    needs::succeed(
        mount()
            .args(["-t", "tmpfs", "-o", "ro", "none"])
            .arg(folder),
    );
    Ok(())
}
