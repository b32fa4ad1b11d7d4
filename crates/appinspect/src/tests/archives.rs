use super::*;
use FindingKind::AtCommand;

#[test]
fn an_archive_within_an_archive_has_its_place() {
    let jar = archive(&[("notes.txt", b"AT+DEEP")]);
    let apk = archive(&[("AndroidManifest.xml", b"no XML"), ("assets/lib.jar", &jar)]);
    let xapk = archive(&[("manifest.json", b"{}"), ("base.apk", &apk)]);
    let report = look(&xapk, "a.xapk").unwrap();
    assert_eq!(report.format, AppFormat::Xapk);
    assert_eq!(
        report.findings[0].places,
        ["base.apk!assets/lib.jar!notes.txt"]
    );
    assert_eq!(report.problems, []);
    // The extension decides where the content does not.
    assert_eq!(look(&xapk, "a.apks").unwrap().format, AppFormat::Apks);
    assert_eq!(
        look(&archive(&[("base.apk", &apk)]), "a").unwrap().format,
        AppFormat::Apks
    );
    assert_eq!(look(&apk, "a").unwrap().format, AppFormat::Apk);
    assert_eq!(look(&jar, "a").unwrap().format, AppFormat::Jar);
}

#[test]
fn too_many_archives_within_each_other_are_a_problem() {
    let mut inner = archive(&[("notes.txt", b"AT+DEEP")]);
    for _ in 0..6 {
        inner = archive(&[("x.zip", &inner), ("beside.txt", b"AT+BESIDE")]);
    }
    let report = look(&inner, "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+BESIDE"]);
    assert!(
        report.problems[0].text.contains("within each other"),
        "{:?}",
        report.problems
    );
}

#[test]
fn names_are_never_paths() {
    let names = [
        "../../etc/passwd",
        "/etc/shadow",
        "a/\u{1b}[31m",
        "C:\\x",
        "..\\..\\x",
    ];
    let entries: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (*name, b"AT+HERE".as_slice()))
        .collect();
    let report = look(&archive(&entries), "a.jar").unwrap();
    let places = &report.findings[0].places;
    assert_eq!(places.len(), names.len());
    assert!(places.contains(&"../../etc/passwd".to_owned()));
    assert!(
        places.iter().all(|place| !place.contains('\u{1b}')),
        "{places:?}"
    );
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    let names: Vec<String> = (0..20).map(|number| format!("{number}.bin")).collect();
    let mut entries: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), zeros.as_slice()))
        .collect();
    entries.insert(0, ("first.txt", b"AT+FIRST"));
    let bomb = archive(&entries);
    assert!(bomb.len() < 4 << 20);
    let report = look(&bomb, "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+FIRST"]);
    assert!(
        report.problems[0].text.contains("1 GiB"),
        "{:?}",
        report.problems
    );
    assert_eq!(report.problems.len(), 5);
}

#[test]
fn each_of_two_entries_with_one_name_is_read() {
    let mut bytes = archive(&[("a.txt", b"AT+ONE"), ("b.txt", b"AT+TWO")]);
    for at in 0..bytes.len() - 5 {
        if &bytes[at..at + 5] == b"b.txt" {
            bytes[at] = b'a';
        }
    }
    let report = look(&bytes, "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+ONE", "AT+TWO"]);
    assert!(
        report.problems[0].text.contains("more than once"),
        "{:?}",
        report.problems
    );
}

/// Sets the flag of encryption of the first entry, or its compression.
fn with_central(bytes: &[u8], offset: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let local = 0;
    let central = (0..bytes.len() - 4)
        .find(|at| &bytes[*at..at + 4] == b"PK\x01\x02")
        .unwrap();
    bytes[local + offset] = value;
    bytes[central + offset + 2] = value;
    bytes
}

#[test]
fn what_cannot_be_unpacked_is_a_problem() {
    let bytes = archive(&[("a.txt", b"AT+ONE"), ("b.txt", b"AT+TWO")]);
    let report = look(&with_central(&bytes, 6, 1), "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+TWO"]);
    assert_eq!(
        report.problems,
        [AppProblem {
            place: "a.txt".to_owned(),
            text: "encrypted; skipped".to_owned()
        }]
    );
    let report = look(&with_central(&bytes, 8, 97), "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+TWO"]);
    assert_eq!(report.problems[0].place, "a.txt");
    assert!(
        report.problems[0].text.contains("compression method"),
        "{:?}",
        report.problems
    );
}

#[test]
fn a_file_that_was_cut_short_is_read_to_the_cut() {
    let filler: Vec<u8> = (0..4000_u32)
        .flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect();
    let bytes = archive(&[
        ("a.txt", b"AT+ONE"),
        ("b.bin", &filler),
        ("c.txt", b"AT+TWO"),
    ]);
    let report = look(&bytes[..bytes.len() / 2], "a.jar").unwrap();
    assert_eq!(values(&report, AtCommand), ["AT+ONE"]);
    assert!(!report.problems.is_empty());
    for end in 0..bytes.len() {
        let _ = look(&bytes[..end], "a.jar");
    }
}

#[test]
fn what_is_no_app_is_refused() {
    for bytes in [
        b"".as_slice(),
        b"PK",
        b"hello, this is text",
        b"\x7fELF",
        b"dex",
        &[0; 200],
    ] {
        assert!(
            matches!(look(bytes, "a.apk"), Err(InspectError::NotAnApp)),
            "{bytes:?}"
        );
    }
    let empty = archive(&[]);
    let error = look(&empty, "a.apk").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no part of the APK file can be read: it is empty"
    );
    let locked = with_central(&archive(&[("a.txt", b"AT+ONE")]), 6, 1);
    let error = look(&locked, "a.apk").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no part of the APK file can be read: a.txt: encrypted; skipped"
    );
    let error = look(b"dex\n035\0", "a.dex").unwrap_err();
    assert!(
        error.to_string().contains("no head of a DEX file"),
        "{error}"
    );
}

/// A header that claims four billion of everything, at the end of the file and at its beginning.
#[test]
fn a_dex_file_that_lies_about_its_sizes() {
    for start in [112_u32, 0, 1 << 31, u32::MAX] {
        let mut bytes = vec![0; 4096];
        bytes[..8].copy_from_slice(b"dex\n035\0");
        bytes[40..44].copy_from_slice(&0x1234_5678_u32.to_le_bytes());
        for table in [56, 64, 72, 80, 88, 96] {
            bytes[table..table + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            bytes[table + 4..table + 8].copy_from_slice(&start.to_le_bytes());
        }
        let report = look(&bytes, "dir/lies.dex").unwrap();
        assert_eq!(report.format, AppFormat::Dex);
        assert_eq!(report.problems[0].place, "lies.dex");
        assert!(
            report.problems[0]
                .text
                .starts_with("claims 4294967295 strings"),
            "{:?}",
            report.problems
        );
    }
}

#[test]
fn a_resource_table_that_lies_about_its_sizes() {
    let mut bytes = vec![0; 256];
    bytes[..4].copy_from_slice(&[2, 0, 12, 0]);
    bytes[12..14].copy_from_slice(&[1, 0]);
    bytes[16..24].copy_from_slice(&[0xff; 8]);
    let report = look(&archive(&[("resources.arsc", &bytes)]), "a.apk").unwrap();
    assert!(
        report.problems[0]
            .text
            .contains("claims 4294967295 strings"),
        "{:?}",
        report.problems
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(head in prop::sample::select(vec![
        b"dex\n035\0".to_vec(), b"PK\x03\x04".to_vec(), vec![2, 0, 12, 0], vec![3, 0, 8, 0], vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52],
    ]), rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [head, rest].concat();
        let _ = look(&bytes, "a");
        let _ = look(&archive(&[("x", &bytes)]), "a");
    }
}
