//! Tokens of programs: named, listed, revoked. What is kept is their digest; the token itself is shown once.
//!
//! The admin token is one of them. Its secret lives in a file of the state directory, for the command line of the same
//! user; what is kept here is only who it is and when it was used.

use api::{Id, RequestError, check_name};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::secret::Digest;

/// So many tokens can exist.
const MOST: usize = 100;
/// The name of the token in the state directory.
pub(super) const ADMIN: &str = "admin";

/// A token as it is listed. Its secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// What it is called in paths.
    #[schema(value_type = String, example = "k-3f9a02c1")]
    pub id: Id,
    /// What its owner called it.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it was last used; null when never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_used: Option<Timestamp>,
    /// Whether it is the one in the state directory.
    pub admin: bool,
}

/// A token as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    info: TokenInfo,
    sha256: String,
}

#[derive(Debug, Clone)]
struct Token {
    info: TokenInfo,
    digest: Digest,
    ended: CancellationToken,
}

/// All tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads what [`to_text`](Self::to_text) wrote.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let kept: Vec<Kept> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let token = |kept: Kept| {
            let digest = Digest::decode(&kept.sha256)
                .ok_or_else(|| format!("the digest of {} is none", kept.info.id))?;
            Ok(Token {
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

    /// Returns what is kept.
    pub(super) fn to_text(&self) -> String {
        let kept = |token: &Token| Kept {
            info: token.info.clone(),
            sha256: token.digest.encode(),
        };
        let kept: Vec<Kept> = self.0.iter().map(kept).collect();
        // A list of plain structures, which always can be written.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// Returns all, oldest first.
    pub(super) fn list(&self) -> Vec<TokenInfo> {
        self.0.iter().map(|token| token.info.clone()).collect()
    }

    /// Returns whose token this is, and what tells when it is revoked.
    pub(super) fn used(
        &mut self,
        digest: &Digest,
        now: Timestamp,
    ) -> Option<(Id, CancellationToken)> {
        let token = self.0.iter_mut().find(|token| token.digest == *digest)?;
        token.info.last_used = Some(now);
        Some((token.info.id.clone(), token.ended.clone()))
    }

    /// Adds one.
    pub(super) fn add(
        &mut self,
        name: &str,
        digest: Digest,
        now: Timestamp,
    ) -> Result<TokenInfo, RequestError> {
        check_name(name)?;
        let lower = name.to_lowercase();
        if self
            .0
            .iter()
            .any(|token| token.info.name.to_lowercase() == lower)
        {
            let message = format!("there is a token called '{name}' already");
            return Err(RequestError::conflict(message).at("name"));
        }
        if self.0.len() >= MOST {
            return Err(
                RequestError::conflict(format!("there are {MOST} tokens already"))
                    .hint("revoke those that nobody uses any more"),
            );
        }
        Ok(self.push(name, digest, now, false))
    }

    /// Takes note of what is in the state directory; returns whether that is news.
    pub(super) fn set_admin(&mut self, digest: Digest, now: Timestamp) -> bool {
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
        self.push(ADMIN, digest, now, true);
        true
    }

    /// Returns one.
    pub(super) fn one(&self, id: &str) -> Option<&TokenInfo> {
        let mut infos = self.0.iter().map(|token| &token.info);
        infos.find(|info| info.id.as_str() == id)
    }

    /// Takes one away. Whoever uses it is told by [`end`](Self::end), once it is written.
    pub(super) fn without(&self, id: &Id) -> Self {
        let others = self.0.iter().filter(|token| token.info.id != *id);
        Self(others.cloned().collect())
    }

    /// Cuts off those who are being answered with this token.
    pub(super) fn end(&self, id: &Id) {
        for token in self.0.iter().filter(|token| token.info.id == *id) {
            token.ended.cancel();
        }
    }

    fn push(&mut self, name: &str, digest: Digest, now: Timestamp, admin: bool) -> TokenInfo {
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
        self.0.push(Token {
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

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn what_is_kept_has_no_secret_and_comes_back() {
        let mut tokens = Tokens::default();
        let info = tokens
            .add("Home Assistant", Digest::of("mains_secret"), NOW)
            .unwrap();
        let text = tokens.to_text();
        assert!(!text.contains("mains_secret"), "{text}");
        let mut back = Tokens::from_text(&text).unwrap();
        assert_eq!(back.list(), std::slice::from_ref(&info));
        assert_eq!(
            back.used(&Digest::of("mains_secret"), NOW).unwrap().0,
            info.id
        );
        assert!(back.used(&Digest::of("mains_other"), NOW).is_none());
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
        for number in 1..MOST {
            tokens
                .add(&number.to_string(), digest(number), NOW)
                .unwrap();
        }
        assert!(tokens.add("one more", digest(MOST), NOW).is_err());
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
