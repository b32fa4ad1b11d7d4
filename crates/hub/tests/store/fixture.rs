//! Common ground of the tests: a directory with a store, and data to put into it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use api::{Metering, PowerOn};
use hiflying::Mac;
use hub::store::{
    EnergyState, OpenedStore, PlugRecord, Retention, Sample, Sqlite, Store as _, Used,
};
use jiff::Timestamp;
use plugs::{FamilyId, Reading, RelayState};
use tempfile::TempDir;

use crate::needs;

/// Writes a backup into a file.
pub async fn back_up(store: &Sqlite, to: &Path) -> io::Result<()> {
    let backup = store.backup().await.map_err(io::Error::other)?;
    backup.write_to(to).await
}

/// A folder that goes away, and the name of a database in it.
pub struct TestDatabase {
    pub folder: TempDir,
}

impl TestDatabase {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("mains.sqlite")
    }

    pub async fn open(&self) -> OpenedStore {
        open(&self.file()).await
    }

    /// A store in a sound, writable file.
    pub async fn store(&self) -> Sqlite {
        let opened = self.open().await;
        assert!(!opened.read_only);
        assert_eq!(opened.set_aside, None);
        opened.store
    }
}

/// The names of what is in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs another test of this binary in namespaces of its own, where a shell may mount first. Returns whether that is
/// possible here.
pub fn in_namespace(test: &str, mount: &str, folder: &Path, variable: &str) -> bool {
    // Root may make them anywhere, others where users may have namespaces of their own.
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let unshare = |way: &&[&str]| {
        let mut command = Command::new("unshare");
        command.args(*way).arg("--");
        command
    };
    let works = |way: &&[&str]| {
        let probe = unshare(way).arg("true").stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    };
    let Some(way) = ways.into_iter().find(works) else {
        needs::skip("no namespaces for mounts can be made here");
        return false;
    };
    let output = unshare(&way)
        .args(["sh", "-euc"])
        .arg(format!("{mount}\nexec \"$0\" --exact {test} --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .current_dir(folder)
        .env(variable, folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

pub async fn open(file: &Path) -> OpenedStore {
    Sqlite::open(file, Retention::default()).await.unwrap()
}

pub fn mac(number: u8) -> Mac {
    Mac::new([0xac, 0xcf, 0x23, 0, 0, number])
}

pub fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn ms(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

/// A plug with something in every field.
pub fn record(number: u8) -> PlugRecord {
    PlugRecord {
        mac: mac(number),
        family: FamilyId::RECO,
        serial: Some(format!("90000{number}")),
        address: [192, 168, 1, number].into(),
        model: Some("HF-LPB100".to_owned()),
        name: Some(format!("plug {number}")),
        room: Some("Küche".to_owned()),
        metering: Some("5s".parse::<Metering>().unwrap()),
        power_on: Some(PowerOn::Last),
        often_unplugged: true,
        relay: Some(RelayState::On),
        relay_since: Some(t("2026-11-22T12:30:00.5Z")),
        adopted: t("2026-11-22T12:00:00.123Z"),
        seen: t("2026-11-22T13:00:00Z"),
        revision: 1,
    }
}

/// A plug of which hardly anything is known.
pub fn bare(number: u8) -> PlugRecord {
    PlugRecord {
        family: FamilyId::MODULE,
        serial: None,
        model: None,
        name: None,
        room: None,
        metering: None,
        power_on: None,
        often_unplugged: false,
        relay: None,
        relay_since: None,
        ..record(number)
    }
}

pub fn reading(number: u8, at: Timestamp, power_w: f64) -> Reading {
    Reading {
        plug: mac(number),
        at,
        voltage_v: Some(226.94),
        current_a: Some(0.03),
        frequency_hz: Some(50.07),
        power_w: Some(power_w),
        energy_wh: Some(3548),
    }
}

/// A reading ten seconds after the one before.
pub fn sample(number: u8, at: Timestamp, power_w: f64, energy_wh: f64) -> Sample {
    Sample {
        reading: reading(number, at, power_w),
        used: Some(Used {
            since: ms(at.as_millisecond() - 10_000),
            energy_wh,
        }),
        energy: None,
    }
}

pub fn total(total_wh: u64, counter_wh: u64, at: Timestamp) -> EnergyState {
    EnergyState {
        total_wh,
        counter_wh: Some(counter_wh),
        at,
    }
}
