//! Names of the files of a database, and how they are set aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Renames the files with these suffixes to a name with a word and the time. Never overwrites anything. Returns the new name of the
/// one without a suffix.
pub(super) fn set_aside_files(
    path: &Path,
    word: &str,
    suffixes: &[&str],
    now: Timestamp,
) -> io::Result<PathBuf> {
    let aside = free_name(path, word, suffixes, now)?;
    move_files(path, &aside, suffixes)?;
    Ok(aside)
}

/// Returns a name with a word and the time that no file has, with any of these suffixes.
pub(super) fn free_name(
    path: &Path,
    word: &str,
    suffixes: &[&str],
    now: Timestamp,
) -> io::Result<PathBuf> {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let name = |number: u32| match number {
        0 => with_suffix(path, &format!(".{word}-{time}")),
        _ => with_suffix(path, &format!(".{word}-{time}-{number}")),
    };
    let is_free = |aside: &PathBuf| {
        let mut names = suffixes.iter().map(|suffix| with_suffix(aside, suffix));
        names.all(|name| name.symlink_metadata().is_err())
    };
    let aside = (0..1000).map(name).find(is_free);
    aside.ok_or_else(|| io::Error::other("too many files of that name beside it"))
}

/// Renames the files with these suffixes that are there.
pub(super) fn move_files(path: &Path, aside: &Path, suffixes: &[&str]) -> io::Result<()> {
    // The logs first: a log without its database would be taken for that of the new one.
    for suffix in suffixes {
        match fs::rename(with_suffix(path, suffix), with_suffix(aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(path)
}

/// Returns the path with something behind its name, e.g. `-wal`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes renames in the directory of a file last.
pub(super) fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => statefile::sync_directory(parent),
        _ => statefile::sync_directory(Path::new(".")),
    }
}
