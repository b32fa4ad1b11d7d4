//! The hub that runs on this computer with the same state directory.
//!
//! It tells where it is as long as it lives ([`hub::state_lock`]), and keeps a token for its owner's programs.

use std::path::Path;

use hub::state_lock;

use super::{Endpoint, Token};

/// Finds the hub that runs with this state directory. `None` when there is none, or when its files are not for this
/// user to read.
pub fn running(state: &Path) -> Option<Endpoint> {
    let running = state_lock::running(state)?;
    let endpoint = Endpoint {
        url: running.url.parse().ok()?,
        token: Some(Token::read(&state_lock::admin_token(state)).ok()?),
        ca_file: None,
        is_pinned: false,
        is_named: false,
    };
    tracing::debug!(url = %endpoint.url, "a hub runs here");
    Some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_there_when_it_can_be_entered() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        assert_eq!(running(state), None);
        let lock = state_lock::StateLock::acquire(state).unwrap();
        lock.announce("http://127.0.0.1:8480").unwrap();
        assert_eq!(running(state), None, "it has no token yet");
        std::fs::write(state_lock::admin_token(state), "secret\n").unwrap();
        let endpoint = running(state).unwrap();
        assert_eq!(endpoint.url.to_string(), "http://127.0.0.1:8480");
        assert_eq!(endpoint.token, Some(Token::new("secret".into())));
        assert!(!format!("{endpoint:?}").contains("secret"));
        drop(lock);
        assert_eq!(running(state), None);
    }
}
