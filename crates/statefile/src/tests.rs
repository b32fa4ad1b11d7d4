use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use super::*;

const MAX_BYTES: u64 = 100;

fn state_file() -> (tempfile::TempDir, StateFile) {
    let home = tempfile::tempdir().unwrap();
    let file = StateFile::new(home.path().join("a/b/state.json"), MAX_BYTES);
    file.create_directory().unwrap();
    (home, file)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn content(file: &StateFile) -> Vec<u8> {
    file.read().unwrap().unwrap().to_vec()
}

#[test]
fn content_is_replaced_as_a_whole_and_leaves_nothing_beside_it() {
    let (home, file) = state_file();
    assert_eq!(file.read().unwrap(), None);
    for text in ["a longer first content", "second"] {
        file.write(text.as_bytes()).unwrap();
        assert_eq!(content(&file), text.as_bytes());
    }
    file.write_unsynced(b"third").unwrap();
    assert_eq!(content(&file), b"third");
    file.check_writable(4096).unwrap();
    assert_eq!(content(&file), b"third");
    assert_eq!(fs::read_dir(home.path().join("a/b")).unwrap().count(), 1);
    file.remove().unwrap();
    file.remove().unwrap();
    assert_eq!(file.read().unwrap(), None);
}

#[test]
fn files_and_directories_are_accessible_to_their_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let file = StateFile::new(home.path().join("a/b/state.json"), MAX_BYTES);
    assert_eq!(file.read().unwrap(), None);
    assert!(file.write(b"secret").is_err(), "no directory");
    assert!(!file.is_locked());
    let _lock = file.lock(Duration::ZERO).unwrap();
    file.write(b"secret").unwrap();
    assert_eq!(mode(&home.path().join("a")), 0o700);
    assert_eq!(mode(&home.path().join("a/b")), 0o700);
    assert_eq!(mode(file.path()), 0o600);
    assert_eq!(mode(&file.lock_path()), 0o600);
}

#[test]
fn access_of_others_is_taken_away_and_reported() {
    let (_home, file) = state_file();
    assert!(!file.restrict_access().unwrap());
    file.write(b"secret").unwrap();
    assert!(!file.restrict_access().unwrap());
    for wider in [0o640, 0o604, 0o666] {
        fs::set_permissions(file.path(), Permissions::from_mode(wider)).unwrap();
        assert!(file.restrict_access().unwrap());
        assert_eq!(mode(file.path()), 0o600);
    }
}

#[test]
fn a_file_above_the_limit_is_not_read() {
    let (_home, file) = state_file();
    file.write(&[b'x'; 100]).unwrap();
    assert_eq!(content(&file).len(), 100);
    file.write(&[b'x'; 101]).unwrap();
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::FileTooLarge);
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let (_home, file) = state_file();
    let endless = StateFile::new("/dev/zero", MAX_BYTES);
    assert_eq!(endless.read().unwrap_err().kind(), ErrorKind::InvalidInput);
    let mode = Mode::from_bits_truncate(0o600);
    mkfifo(file.path(), mode).unwrap();
    mkfifo(&file.lock_path(), mode).unwrap();
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(file.restrict_access().is_err());
    assert!(file.lock(Duration::ZERO).is_err());
    assert!(file.lock_without_writing(Duration::ZERO).is_err());
    assert!(!file.is_locked());
}

#[test]
fn a_directory_made_by_others_is_closed_and_a_lock_kept_private() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
    let file = StateFile::new(home.path().join("state.json"), MAX_BYTES);
    fs::write(file.lock_path(), "").unwrap();
    fs::set_permissions(file.lock_path(), Permissions::from_mode(0o666)).unwrap();
    drop(file.lock(Duration::ZERO).unwrap());
    assert_eq!(mode(home.path()), 0o700);
    assert_eq!(mode(&file.lock_path()), 0o600);
}

/// Needs root, which alone can give files away.
#[test]
fn a_file_of_another_user_is_refused() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let (home, file) = state_file();
    file.write(b"forged").unwrap();
    drop(file.lock(Duration::ZERO).unwrap());
    for path in [file.path().to_owned(), file.lock_path()] {
        chown(&path, Some(4711), None).unwrap();
    }
    assert_eq!(file.read().unwrap_err().kind(), ErrorKind::InvalidInput);
    let error = file.lock(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("another user (4711)"), "{error}");
    assert!(file.lock_without_writing(Duration::ZERO).is_err());
    // The directory of a service is its user's.
    chown(home.path().join("a/b"), Some(4711), None).unwrap();
    assert_eq!(content(&file), b"forged");
    drop(file.lock(Duration::ZERO).unwrap());
}

#[test]
fn a_broken_file_is_renamed_and_never_overwritten() {
    let (_home, file) = state_file();
    for number in 1..4_u8 {
        file.write(&[number]).unwrap();
        let aside = file.set_aside().unwrap();
        assert_eq!(
            aside.file_name().unwrap().to_str().unwrap(),
            format!("state.json.broken-{number}")
        );
        assert_eq!(fs::read(aside).unwrap(), [number]);
        assert_eq!(file.read().unwrap(), None);
    }
    assert_eq!(file.set_aside().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn one_holder_of_the_lock_at_a_time() {
    let (_home, file) = state_file();
    assert!(!file.is_locked());
    let lock = file.lock(Duration::ZERO).unwrap();
    assert!(file.is_locked());
    let begun = Instant::now();
    let error = file.lock(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let waiting = file.clone();
    let waiter = std::thread::spawn(move || waiting.lock(Duration::from_secs(10)).map(drop));
    std::thread::sleep(Duration::from_millis(20));
    drop(lock);
    waiter.join().unwrap().unwrap();
    assert!(!file.is_locked());
}

#[test]
fn a_write_that_fails_keeps_the_previous_content() {
    let (home, file) = state_file();
    file.write(b"first").unwrap();
    let occupied = StateFile::new(home.path().join("a/b/state.json/below"), MAX_BYTES);
    assert!(occupied.write(b"second").is_err());
    assert!(occupied.lock(Duration::ZERO).is_err());
    assert_eq!(content(&file), b"first");
}

#[test]
fn a_lock_can_be_had_where_nothing_can_be_written() {
    for has_lock_file in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::new(directory.path().join("hub.json"), 100);
        if has_lock_file {
            drop(file.lock(Duration::ZERO).unwrap());
        }
        assert!(!file.is_locked());
        let lock = file.lock_without_writing(Duration::ZERO).unwrap();
        assert!(file.is_locked());
        let second = file.lock_without_writing(Duration::ZERO).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::WouldBlock);
        assert_eq!(file.lock_path().exists(), has_lock_file);
        drop(lock);
        assert!(!file.is_locked());
    }
}

#[test]
fn what_a_killed_writer_left_is_removed_at_the_next_write() {
    let (home, file) = state_file();
    let folder = home.path().join("a/b");
    let leave = |name: &str, text: &str, age: u64| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        let left = std::time::SystemTime::now() - Duration::from_secs(age);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(left)
            .unwrap();
        path
    };
    for name in [".statefile-Ab3dE9", ".tmpAb3dE9", ".inventory-Ab3dE9"] {
        leave(name, "{\"key\"", 3600);
    }
    leave(".statefile-fresh1", "{", 0);
    leave(".inventory-empty1", "", 3600);
    // Another process is at work on this one; the others are no files of ours.
    let busy = leave(".statefile-locked", "{", 3600);
    let _lock = File::open(busy)
        .map(|file| file.try_lock().map(|()| file))
        .unwrap()
        .unwrap();
    leave(".tmpYoung1", "{", 0);
    leave(".tmpOthers", "a program's", 3600);
    leave("kept.tmpAb3dE9", "{", 3600);
    leave(".tmpAb3dE9.txt", "{", 3600);
    fs::create_dir(folder.join(".tmpFolder")).unwrap();
    file.write(b"{}").unwrap();
    let mut left: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let kept = [
        ".statefile-locked",
        ".tmpAb3dE9.txt",
        ".tmpFolder",
        ".tmpOthers",
        ".tmpYoung1",
        "kept.tmpAb3dE9",
        "state.json",
    ];
    assert_eq!(left, kept);
}
