use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

mod archives;
mod strings;

fn known() -> KnownProtocol {
    KnownProtocol {
        words: [
            "HF-A11ASSISTHREAD",
            "WIFIKIT-214028-READ",
            "YZ-RECOSCAN",
            "www.usr.cn",
        ]
        .map(str::to_owned)
        .to_vec(),
        ports: vec![48899, 8899],
    }
}

fn look(bytes: &[u8], name: &str) -> Result<AppReport, InspectError> {
    inspect(Cursor::new(bytes), name, &known(), &mut |_| {})
}

/// Makes an archive, entries deflated.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn values(report: &AppReport, kind: FindingKind) -> Vec<&str> {
    let findings = report
        .findings
        .iter()
        .filter(|finding| finding.kind == kind);
    findings.map(|finding| finding.value.as_str()).collect()
}
