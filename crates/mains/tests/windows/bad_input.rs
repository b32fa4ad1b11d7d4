//! Odd paths, consoles and names of a computer with Windows.

use crate::bench::{WindowsBench, on_windows, run};

#[test]
fn a_console_of_code_page_437_gets_the_same_bytes() {
    let Some(mut bench) = WindowsBench::new() else {
        return;
    };
    let (address, _) = bench.emulate(2, 1, &[]).remove(0);
    bench.json(&["name", &address, "K\u{fc}che"]).ends_with(0);
    let program =
        on_windows(std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))) + "\\wine\\mains.exe";
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
