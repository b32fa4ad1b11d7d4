//! The few settings that trust keeps in the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::store::{Store, StoreError};

/// The hash of the password.
pub(super) const PASSWORD: &str = "trust.password";
/// The tokens, as a JSON array.
pub(super) const TOKENS: &str = "trust.tokens";
/// What could not be read as tokens.
pub(super) const UNREADABLE_TOKENS: &str = "trust.tokens.unreadable";

/// The part of a [`Store`] that trust needs.
#[async_trait]
pub(super) trait Settings: fmt::Debug + Send + Sync {
    /// Returns a setting.
    async fn read(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes a setting; `None` removes it.
    async fn write(&self, key: &str, value: Option<&str>) -> Result<(), StoreError>;
}

#[async_trait]
impl Settings for Arc<dyn Store> {
    async fn read(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.setting(key).await
    }

    async fn write(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.save_setting(key, value).await
    }
}
