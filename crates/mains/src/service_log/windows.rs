//! The log of the service of Windows, which has no stderr: a file.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use parking_lot::Mutex;

/// Length from which the log is continued in a new file.
const MAX_LOG_BYTES: u64 = 4 << 20;

static LOG: OnceLock<Mutex<ServiceLog>> = OnceLock::new();

/// Begins to write to a file, instead of to stderr.
pub(crate) fn begin(path: PathBuf) {
    LOG.get_or_init(|| Mutex::new(ServiceLog::new(path)));
}

/// Writes to the log of the service, which has no stderr. Returns false in any other process.
pub(crate) fn log(text: &str) -> bool {
    let Some(log) = LOG.get() else {
        return false;
    };
    log.lock().write(text);
    true
}

/// A file for what other processes write to stderr. When it is full, it takes the place of the one before.
struct ServiceLog {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl ServiceLog {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            length: 0,
        }
    }

    /// Appends to the file. A disk that refuses does not keep the hub from serving.
    fn write(&mut self, text: &str) {
        if self.length > MAX_LOG_BYTES {
            self.file = None;
            let _ = fs::rename(&self.path, self.path.with_extension("old.log"));
        }
        if self.file.is_none() {
            let directory = self.path.parent();
            let _ = directory.map(statefile::create_directory);
            let opened = statefile::owner_only()
                .create(true)
                .append(true)
                .open(&self.path);
            self.file = opened.ok();
            let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
            self.length = metadata.map_or(0, |metadata| metadata.len());
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(text.as_bytes());
            self.length += text.len() as u64;
        }
    }
}
