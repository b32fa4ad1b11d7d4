//! Keys of the settings that access control stores.

use api::RequestError;

use crate::store::SettingStore;

/// The hash of the password.
pub(crate) const PASSWORD: &str = "trust.password";
/// The hash of the password of view-only logins.
pub(super) const VIEW_PASSWORD: &str = "trust.password.view";
/// The sessions of browsers, as a JSON array.
pub(super) const SESSIONS: &str = "trust.sessions";
/// The tokens, as a JSON array.
pub(super) const TOKENS: &str = "trust.tokens";
/// Tokens that could not be read.
pub(super) const UNREADABLE_TOKENS: &str = "trust.tokens.unreadable";

/// Returns the key of the link that a hub has printed, where several hubs share the settings.
pub(super) fn link(hub: &str) -> String {
    format!("trust.link.{hub}")
}

/// Reads a setting.
pub(super) async fn read(
    settings: &dyn SettingStore,
    key: &str,
) -> Result<Option<String>, RequestError> {
    let value = settings.setting(key).await;
    value.map_err(|error| RequestError::from(&error))
}
