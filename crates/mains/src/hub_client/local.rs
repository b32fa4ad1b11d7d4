//! The hub that runs on this computer with the same state directory.
//!
//! It holds a lock on `hub.lock` for as long as it lives, says in `hub.json` where it is, and keeps its own token in
//! `admin-token`. Files that a killed hub has left mean nothing without the lock.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::{Endpoint, Token};

/// Longer than any of these files.
const LONGEST_FILE: u64 = 16 * 1024;

/// What `hub.json` tells.
#[derive(Debug, Deserialize)]
struct Told {
    url: String,
}

/// Finds the hub that runs with this state directory. `None` when there is none, or when its files are not for this
/// user to read.
pub fn running(state: &Path) -> Option<Endpoint> {
    // First what a hub leaves only while it runs: mostly that is already the answer, and no lock is touched.
    let told: Told = serde_json::from_str(&read(&state.join("hub.json"))?).ok()?;
    if !is_held(&state.join("hub.lock")) {
        return None;
    }
    let endpoint = Endpoint {
        url: told.url.parse().ok()?,
        token: Some(Token::new(read(&state.join("admin-token"))?)),
        ca_file: None,
        is_named: false,
    };
    tracing::debug!(url = %endpoint.url, "a hub runs here");
    Some(endpoint)
}

fn is_held(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(LONGEST_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(state: &Path, name: &str, text: &str) {
        std::fs::write(state.join(name), text).unwrap();
    }

    #[test]
    fn only_who_holds_the_lock_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        assert_eq!(running(state), None);
        write(
            state,
            "hub.json",
            r#"{"pid":1,"url":"http://127.0.0.1:8480"}"#,
        );
        write(state, "admin-token", "secret\n");
        assert_eq!(running(state), None);
        let lock = File::create(state.join("hub.lock")).unwrap();
        assert_eq!(running(state), None);
        lock.try_lock().unwrap();
        let endpoint = running(state).unwrap();
        assert_eq!(endpoint.url.to_string(), "http://127.0.0.1:8480");
        assert_eq!(endpoint.token, Some(Token::new("secret".into())));
        assert!(!format!("{endpoint:?}").contains("secret"));
        write(state, "hub.json", "{");
        assert_eq!(running(state), None);
    }
}
