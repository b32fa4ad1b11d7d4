//! Tokens of programs. Their digest is stored; the token itself is shown once.
//!
//! The admin token is one of them. Its secret is in a file of the state directory, for the command line of the same user.

use api::{Id, Name, RequestError, TokenInfo};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::secret::CredentialDigest;

const MAX_TOKENS: usize = 100;
/// Name of the token in the state directory.
pub(super) const ADMIN_NAME: &str = "admin";

/// A token as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredToken {
    #[serde(flatten)]
    info: TokenInfo,
    sha256: String,
}

#[derive(Debug, Clone)]
struct AuthToken {
    info: TokenInfo,
    digest: CredentialDigest,
    ended: CancellationToken,
}

/// All tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(Vec<AuthToken>);

impl Tokens {
    /// Reads what [`to_text`](Self::to_text) wrote.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let kept: Vec<StoredToken> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let token = |kept: StoredToken| {
            let digest = CredentialDigest::decode(&kept.sha256)
                .ok_or_else(|| format!("the digest of {} is none", kept.info.id))?;
            Ok(AuthToken {
                info: kept.info,
                digest,
                ended: CancellationToken::new(),
            })
        };
        kept.into_iter()
            .map(token)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the stored form.
    pub(super) fn to_text(&self) -> String {
        let kept = |token: &AuthToken| StoredToken {
            info: token.info.clone(),
            sha256: token.digest.encode(),
        };
        let kept: Vec<StoredToken> = self.0.iter().map(kept).collect();
        serde_json::to_string(&kept).expect("plain structures can be written as JSON")
    }

    /// Returns all tokens, oldest first.
    pub(super) fn list(&self) -> Vec<TokenInfo> {
        self.0.iter().map(|token| token.info.clone()).collect()
    }

    /// Marks a token as used. Returns its id, and the token that is cancelled when it is revoked.
    pub(super) fn used(
        &mut self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Option<(Id, CancellationToken)> {
        let token = self.0.iter_mut().find(|token| token.digest == *digest)?;
        token.info.last_used = Some(now);
        Some((token.info.id.clone(), token.ended.clone()))
    }

    /// Adds a token.
    pub(super) fn add(
        &mut self,
        name: &str,
        digest: CredentialDigest,
        now: Timestamp,
    ) -> Result<TokenInfo, RequestError> {
        name.parse::<Name>()
            .map_err(|problem| RequestError::usage(problem).at("name"))?;
        let lower = name.to_lowercase();
        if self
            .0
            .iter()
            .any(|token| token.info.name.to_lowercase() == lower)
        {
            let message = format!("a token named '{name}' already exists");
            return Err(RequestError::conflict(message).at("name"));
        }
        if self.0.len() >= MAX_TOKENS {
            return Err(
                RequestError::conflict(format!("there are already {MAX_TOKENS} tokens"))
                    .hint("revoke tokens that are no longer used"),
            );
        }
        Ok(self.push(name, digest, now, false))
    }

    /// Sets the digest of the admin token. Returns true if it is a new one.
    pub(super) fn set_admin(&mut self, digest: CredentialDigest, now: Timestamp) -> bool {
        let admin = self.0.iter().position(|token| token.info.admin);
        if let Some(place) = admin {
            if self
                .0
                .get(place)
                .is_some_and(|token| token.digest == digest)
            {
                return false;
            }
            self.0.remove(place).ended.cancel();
        }
        self.push(ADMIN_NAME, digest, now, true);
        true
    }

    /// Returns the token with this id.
    pub(super) fn one(&self, id: &str) -> Option<&TokenInfo> {
        let mut infos = self.0.iter().map(|token| &token.info);
        infos.find(|info| info.id.as_str() == id)
    }

    /// Returns the tokens without this one, whose users [`end`](Self::end) cuts off once the change is written.
    pub(super) fn without(&self, id: &Id) -> Self {
        let others = self.0.iter().filter(|token| token.info.id != *id);
        Self(others.cloned().collect())
    }

    /// Ends the event streams of this token.
    pub(super) fn end(&self, id: &Id) {
        for token in self.0.iter().filter(|token| token.info.id == *id) {
            token.ended.cancel();
        }
    }

    fn push(
        &mut self,
        name: &str,
        digest: CredentialDigest,
        now: Timestamp,
        admin: bool,
    ) -> TokenInfo {
        let mut id = Id::random('k');
        while self.one(id.as_str()).is_some() {
            id = Id::random('k');
        }
        let info = TokenInfo {
            id,
            name: name.to_owned(),
            created: now,
            last_used: None,
            admin,
        };
        self.0.push(AuthToken {
            info: info.clone(),
            digest,
            ended: CancellationToken::new(),
        });
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn digest(number: usize) -> CredentialDigest {
        CredentialDigest::of(&number.to_string())
    }

    #[test]
    fn what_is_kept_has_no_secret_and_comes_back() {
        let mut tokens = Tokens::default();
        let info = tokens
            .add("Home Assistant", CredentialDigest::of("mains_secret"), NOW)
            .unwrap();
        let text = tokens.to_text();
        assert!(!text.contains("mains_secret"), "{text}");
        let mut back = Tokens::from_text(&text).unwrap();
        assert_eq!(back.list(), std::slice::from_ref(&info));
        assert_eq!(
            back.used(&CredentialDigest::of("mains_secret"), NOW)
                .unwrap()
                .0,
            info.id
        );
        assert!(
            back.used(&CredentialDigest::of("mains_other"), NOW)
                .is_none()
        );
        assert_eq!(back.list()[0].last_used, Some(NOW));
        for bad in [
            "",
            "{}",
            "[1]",
            &text.replace("sha256\":\"", "sha256\":\"?"),
        ] {
            assert!(Tokens::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_unique_and_their_number_is_bounded() {
        let mut tokens = Tokens::default();
        assert!(tokens.set_admin(digest(0), NOW));
        for name in ["admin", "ADMIN"] {
            let error = tokens.add(name, digest(1), NOW).unwrap_err();
            assert_eq!(error.kind(), api::ErrorKind::Conflict);
        }
        assert_eq!(
            tokens.add("", digest(1), NOW).unwrap_err().field(),
            Some("name")
        );
        for number in 1..MAX_TOKENS {
            tokens
                .add(&number.to_string(), digest(number), NOW)
                .unwrap();
        }
        assert!(tokens.add("one more", digest(MAX_TOKENS), NOW).is_err());
    }

    #[test]
    fn a_new_admin_token_takes_the_place_of_the_old() {
        let mut tokens = Tokens::default();
        assert!(tokens.set_admin(digest(0), NOW));
        assert!(!tokens.set_admin(digest(0), NOW));
        let (_, ended) = tokens.used(&digest(0), NOW).unwrap();
        assert!(tokens.set_admin(digest(1), NOW));
        assert!(ended.is_cancelled());
        assert!(tokens.used(&digest(0), NOW).is_none());
        assert_eq!(tokens.list().len(), 1);
    }
}
