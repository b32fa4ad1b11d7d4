//! The file of keys under concurrency and damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;

fn bridge(number: u16) -> PairedBridge {
    PairedBridge {
        id: format!("001788fffe01{number:04x}").parse().unwrap(),
        key: format!("SECRET{number}").parse().unwrap(),
        address: "http://192.0.2.10".parse().unwrap(),
        name: Some("Hue \u{201e}oben\u{201c}".to_owned()),
        model: HueModel::Square,
        software: Some("1943185030".to_owned()),
        api: ApiVersion::parse("1.43.0"),
        pin: Some(Fingerprint::new([number as u8; 32])),
        root_signed: false,
        paired_at: "2026-11-23T10:00:00Z".parse().unwrap(),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_kept_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("not/yet/there");
    let ring = KeyRing::new(&state);
    assert!(ring.bridges().unwrap().is_empty());
    for number in [2, 1] {
        ring.save(bridge(number)).unwrap();
    }
    assert_eq!(mode(ring.path()), 0o600);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(
        KeyRing::new(&state).bridges().unwrap(),
        [bridge(1), bridge(2)]
    );

    let mut again = bridge(1);
    again.key = "OTHER".parse().unwrap();
    ring.save(again.clone()).unwrap();
    assert_eq!(ring.bridge(&again.id).unwrap().unwrap().key, again.key);
    assert!(ring.remove(&again.id).unwrap());
    assert!(!ring.remove(&again.id).unwrap());
    assert_eq!(ring.bridges().unwrap(), [bridge(2)]);
    let beside: Vec<_> = fs::read_dir(&state).unwrap().collect();
    assert_eq!(beside.len(), 2, "the file and its lock: {beside:?}");
}

#[test]
fn news_of_a_bridge_that_was_forgotten_do_not_bring_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    ring.save(bridge(1)).unwrap();
    let moved: Address = "http://192.0.2.99".parse().unwrap();
    let go = |known: &mut PairedBridge| {
        known.address = moved.clone();
        true
    };
    assert!(ring.update(&bridge(1).id, go).unwrap());
    assert!(!ring.update(&bridge(2).id, go).unwrap());
    let bridges = ring.bridges().unwrap();
    assert_eq!((bridges.len(), &bridges[0].address), (1, &moved));
    assert!(!ring.update(&bridge(1).id, |_| false).unwrap());
}

/// Saves a bridge, and again while others hold the lock: on a loaded machine all writes together take longer than one may wait.
fn save_when_free(ring: &KeyRing, bridge: &PairedBridge) {
    loop {
        match ring.save(bridge.clone()) {
            Err(KeyRingError::Write { source, .. })
                if source.kind() == io::ErrorKind::WouldBlock => {}
            result => return result.unwrap(),
        }
    }
}

#[test]
fn many_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8_u16 {
            let state = folder.path();
            scope.spawn(move || {
                for number in 0..8 {
                    // Each opens its own, as another process does; a lock belongs to the open file.
                    save_when_free(&KeyRing::new(state), &bridge(writer * 8 + number));
                }
            });
        }
    });
    let ring = KeyRing::new(folder.path());
    let expected: Vec<PairedBridge> = (0..64).map(bridge).collect();
    assert_eq!(ring.bridges().unwrap(), expected);
}

#[test]
fn a_file_that_cannot_be_understood_is_named_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    ring.save(bridge(1)).unwrap();
    let good = fs::read_to_string(ring.path()).unwrap();
    let half = &good[..good.len() / 2];
    let newer = good.replace("\"version\": 1", "\"version\": 2");
    let no_key = good.replace("SECRET1", "SECRET/1");
    let number = good.replace("\"SECRET1\"", "5318008");
    for damaged in ["", "[]", "\0\0", half, &newer, &no_key, &number] {
        fs::write(ring.path(), damaged).unwrap();
        let refused = [
            KeyRing::new(folder.path()).bridges().unwrap_err(),
            ring.save(bridge(2)).unwrap_err(),
            ring.remove(&bridge(1).id).unwrap_err(),
        ];
        for error in refused {
            let mut shown = format!("{error} {error:?}");
            shown += &format!("{:?}", HueError::from(error));
            assert!(shown.contains("hue.json"), "{shown}");
            for secret in ["SECRET", "5318008"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert_eq!(fs::read_to_string(ring.path()).unwrap(), damaged);
    }
}

#[test]
fn what_others_could_read_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    ring.save(bridge(1)).unwrap();
    fs::set_permissions(ring.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(ring.bridges().unwrap().len(), 1);
    assert_eq!(mode(ring.path()), 0o600);
}

#[test]
fn what_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    fs::write(&occupied, "").unwrap();
    let ring = KeyRing::new(occupied);
    assert!(matches!(
        ring.save(bridge(1)),
        Err(KeyRingError::Write { .. })
    ));
    let ring = KeyRing::new(folder.path());
    fs::create_dir(ring.path()).unwrap();
    assert!(matches!(ring.bridges(), Err(KeyRingError::Read { .. })));
}

#[test]
fn a_lock_that_is_held_is_waited_for_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    let held = ring.0.lock(Duration::ZERO).unwrap();
    let begun = Instant::now();
    let error = ring.save(bridge(1)).unwrap_err();
    assert!(begun.elapsed() >= LOCK_TIMEOUT);
    assert!(
        matches!(error, KeyRingError::Write { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    );
    drop(held);
    ring.save(bridge(1)).unwrap();
}

#[test]
fn the_file_of_the_first_version_is_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(folder.path());
    let text = r#"{"version": 1, "bridges": [{
        "id": "001788fffe010203", "key": "KEY0KEY0", "address": "http://192.0.2.10", "model": "BSB001",
        "paired_at": "2026-11-23T10:00:00Z", "of a later time": 1}]}"#;
    fs::write(ring.path(), text).unwrap();
    let bridges = ring.bridges().unwrap();
    assert_eq!(bridges[0].model, HueModel::Round);
    assert_eq!(
        (bridges[0].pin, bridges[0].root_signed, bridges[0].api),
        (None, false, None)
    );
}
