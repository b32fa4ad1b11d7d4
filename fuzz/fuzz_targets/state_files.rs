//! Arbitrary bytes as each small file of the state directory, and as the configuration: no panic, and none is deleted.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use api::running::RunningHub;
use hue::KeyRing;
use libfuzzer_sys::fuzz_target;
use mains::config::Sources;
use mains::inventory::InventoryFile;
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::Builder::new().prefix("fuzz").tempdir_in("/dev/shm");
    directory.or_else(|_| tempfile::tempdir()).expect("a directory for the files")
});

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("the directory can be written");
}

fuzz_target!(|bytes: &[u8]| {
    let directory = DIRECTORY.path();
    let ring = KeyRing::new(directory);
    write(ring.path(), bytes);
    let before = ring.bridges();
    assert_eq!(fs::read(ring.path()).expect("it is still there"), bytes);
    if let Some(bridge) = before.ok().and_then(|mut bridges| bridges.pop()) {
        let id = bridge.id.clone();
        ring.save(bridge).expect("what was read can be written");
        assert!(ring.bridge(&id).expect("what was written can be read").is_some());
    }
    let announcement = RunningHub::announcement(directory);
    write(announcement.path(), bytes);
    let _ = RunningHub::read(&announcement);
    let inventory = InventoryFile::new(directory.to_owned());
    write(inventory.path(), bytes);
    let loaded = inventory.load();
    if loaded.is_err() {
        // Of another version: it stays as it is.
        assert_eq!(fs::read(inventory.path()).expect("it is still there"), bytes);
    }
    if loaded.is_ok_and(|loaded| loaded.warning.is_some()) {
        let files = fs::read_dir(directory).expect("the directory can be read").flatten();
        let aside = files.filter(|file| fs::read(file.path()).is_ok_and(|kept| kept == bytes));
        assert!(aside.count() >= 1, "the broken file is gone");
    }
    let config = directory.join("mains.toml");
    write(&config, bytes);
    let sources = Sources::of_file(Some(config));
    for problem in &sources.problems {
        assert!(!problem.to_string().is_empty());
    }
    for file in fs::read_dir(directory).expect("the directory can be read").flatten() {
        let _ = fs::remove_file(file.path());
    }
});
