//! The files of packaging/two-hubs, as far as they can be tried without two computers: systemd, YAML and `mains` itself read them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::Home;
use crate::needs;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

#[test]
fn systemd_understands_the_units() {
    let tool = needs::tool("systemd-analyze", "--version", "systemd");
    if needs::met(tool).is_none() {
        return;
    }
    let units = tempfile::tempdir().unwrap();
    let two_hubs = folder().join("two-hubs");
    for name in [
        "mains-database-backup.service",
        "mains-database-backup.timer",
    ] {
        std::fs::copy(two_hubs.join(name), units.path().join(name)).unwrap();
    }
    // The program is not installed here.
    let service = std::fs::read_to_string(folder().join("debian/mains.service")).unwrap();
    let service = service.replace("/usr/bin/mains", env!("CARGO_BIN_EXE_mains"));
    std::fs::write(units.path().join("mains.service"), service).unwrap();
    let addition = units.path().join("mains.service.d");
    std::fs::create_dir(&addition).unwrap();
    std::fs::copy(
        two_hubs.join("mains.service.d/database.conf"),
        addition.join("database.conf"),
    )
    .unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(["mains.service", "mains-database-backup.timer"].map(|name| units.path().join(name)))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let own: Vec<_> = told.lines().filter(|line| line.contains("mains")).collect();
    assert!(output.status.success() && own.is_empty(), "{told}");
}

#[test]
fn the_compose_file_is_whole() {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(folder().join("two-hubs/compose.yaml"))
        .output();
    let output = output.ok().filter(|output| output.status.success());
    let read =
        output.ok_or_else(|| "Python's yaml is missing (Debian package python3-yaml)".to_owned());
    let Some(output) = needs::met(read) else {
        return;
    };
    let compose: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let named = |what: &str| compose[what].as_object().unwrap();
    for (name, service) in named("services") {
        for secret in service["secrets"].as_array().unwrap() {
            let secret = secret.as_str().unwrap();
            assert!(named("secrets").contains_key(secret), "{name}: {secret}");
        }
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(file) => folder().join("two-hubs").join(file).is_file(),
                None => named("volumes").contains_key(source),
            };
            assert!(is_there, "{name}: {source}");
        }
        assert!(service["profiles"].is_array(), "{name}");
    }
    // Each hub has its own state on its own computer, and the image's settings.
    let second = &compose["services"]["second-hub"];
    assert_eq!(second["network_mode"], "host");
    assert_eq!(second["image"], compose["services"]["hub"]["image"]);
    // As scripts/package names it.
    let image = concat!("localhost/mains:", env!("CARGO_PKG_VERSION"));
    assert_eq!(second["image"], image);
}

#[test]
fn mains_reads_the_settings() {
    let home = Home::new();
    let settings = std::fs::read_to_string(folder().join("two-hubs/mains.toml")).unwrap();
    let secrets = home.path("secrets");
    std::fs::create_dir(&secrets).unwrap();
    for name in ["database-password", "mqtt-password"] {
        std::fs::write(secrets.join(name), "secret").unwrap();
    }
    // No server answers there.
    let settings = settings
        .replace("/run/secrets", secrets.to_str().unwrap())
        .replace("database.example", "127.0.0.1:1")
        .replace("127.0.0.1:1:1883", "127.0.0.1:1");
    let file = home.path("two-hubs.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = home.command();
    command
        .env("MAINS_CONFIG", &file)
        .args(["--json", "hub", "check"]);
    let problems = crate::home::finish(command.output()).ends_with(2).json();
    let problems = problems.as_array().unwrap();
    let keys = problems.iter().map(|one| one["key"].as_str().unwrap());
    // Neither server is there, nor the certificate.
    let missing = [
        "hub.database",
        "hub.database_ca_file",
        "hub.listen",
        "mqtt.url",
    ];
    assert!(
        keys.clone().all(|key| missing.contains(&key)),
        "{problems:?}"
    );
    assert!(
        keys.clone().any(|key| key == "hub.database"),
        "{problems:?}"
    );
}
