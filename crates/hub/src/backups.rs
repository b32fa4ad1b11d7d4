//! Scheduled backups: a file at each interval, and no more of them than are to be kept.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{ErrorChain, ErrorKind, LogEntry, LogKind, RequestError};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::BackupConfig;
use crate::event::EventBus;
use crate::store::Store;

/// Name of this part in events about problems.
const PART: &str = "backup";
/// Names of the files, by the time of their making in UTC.
const NAME_FORMAT: &str = "mains-%Y%m%dT%H%M%SZ.sqlite";
/// Delay after a backup that failed, unless the interval is shorter.
const RETRY_DELAY: Duration = Duration::from_secs(600);
/// Delay of a backup that is due at the start, when there is other work.
const FIRST_DELAY: Duration = Duration::from_secs(5);

/// The scheduled backups of a hub. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Backups(Arc<Mutex<BackupStatus>>);

/// State of the scheduled backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupStatus {
    /// Time of the last one.
    pub last: Option<Timestamp>,
    /// Number of attempts that failed since the hub started.
    pub failed: u64,
    /// Error of the last attempt, if it failed.
    pub last_error: Option<String>,
}

impl Backups {
    /// Returns their state.
    pub fn status(&self) -> BackupStatus {
        self.0.lock().clone()
    }

    /// Makes a backup now, in the directory of the scheduled ones.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` that names the file.
    pub async fn make(
        &self,
        store: &dyn Store,
        config: &BackupConfig,
        bus: &EventBus,
    ) -> Result<Timestamp, RequestError> {
        let made = make(store, config).await;
        self.note(made.clone(), bus);
        made.map_err(|error| {
            RequestError::new(ErrorKind::Local, format!("the backup failed: {error}"))
        })
    }

    /// Makes backups until cancelled.
    pub async fn run(
        self,
        store: Arc<dyn Store>,
        config: BackupConfig,
        bus: EventBus,
        cancel: CancellationToken,
    ) {
        let every = config.every.get();
        self.0.lock().last = list(&config).ok().and_then(|all| all.last().copied());
        let age = self.0.lock().last.map_or(every, |last| age(last, every));
        let mut next = Instant::now() + FIRST_DELAY.max(every.saturating_sub(age));
        while cancel
            .run_until_cancelled(sleep_until(next))
            .await
            .is_some()
        {
            // Cancelled in the middle, it leaves nothing behind.
            let made = cancel
                .run_until_cancelled(self.make(&*store, &config, &bus))
                .await;
            let Some(made) = made else { return };
            next = Instant::now()
                + if made.is_ok() {
                    every
                } else {
                    RETRY_DELAY.min(every)
                };
        }
    }

    /// Records an attempt, and publishes a failure or its end.
    fn note(&self, made: Result<Timestamp, String>, bus: &EventBus) {
        let mut state = self.0.lock();
        match made {
            Ok(at) => {
                state.last = Some(at);
                bus.log(LogEntry::new(at, LogKind::Hub, "a backup was made"));
                if state.last_error.take().is_some() {
                    bus.problem(PART, None, true, "backups are made again".to_owned());
                }
            }
            Err(error) => {
                tracing::error!(error, "the scheduled backup failed");
                state.failed += 1;
                bus.problem(PART, None, false, format!("the backup failed: {error}"));
                state.last_error = Some(error);
            }
        }
    }
}

/// Returns the age of a backup; one from the future was made by a clock that was ahead.
fn age(made: Timestamp, every: Duration) -> Duration {
    Duration::try_from(plugs::now().duration_since(made)).unwrap_or(every)
}

/// Makes a backup and removes those beyond the number to keep. Returns its time.
async fn make(store: &dyn Store, config: &BackupConfig) -> Result<Timestamp, String> {
    let now = plugs::now();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let path = path(config, now);
    let in_file = |error: io::Error| format!("{}: {error}", path.display());
    statefile::create_directory(&config.directory).map_err(in_file)?;
    let backup = store.backup().await;
    let backup = backup.map_err(|error| ErrorChain(&error).to_string())?;
    backup.write_to(&path).await.map_err(in_file)?;
    tracing::info!(path = %path.display(), "a backup was made");
    let all = list(config).map_err(in_file)?;
    // One that a wrong clock has dated into the future does not keep the new one from staying.
    let others: Vec<Timestamp> = all.into_iter().filter(|at| *at != now).collect();
    let keep = config.keep.get().saturating_sub(1) as usize;
    let surplus = others.len().saturating_sub(keep);
    for old in others.into_iter().take(surplus) {
        fs::remove_file(self::path(config, old)).map_err(in_file)?;
    }
    Ok(now)
}

/// Returns the times of all backups in the directory, oldest first.
pub fn list(config: &BackupConfig) -> io::Result<Vec<Timestamp>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(&config.directory)? {
        let name = entry?.file_name();
        let made = name.to_str().and_then(|name| {
            let local = DateTime::strptime(NAME_FORMAT, name).ok()?;
            local.to_zoned(TimeZone::UTC).ok()
        });
        all.extend(made.map(|made| made.timestamp()));
    }
    all.sort_unstable();
    Ok(all)
}

/// Returns the file of a backup.
pub fn path(config: &BackupConfig, at: Timestamp) -> PathBuf {
    config.directory.join(at.strftime(NAME_FORMAT).to_string())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;

    use api::{Event, Period};

    use super::*;
    use crate::store::{Retention, SettingStore as _, Sqlite};

    fn config(directory: &Path, keep: u32) -> BackupConfig {
        BackupConfig {
            every: Period::seconds(3600),
            directory: directory.join("a/backups"),
            keep: NonZeroU32::new(keep).unwrap(),
        }
    }

    async fn store(directory: &Path) -> Arc<dyn Store> {
        let file = directory.join("mains.sqlite");
        let opened = Sqlite::open(&file, Retention::default()).await.unwrap();
        opened.store.save_setting("a", Some("b")).await.unwrap();
        Arc::new(opened.store)
    }

    #[tokio::test]
    async fn the_newest_are_kept_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), 3);
        let store = store(folder.path()).await;
        fs::create_dir_all(&config.directory).unwrap();
        for name in [
            "mains-20260101T000000Z.sqlite",
            "mains-20260102T000000Z.sqlite",
            "mains-20260103T000000Z.sqlite",
            "mains-20990101T000000Z.sqlite",
            "mains-20260101.sqlite",
            "other.sqlite",
        ] {
            fs::write(config.directory.join(name), "").unwrap();
        }
        let made = make(&*store, &config).await.unwrap();
        let left = list(&config).unwrap();
        let far: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
        let third: Timestamp = "2026-01-03T00:00:00Z".parse().unwrap();
        assert_eq!(left, [third, made, far]);
        assert!(config.directory.join("other.sqlite").exists());
        assert!(config.directory.join("mains-20260101.sqlite").exists());
        let copy = Sqlite::open(&path(&config, made), Retention::default()).await;
        let setting = copy.unwrap().store.setting("a").await.unwrap();
        assert_eq!(setting.as_deref(), Some("b"));
    }

    #[tokio::test]
    async fn one_that_fails_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), 3);
        let store = store(folder.path()).await;
        fs::write(folder.path().join("a"), "no directory").unwrap();
        let backups = Backups::default();
        let bus = EventBus::new();
        let mut events = bus.subscribe();
        let mut problem = || {
            loop {
                match &events.try_recv().unwrap().event {
                    Event::Problem(problem) => return problem.clone(),
                    other => assert!(matches!(other, Event::Log(_)), "{other:?}"),
                }
            }
        };
        backups.note(make(&*store, &config).await, &bus);
        let told = problem();
        assert!(
            !told.solved && told.message.contains("a/backups"),
            "{told:?}"
        );
        let status = backups.status();
        assert_eq!((status.last, status.failed), (None, 1));
        assert!(status.last_error.unwrap().contains("a/backups"));
        fs::remove_file(folder.path().join("a")).unwrap();
        backups.note(make(&*store, &config).await, &bus);
        assert!(problem().solved);
        let status = backups.status();
        assert!(status.last.is_some() && status.last_error.is_none());
        assert_eq!(
            age("2099-01-01T00:00:00Z".parse().unwrap(), config.every.get()),
            config.every.get()
        );
    }
}
