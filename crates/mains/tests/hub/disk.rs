//! State directories that are full, read-only, replaced or restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::Home;
use crate::house::{Hub, adopt, eventually, plugs};
use crate::needs;

/// A command that runs `mains serve` in a mount namespace, where a shell prepares its state directory first.
fn serve_after(home: &Home, mount: &str) -> Command {
    let serve = home.command();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--", "sh", "-euc"])
        .arg(format!("{mount}\nexec \"$0\" serve"))
        .arg(env!("CARGO_BIN_EXE_mains"));
    for (name, value) in serve.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("MAINS_HUB_SCAN", "1s");
    command
}

fn can_mount() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--", "true"]).stderr(Stdio::null());
    let works = probe.status().is_ok_and(|status| status.success());
    if !works {
        needs::skip("no mount namespace can be made here");
    }
    works
}

/// A home whose hub has adopted one plug, `lamp`, and ended.
fn with_a_lamp() -> Home {
    let mut home = Home::with_network();
    home.emulate(&["--relay", "on"], 1);
    let hub = Hub::start(&home, &[]);
    adopt(&home, &["127.0.0.2"]);
    home.json(&["name", "127.0.0.2", "lamp"]).ends_with(0);
    hub.end(Signal::SIGTERM);
    home
}

/// Calls the API with the token of the state directory outside of the namespace.
fn switch(home: &Home, hub: &Hub, state: &str) -> Value {
    let token = fs::read_to_string(home.state().join("admin-token")).unwrap();
    let mut command = home.command();
    command
        .env("MAINS_HUB", &hub.url)
        .env("MAINS_TOKEN", token.trim())
        .args(["--json", state, "lamp"]);
    crate::home::finish(command.output()).ends_with(0).json()
}

#[test]
fn on_a_disk_that_takes_nothing_the_hub_starts_and_switches() {
    if !can_mount() {
        return;
    }
    // A copy on a small disk without a byte left; the directory itself, read-only.
    let full = "cp -a \"$MAINS_STATE\" \"$HOME/copy\"\nmount -t tmpfs -o size=1m,mode=700 tmpfs \"$MAINS_STATE\"\n\
        cp -a \"$HOME/copy/.\" \"$MAINS_STATE\"\ncat /dev/zero >\"$MAINS_STATE/filler\" 2>/dev/null || true";
    let read_only = "mount --bind \"$MAINS_STATE\" \"$MAINS_STATE\" && mount -o remount,bind,ro \"$MAINS_STATE\"";
    for (name, mount) in [("full", full), ("read-only", read_only)] {
        let home = with_a_lamp();
        let hub = Hub::run(serve_after(&home, mount));
        for state in ["off", "on"] {
            let told = switch(&home, &hub, state);
            assert_eq!(
                (&told[0]["relay"], &told[0]["confirmed"]),
                (&state.into(), &true.into()),
                "{name}"
            );
        }
        let (status, _, log) = hub.end(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "{name}: {log}");
        assert!(log.contains("cannot be written"), "{name}: {log}");
    }
}

/// A disk with blocks of 1 KiB, of which the map of a page needs four, and with room for some of them. The start ended in SIGBUS.
#[test]
fn a_start_on_a_disk_with_small_blocks_ends_in_no_signal() {
    let has_tools =
        Path::new("/dev/loop-control").exists() && Path::new("/sbin/mkfs.ext4").exists();
    if !has_tools {
        return needs::skip("no loop device, or no mkfs.ext4 (Debian package e2fsprogs)");
    }
    if !can_mount() {
        return;
    }
    for spare in ["10K", "24K"] {
        let home = with_a_lamp();
        let mount = format!(
            "cp -a \"$MAINS_STATE\" \"$HOME/copy\"\ntruncate -s 4m \"$HOME/image\"\n\
            /sbin/mkfs.ext4 -q -b 1024 -m 0 -O ^has_journal \"$HOME/image\"\n\
            mount -o loop \"$HOME/image\" \"$MAINS_STATE\"\nchmod 700 \"$MAINS_STATE\"\n\
            cp -a \"$HOME/copy/.\" \"$MAINS_STATE\"\ncd \"$MAINS_STATE\"\ncat /dev/zero >filler 2>/dev/null || true\n\
            dd if=/dev/zero of=filler bs=1024 oflag=append,dsync conv=notrunc 2>/dev/null || true\n\
            truncate -s -{spare} filler\ncd /"
        );
        let hub = Hub::run(serve_after(&home, &mount));
        for state in ["off", "on"] {
            let told = switch(&home, &hub, state);
            assert_eq!(told[0]["confirmed"], true, "{spare}");
        }
        let (status, _, log) = hub.end(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "{spare}: {log}");
    }
}

/// The first start where nothing can be written: there is nothing to switch, but pages and API say so.
#[test]
fn a_first_start_on_a_read_only_disk_acknowledges_nothing() {
    if !can_mount() {
        return;
    }
    let home = Home::with_network();
    fs::create_dir(home.state()).unwrap();
    let mount = "mount --bind \"$MAINS_STATE\" \"$MAINS_STATE\" && mount -o remount,bind,ro \"$MAINS_STATE\"";
    let hub = Hub::run(serve_after(&home, mount));
    let (status, _, log) = hub.end(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("none can be made"), "{log}");
    assert!(log.contains("admin-token"), "{log}");
}

fn groups(home: &Home) -> Vec<String> {
    let groups = home.json(&["group", "list"]).ends_with(0).json();
    let mut names: Vec<String> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn add_group(home: &Home, name: &str) {
    home.json(&["group", "add", name, "lamp"]).ends_with(0);
}

/// Backups that are restored after the hub was killed: by `hub restore`, and by hand with the log of the old file beside it.
#[test]
fn a_restore_after_a_kill_is_never_undone() {
    let home = with_a_lamp();
    let database = home.state().join("mains.sqlite");
    let mut expected: Vec<String> = Vec::new();
    for round in 0..6 {
        let hub = Hub::start(&home, &[]);
        assert_eq!(groups(&home), expected, "round {round}");
        add_group(&home, &format!("before {round}"));
        expected.push(format!("before {round}"));
        expected.sort();
        let copy = home.path(&format!("backup-{round}.sqlite"));
        let file = copy.to_str().unwrap();
        home.json(&["hub", "backup", file]).ends_with(0);
        for number in 0..3 {
            add_group(&home, &format!("after {round} {number}"));
        }
        // Not under a running hub of the same directory.
        home.json(&["hub", "restore", file]).ends_with(7);
        hub.end(Signal::SIGKILL);
        match round % 3 {
            0 => {
                let told = home.json(&["hub", "restore", file]).ends_with(0).json();
                assert_eq!(told["restored"], file);
                let kept = PathBuf::from(told["kept"].as_str().unwrap());
                assert!(kept.is_file(), "{told}");
            }
            1 => drop(fs::copy(&copy, &database).unwrap()),
            _ => fs::rename(&copy, &database).unwrap(),
        }
    }
    let _hub = Hub::start(&home, &[]);
    assert_eq!(groups(&home), expected);
}

#[test]
fn what_is_no_backup_restores_nothing() {
    let home = with_a_lamp();
    let junk = home.write("junk.sqlite", "SQLite format 3\0 but no more");
    for file in [
        junk.as_path(),
        Path::new("/nowhere"),
        &home.state().join("mains.sqlite"),
    ] {
        let run = home.json(&["hub", "restore", file.to_str().unwrap()]);
        assert_eq!(run.ends_with(2).error_kind(), "usage");
    }
    let _hub = Hub::start(&home, &[]);
    assert_eq!(plugs(&home).len(), 1);
}

/// Nothing is acknowledged that would be gone after the next start.
#[test]
fn a_database_that_is_removed_under_the_hub_acknowledges_nothing() {
    let home = with_a_lamp();
    let hub = Hub::start(&home, &[]);
    add_group(&home, "kept");
    fs::remove_file(home.state().join("mains.sqlite")).unwrap();
    let run = home.json(&["group", "add", "lost", "lamp"]).ends_with(8);
    assert_eq!(run.error_kind(), "unavailable");
    // Switching goes on.
    let told = home.json(&["off", "lamp"]).ends_with(0).json();
    assert_eq!(told[0]["confirmed"], true);
    let (_, _, log) = hub.end(Signal::SIGTERM);
    assert!(log.contains("removed or replaced"), "{log}");
    let hub = Hub::start(&home, &[]);
    let (_, _, log) = hub.end(Signal::SIGTERM);
    assert!(log.contains("is missing or empty"), "{log}");
}

#[test]
fn backups_are_made_by_the_clock_and_can_be_restored() {
    let home = with_a_lamp();
    let mut command = home.command();
    command
        .arg("serve")
        .env("MAINS_HUB_BACKUP", "1m")
        .env("MAINS_HUB_KEEP_BACKUPS", "2");
    let hub = Hub::run(command);
    let made = || {
        let folder = fs::read_dir(home.state().join("backups")).ok();
        folder
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "sqlite")
            })
    };
    eventually("a backup", || made().is_some());
    let status = home.json(&["hub", "status"]).ends_with(0).json();
    assert!(status["backup"]["last"].is_string(), "{status}");
    hub.end(Signal::SIGKILL);
    let file = made().unwrap();
    home.json(&["hub", "restore", file.to_str().unwrap()])
        .ends_with(0);
    let _hub = Hub::start(&home, &[]);
    assert_eq!(plugs(&home)[0]["name"], "lamp");
}
