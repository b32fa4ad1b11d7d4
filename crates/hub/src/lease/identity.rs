//! The id of a hub among those that share a database: random, and kept in its state directory.

use std::path::Path;

use statefile::StateFile;

const FILE: &str = "hub-id";
const MAX_FILE_BYTES: u64 = 64;

/// Returns the id of the hub with this state directory. Where the disk allows no file, it is another one after each start.
pub(super) fn read_or_make(state: &Path) -> String {
    let file = StateFile::new(state.join(FILE), MAX_FILE_BYTES);
    let text = file.read().ok().flatten();
    let id = text
        .as_deref()
        .and_then(|text| std::str::from_utf8(text).ok());
    match id.map(str::trim).filter(|id| is_id(id)) {
        Some(id) => id.to_owned(),
        None => make(state),
    }
}

/// Gives the hub with this state directory a new id.
pub(super) fn make(state: &Path) -> String {
    let file = StateFile::new(state.join(FILE), MAX_FILE_BYTES);
    let id = format!("h{:016x}", fastrand::u64(..));
    if let Err(error) = file.write(format!("{id}\n").as_bytes()) {
        tracing::warn!(path = %file.path().display(), %error, "the id of this hub cannot be kept");
    }
    id
}

fn is_id(text: &str) -> bool {
    text.len() == 17
        && text.starts_with('h')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stays_and_nonsense_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        let id = read_or_make(state.path());
        assert!(is_id(&id), "{id}");
        assert_eq!(read_or_make(state.path()), id);
        std::fs::write(state.path().join(FILE), "' OR 1=1").unwrap();
        let other = read_or_make(state.path());
        assert!(is_id(&other) && other != id, "{other}");
    }
}
