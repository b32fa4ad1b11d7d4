//! Apps that the tools of Android and Java build: what is found in them, and what happens when they are damaged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test says what went wrong by a panic"
)]

use std::collections::BTreeSet;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Command;

use appinspect::{AppFormat, AppReport, FindingKind, InspectError, KnownProtocol, inspect};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../mains/tests/cli/needs.rs"]
mod needs;
#[path = "../../mains/tests/cli/sample_app.rs"]
mod sample_app;

fn look(bytes: &[u8], name: &str) -> Result<AppReport, InspectError> {
    let known = KnownProtocol {
        words: vec!["YZ-RECOSCAN".to_owned(), "HF-A11ASSISTHREAD".to_owned()],
        ports: vec![48899, 8899],
    };
    inspect(Cursor::new(bytes), name, &known, &mut |_| {})
}

/// Every finding in order, with its places.
fn lines(report: &AppReport) -> Vec<String> {
    let line = |finding: &appinspect::AppFinding| {
        let kind = serde_json::to_value(finding.kind).unwrap();
        format!(
            "{} {} [{}]",
            kind.as_str().unwrap(),
            finding.value,
            finding.places.join("; ")
        )
    };
    report.findings.iter().map(line).collect()
}

fn sample(folder: &Path) -> Vec<u8> {
    std::fs::read(sample_app::build(folder)).unwrap()
}

#[test]
fn an_apk_of_the_tools_of_android() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let report = look(&sample(folder.path()), "app.apk").unwrap();
    assert_eq!(
        (report.format, report.package.as_deref()),
        (AppFormat::Apk, Some("com.example.plug"))
    );
    assert_eq!(report.problems, []);
    let expected = [
        "at_command AT+YZOUT [classes.dex: com.example.plug.Control]",
        "at_command AT+YZSWITCH=1,ON, [classes.dex: com.example.plug.Control]",
        "at_command AT+WSKEY=WPA2PSK,AES,%s [lib/arm64-v8a/libx.so]",
        "discovery_word YZ-RECOSCAN [classes.dex: com.example.plug.Finder]",
        "discovery_word who-is-there [classes.dex: com.example.plug.Finder]",
        "port 48899 [classes.dex: com.example.plug.Finder]",
        // A constant of a field named so, and one that goes through a field into a socket.
        "port 8123 [classes.dex: com.example.plug.Control]",
        "port 8899 [classes.dex: com.example.plug.Control]",
        "port 1883 [assets/config.json]",
        "key 0001feff [classes.dex: com.example.plug.Cloud]",
        "key 0123456789abcdef [classes.dex: com.example.plug.Cloud]",
        "address 10.10.100.254 [assets/config.json]",
        "url http://api.example-plugs.cn/v/api.1.1/ [resources.arsc]",
        "host cloud.example-plugs.cn [lib/arm64-v8a/libx.so]",
        "host mqtt.example-plugs.cn [assets/config.json]",
        // From one DEX file through a method of the other.
        "host plug.invalid [classes2.dex: com.example.plug.Screen]",
    ];
    let found = lines(&report);
    let found: BTreeSet<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|line| !line.contains("schemas.android.com"))
        .collect();
    assert_eq!(found, expected.into_iter().collect());
    // Most telling first.
    let all = lines(&report);
    assert!(all[0].starts_with("at_command"), "{all:#?}");
    let last = "url http://schemas.android.com/apk/res/android [AndroidManifest.xml]";
    assert_eq!(all.last().unwrap(), last);
}

#[test]
fn a_single_dex_file_and_a_bundle() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let apk = sample(folder.path());
    let dex = std::fs::read(folder.path().join("classes.dex")).unwrap();
    let report = look(&dex, "some/where/classes.dex").unwrap();
    assert_eq!(
        (report.format, report.package.as_deref()),
        (AppFormat::Dex, None)
    );
    assert!(
        lines(&report).contains(&"key 0001feff [classes.dex: com.example.plug.Cloud]".to_owned())
    );
    let mut bundle = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("manifest.json", b"{}".as_slice()),
        ("base.apk", &apk),
        ("split_config.arm64_v8a.apk", &apk),
    ] {
        // Larger than 4 GiB in its own words, so that it is in the form of Zip64.
        bundle
            .start_file(name, SimpleFileOptions::default().large_file(true))
            .unwrap();
        bundle.write_all(bytes).unwrap();
    }
    let report = look(&bundle.finish().unwrap().into_inner(), "app.xapk").unwrap();
    assert_eq!(
        (report.format, report.package.as_deref()),
        (AppFormat::Xapk, Some("com.example.plug"))
    );
    let word = report
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::DiscoveryWord)
        .unwrap();
    assert_eq!(
        word.places,
        [
            "base.apk!classes.dex: com.example.plug.Finder",
            "split_config.arm64_v8a.apk!classes.dex: com.example.plug.Finder",
        ]
    );
}

/// Every string that `dexdump` shows, in a class that exists, is one that is read; the strings come out as it shows them.
#[test]
fn strings_are_those_that_dexdump_shows() {
    let Some(()) =
        needs::met(sample_app::tools().and_then(|()| needs::tool("dexdump", "-h", "dexdump")))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Every constant is telling, so that what is found is what is there.
    let texts: Vec<String> = (0..300)
        .map(|number| format!("AT+S{number}=ä{number},\u{4e2d}"))
        .collect();
    let mut smali = ".class public Lcom/example/Many;\n.super Ljava/lang/Object;\n.method public static a()V\n.registers 1\n".to_owned();
    for text in &texts {
        smali.push_str(&format!("const-string v0, \"{text}\"\n"));
    }
    smali.push_str("return-void\n.end method\n");
    std::fs::write(folder.path().join("Many.smali"), smali).unwrap();
    needs::succeed(
        Command::new("smali")
            .args(["assemble", "-o", "many.dex", "Many.smali"])
            .current_dir(folder.path()),
    );
    let dumped = Command::new("dexdump")
        .args(["-d", "many.dex"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let dumped = String::from_utf8_lossy(&dumped.stdout).into_owned();
    let shown: BTreeSet<&str> = dumped
        .lines()
        .filter_map(|line| {
            line.split_once("const-string v0, \"")?
                .1
                .rsplit_once("\" // string@")
        })
        .map(|(text, _)| text)
        .collect();
    assert_eq!(shown.len(), texts.len());
    let report = look(
        &std::fs::read(folder.path().join("many.dex")).unwrap(),
        "many.dex",
    )
    .unwrap();
    let found: BTreeSet<&str> = report
        .findings
        .iter()
        .map(|finding| finding.value.as_str())
        .collect();
    assert_eq!(found, shown);
}

const JAVA: &str = r#"
package com.example;
import java.net.*;
import javax.crypto.spec.SecretKeySpec;
public class Tool {
    static final int UDP_PORT = 48899;
    static final String KEY = "a-sixteen-b-key!";
    static byte[] bytes = {1, 2, (byte) 0xfe, 4};
    int port = 8123;
    static byte[] utf8(String text) { return text.getBytes(java.nio.charset.StandardCharsets.UTF_8); }
    static void scan(DatagramSocket socket, InetAddress address) throws Exception {
        byte[] data = utf8("who-is-there");
        socket.send(new DatagramPacket(data, data.length, address, UDP_PORT));
    }
    Socket open(long unused, String host) throws Exception { return new Socket(host, port); }
    static Object keys() { return new Object[] { new SecretKeySpec(KEY.getBytes(), "AES"), new SecretKeySpec(bytes, "AES") }; }
    static <T> T same(T value) { return value; }
    static Object own(byte[] key) { return new SecretKeySpec(same(key), "AES"); }
    static String label() { return same("no key at all"); }
    static String join(String ssid) { return "AT+WSSSID=" + ssid + "\n"; }
    public static void main(String[] words) throws Exception { new Tool().open(1L, new String("tool.invalid")); }
}
"#;

#[test]
fn a_jar_of_the_compiler_of_java() {
    let tools = needs::tool("javac", "-version", "default-jdk-headless")
        .and_then(|()| needs::tool("jar", "--version", "default-jdk-headless"));
    let Some(()) = needs::met(tools) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Tool.java"), JAVA).unwrap();
    needs::succeed(
        Command::new("javac")
            .args(["-d", "out", "Tool.java"])
            .current_dir(folder.path()),
    );
    needs::succeed(
        Command::new("jar")
            .args(["--create", "--file", "tool.jar", "-C", "out", "."])
            .current_dir(folder.path()),
    );
    let jar = std::fs::read(folder.path().join("tool.jar")).unwrap();
    let report = look(&jar, "tool.jar").unwrap();
    assert_eq!(
        (report.format, report.package.as_deref()),
        (AppFormat::Jar, None)
    );
    assert_eq!(report.problems, []);
    let place = "com/example/Tool.class: com.example.Tool";
    let expected = [
        "at_command AT+WSSSID=",
        "discovery_word who-is-there",
        "port 48899",
        "port 8123",
        "key 0102fe04",
        "key a-sixteen-b-key!",
        "host tool.invalid",
    ];
    assert_eq!(
        lines(&report),
        expected.map(|line| format!("{line} [{place}]"))
    );
    mutations(&jar, "tool.jar", 100);
    let class = std::fs::read(folder.path().join("out/com/example/Tool.class")).unwrap();
    let wrapped = |class: &[u8]| {
        let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
        jar.start_file("Tool.class", SimpleFileOptions::default())
            .unwrap();
        jar.write_all(class).unwrap();
        jar.finish().unwrap().into_inner()
    };
    mutate(&class, 300, |class| drop(look(&wrapped(class), "tool.jar")));
    for end in (0..class.len()).step_by(7) {
        let _ = look(&wrapped(&class[..end]), "tool.jar");
    }
}

/// Changes bytes and cuts, and passes the result on.
fn mutate(bytes: &[u8], cases: u32, mut check: impl FnMut(&[u8])) {
    let change = (
        0..bytes.len(),
        prop_oneof![Just(0_u8), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()],
    );
    let strategy = (
        prop::collection::vec(change, 1..8),
        prop::option::weighted(0.2, 0..bytes.len()),
    );
    let mut runner = TestRunner::deterministic();
    for _ in 0..cases {
        let (changes, end) = strategy.new_tree(&mut runner).unwrap().current();
        let mut changed = bytes.to_vec();
        for (at, value) in changes {
            changed[at] = value;
        }
        check(&changed[..end.unwrap_or(changed.len())]);
    }
}

fn mutations(bytes: &[u8], name: &str, cases: u32) {
    mutate(bytes, cases, |changed| drop(look(changed, name)));
}

#[test]
fn damaged_files_are_read_as_far_as_possible() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let apk = sample(folder.path());
    let dex = std::fs::read(folder.path().join("classes.dex")).unwrap();
    mutations(&dex, "classes.dex", 3000);
    mutations(&apk, "app.apk", 300);
    for end in 0..dex.len() {
        let _ = look(&dex[..end], "classes.dex");
    }
    // Cut within the strings, which come last but one: those before the cut are there.
    let report = look(&dex[..dex.len() * 4 / 5], "classes.dex").unwrap();
    assert!(!report.findings.is_empty());
}

/// Ten thousand methods with the same code, which lies in the file once.
#[test]
fn code_that_methods_share_is_not_read_for_each() {
    let Some(()) = needs::met(sample_app::tools()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut smali = ".class public Lcom/example/Shared;\n.super Ljava/lang/Object;\n".to_owned();
    for number in 0..2000 {
        smali.push_str(&format!(
            ".method public static a{number}()V\n.registers 1\nreturn-void\n.end method\n"
        ));
    }
    smali.push_str(".method public static big()V\n.registers 1\n");
    smali.push_str(&"const-string v0, \"AT+BIG\"\n".repeat(20_000));
    smali.push_str("return-void\n.end method\n");
    std::fs::write(folder.path().join("Shared.smali"), smali).unwrap();
    needs::succeed(
        Command::new("smali")
            .args(["assemble", "-o", "shared.dex", "Shared.smali"])
            .current_dir(folder.path()),
    );
    let mut dex = std::fs::read(folder.path().join("shared.dex")).unwrap();
    // Each small code item claims the length of the large one, and so reads on to it.
    let large = 40_000_u32.to_le_bytes();
    for at in (0..dex.len() - 4).step_by(4) {
        if dex[at..at + 4] == 1_u32.to_le_bytes() && dex.get(at + 4..at + 6) == Some(&[0x0e, 0]) {
            dex[at..at + 4].copy_from_slice(&large);
        }
    }
    let report = look(&dex, "shared.dex").unwrap();
    let text = &report.problems.last().unwrap().text;
    assert!(
        text.contains("share their content"),
        "{:?}",
        report.problems
    );
}
