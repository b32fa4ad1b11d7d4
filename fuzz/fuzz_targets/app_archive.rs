//! Arbitrary archives, resource tables, compiled XML and Java classes of an app: no panic, and bounded work.
#![no_main]

use std::io::{Cursor, Write};

use appinspect::{KnownProtocol, inspect};
use libfuzzer_sys::fuzz_target;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const CLASS: &[u8] = &[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52];
const TABLE: &[u8] = &[2, 0, 12, 0];
const XML: &[u8] = &[3, 0, 8, 0];

fn look(bytes: &[u8]) {
    let known = KnownProtocol { words: vec!["YZ-RECOSCAN".to_owned()], ports: vec![48899] };
    let _ = inspect(Cursor::new(bytes), "app.apk", &known, &mut |_| {});
}

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    look(&[b"PK\x03\x04", bytes].concat());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, head) in [("A.class", CLASS), ("resources.arsc", TABLE), ("AndroidManifest.xml", XML), ("assets/a", b"")] {
        let written = archive.start_file(name, SimpleFileOptions::default());
        written.expect("a new entry");
        archive.write_all(&[head, bytes].concat()).expect("memory");
    }
    look(&archive.finish().expect("memory").into_inner());
});
