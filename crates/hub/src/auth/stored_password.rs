//! The two passwords as they are stored: a hash, and the sites that their logins may see.

use api::{RequestError, Scope, SiteName};
use serde::{Deserialize, Serialize};

use super::secret::Credential;
use super::{password, settings};
use crate::store::SettingStore;

/// A stored password.
#[derive(Debug, Clone)]
pub(super) struct StoredPassword {
    pub(super) hash: Credential,
    /// Sites that its logins may see; all if empty.
    pub(super) sites: Vec<SiteName>,
}

/// The text of a password that is bound to sites. That of another one is the hash alone, as in versions that knew no sites: they
/// take this text for a hash that they cannot read, and log nobody in.
#[derive(Serialize, Deserialize)]
struct BoundPassword<'a> {
    hash: &'a str,
    sites: Vec<SiteName>,
}

impl StoredPassword {
    /// Reads what [`to_text`](Self::to_text) wrote. A text that cannot be read is a hash that no password has.
    pub(super) fn from_text(text: String) -> Self {
        match serde_json::from_str::<BoundPassword<'_>>(&text) {
            Ok(bound) => Self {
                hash: Credential::new(bound.hash),
                sites: bound.sites,
            },
            Err(_) => Self {
                hash: Credential::new(text),
                sites: Vec::new(),
            },
        }
    }

    /// Returns the stored form.
    pub(super) fn to_text(&self) -> Credential {
        if self.sites.is_empty() {
            return self.hash.clone();
        }
        let bound = BoundPassword {
            hash: self.hash.reveal(),
            sites: self.sites.clone(),
        };
        Credential::new(
            serde_json::to_string(&bound).expect("a plain structure can be written as JSON"),
        )
    }
}

/// Sets a password while no hub runs, that of the scope `admin` or `read`. A running hub does not notice; set it by the API
/// instead. Without `sites` it keeps those of the password before.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` for one that is too short or too long, or the same as the other; `unavailable` when it cannot
/// be kept.
pub async fn set_password(
    store: &dyn SettingStore,
    password: Credential,
    scope: Scope,
    sites: Option<Vec<SiteName>>,
) -> Result<(), RequestError> {
    let (key, other) = password_keys(scope)?;
    password::check(&password)?;
    let other = read_password(store, other).await?;
    check_differs(&password, other).await?;
    let sites = match sites {
        Some(sites) => sites,
        None => read_password(store, key)
            .await?
            .map_or_else(Vec::new, |before| before.sites),
    };
    let hash = password::hash(password).await?;
    let kept = StoredPassword { hash, sites }.to_text();
    let saved = store.save_setting(key, Some(kept.reveal())).await;
    saved.map_err(|error| RequestError::from(&error))
}

/// Reads a password by its key.
pub(super) async fn read_password(
    store: &dyn SettingStore,
    key: &str,
) -> Result<Option<StoredPassword>, RequestError> {
    let text = settings::read(store, key).await?;
    Ok(text.map(StoredPassword::from_text))
}

/// Returns the key of the password of a scope, and that of the other password.
pub(super) fn password_keys(scope: Scope) -> Result<(&'static str, &'static str), RequestError> {
    match scope {
        Scope::Admin => Ok((settings::PASSWORD, settings::VIEW_PASSWORD)),
        Scope::Read => Ok((settings::VIEW_PASSWORD, settings::PASSWORD)),
        Scope::Metrics | Scope::Switch => Err(RequestError::usage(
            "there are passwords of the scopes `admin` and `read`",
        )
        .at("scope")),
    }
}

/// Checks that a new password is not the other one, which would decide about the scope.
pub(super) async fn check_differs(
    password: &Credential,
    other: Option<StoredPassword>,
) -> Result<(), RequestError> {
    let other = other.map(|other| other.hash);
    if other.is_some() && password::verify(password.clone(), other).await {
        let message = "the passwords of the two scopes must differ";
        return Err(RequestError::usage(message).at("password"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_password_is_unreadable_to_versions_without_sites() {
        let hash = Credential::new("$argon2id$v=19$m=19456,t=2,p=1$salt$hash");
        let mut password = StoredPassword {
            hash: hash.clone(),
            sites: Vec::new(),
        };
        assert_eq!(password.to_text(), hash);
        password.sites = vec!["berlin".parse().unwrap()];
        let text = password.to_text().reveal().to_owned();
        assert!(argon2::PasswordHash::new(&text).is_err(), "{text}");
        let read = StoredPassword::from_text(text);
        assert_eq!((read.hash, read.sites), (hash, password.sites));
    }
}
