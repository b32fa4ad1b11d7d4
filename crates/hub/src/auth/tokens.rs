//! Tokens of programs. Their digest is stored; the token itself is shown once.
//!
//! The admin token is one of them. Its secret is in a file of the state directory, for the command line of the same user.

use api::{Id, Name, RequestError, Scope, TokenInfo, TokenRequest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::secret::CredentialDigest;
use super::sessions::LoginOrigin;

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

    /// Marks a token as used. Returns it, and the token that is cancelled when it is revoked.
    pub(super) fn used(
        &mut self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Option<(TokenInfo, CancellationToken)> {
        let mut tokens = self.0.iter_mut();
        let token = tokens.find(|token| token.digest == *digest && !token.is_over(now))?;
        token.info.last_used = Some(now);
        Some((token.info.clone(), token.ended.clone()))
    }

    /// Adds a token. One that is not independent expires with its maker.
    pub(super) fn add(
        &mut self,
        request: &TokenRequest,
        digest: CredentialDigest,
        maker: &LoginOrigin,
        now: Timestamp,
    ) -> Result<TokenInfo, RequestError> {
        self.sweep(now);
        let name = &request.name;
        Name::check_new(name)?;
        if request.expires.is_some_and(|expires| expires <= now) {
            return Err(RequestError::usage("this time is past").at("expires"));
        }
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
        let end_of_maker = match maker {
            LoginOrigin::Token(id) if !request.independent => {
                self.one(id.as_str()).and_then(|maker| maker.expires)
            }
            _ => None,
        };
        let expires = request.expires.into_iter().chain(end_of_maker).min();
        let info = TokenInfo {
            scope: request.scope,
            sites: request.sites.clone(),
            expires,
            created_by: Some(maker.to_string()),
            independent: request.independent,
            ..self.info(name, now)
        };
        Ok(self.push(info, digest))
    }

    /// Sets the digest of the admin token of this hub; each hub that shares the database has one. Returns true if it is a new one.
    pub(super) fn set_admin(
        &mut self,
        digest: CredentialDigest,
        hub: &str,
        now: Timestamp,
    ) -> bool {
        let name = match hub {
            "" => ADMIN_NAME.to_owned(),
            hub => format!("{ADMIN_NAME} {hub}"),
        };
        let is_own = |token: &AuthToken| {
            let is_same = token.digest == digest || token.info.name == name;
            token.info.admin && (hub.is_empty() || is_same)
        };
        let admin = self.0.iter().position(is_own);
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
        let info = TokenInfo {
            admin: true,
            ..self.info(&name, now)
        };
        self.push(info, digest);
        true
    }

    /// Returns the id of an admin token.
    pub(super) fn admin(&self) -> Option<&Id> {
        let admin = self.0.iter().find(|token| token.info.admin)?;
        Some(&admin.info.id)
    }

    /// Returns the token with this id.
    pub(super) fn one(&self, id: &str) -> Option<&TokenInfo> {
        let mut infos = self.0.iter().map(|token| &token.info);
        infos.find(|info| info.id.as_str() == id)
    }

    /// Returns a token and the tokens that end with it: those that it made, and those that they made.
    pub(super) fn with_children(&self, id: &Id) -> Vec<Id> {
        let mut ending = vec![id.clone()];
        let mut looked_at = 0;
        while let Some(maker) = ending.get(looked_at).cloned() {
            let is_child = |info: &&TokenInfo| {
                !info.independent && info.created_by.as_deref() == Some(maker.as_str())
            };
            let children = self.0.iter().map(|token| &token.info).filter(is_child);
            ending.extend(children.map(|info| info.id.clone()));
            looked_at += 1;
        }
        ending
    }

    /// Returns the tokens without these, whose users [`end`](Self::end) cuts off once the change is written.
    pub(super) fn without(&self, ids: &[Id]) -> Self {
        let others = self.0.iter().filter(|token| !ids.contains(&token.info.id));
        Self(others.cloned().collect())
    }

    /// Ends the event streams of these tokens.
    pub(super) fn end(&self, ids: &[Id]) {
        for token in self.0.iter().filter(|token| ids.contains(&token.info.id)) {
            token.ended.cancel();
        }
    }

    /// Removes tokens that have expired. Returns their ids.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<Id> {
        let over = self.0.extract_if(.., |token| token.is_over(now));
        let end = |token: AuthToken| {
            token.ended.cancel();
            token.info.id
        };
        over.map(end).collect()
    }

    fn info(&self, name: &str, now: Timestamp) -> TokenInfo {
        let mut id = Id::random('k');
        while self.one(id.as_str()).is_some() {
            id = Id::random('k');
        }
        TokenInfo {
            id,
            name: name.to_owned(),
            scope: Scope::Admin,
            sites: Vec::new(),
            expires: None,
            created: now,
            created_by: None,
            independent: false,
            last_used: None,
            admin: false,
        }
    }

    fn push(&mut self, info: TokenInfo, digest: CredentialDigest) -> TokenInfo {
        self.0.push(AuthToken {
            info: info.clone(),
            digest,
            ended: CancellationToken::new(),
        });
        info
    }
}

impl AuthToken {
    fn is_over(&self, now: Timestamp) -> bool {
        self.info.expires.is_some_and(|expires| expires <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn request(name: &str) -> TokenRequest {
        TokenRequest {
            name: name.to_owned(),
            ..TokenRequest::default()
        }
    }

    fn add(tokens: &mut Tokens, name: &str, number: usize) -> Result<TokenInfo, RequestError> {
        let maker = LoginOrigin::PrintedLink;
        tokens.add(&request(name), digest(number), &maker, NOW)
    }

    fn digest(number: usize) -> CredentialDigest {
        CredentialDigest::of(&number.to_string())
    }

    #[test]
    fn what_is_kept_has_no_secret_and_comes_back() {
        let mut tokens = Tokens::default();
        let info = tokens
            .add(
                &request("Home Assistant"),
                CredentialDigest::of("mains_secret"),
                &LoginOrigin::Password,
                NOW,
            )
            .unwrap();
        assert_eq!(info.created_by.as_deref(), Some("password"));
        let text = tokens.to_text();
        assert!(!text.contains("mains_secret"), "{text}");
        let mut back = Tokens::from_text(&text).unwrap();
        assert_eq!(back.list(), std::slice::from_ref(&info));
        assert_eq!(
            back.used(&CredentialDigest::of("mains_secret"), NOW)
                .unwrap()
                .0
                .id,
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
        assert!(tokens.set_admin(digest(0), "", NOW));
        for name in ["admin", "ADMIN"] {
            let error = add(&mut tokens, name, 1).unwrap_err();
            assert_eq!(error.kind(), api::ErrorKind::Conflict);
        }
        assert_eq!(add(&mut tokens, "", 1).unwrap_err().field(), Some("name"));
        for number in 1..MAX_TOKENS {
            add(&mut tokens, &number.to_string(), number).unwrap();
        }
        assert!(add(&mut tokens, "one more", MAX_TOKENS).is_err());
    }

    #[test]
    fn a_new_admin_token_takes_the_place_of_the_old() {
        let mut tokens = Tokens::default();
        assert!(tokens.set_admin(digest(0), "", NOW));
        assert!(!tokens.set_admin(digest(0), "", NOW));
        let (_, ended) = tokens.used(&digest(0), NOW).unwrap();
        assert!(tokens.set_admin(digest(1), "", NOW));
        assert!(ended.is_cancelled());
        assert!(tokens.used(&digest(0), NOW).is_none());
        assert_eq!(tokens.list().len(), 1);
    }

    #[test]
    fn a_token_ends_at_its_time_and_a_child_not_later_than_its_maker() {
        let at = |seconds| NOW + jiff::SignedDuration::from_secs(seconds);
        let mut tokens = Tokens::default();
        let mut make = |name: &str, number, maker: &LoginOrigin, expires, independent| {
            let request = TokenRequest {
                expires,
                independent,
                ..request(name)
            };
            tokens.add(&request, digest(number), maker, NOW)
        };
        assert_eq!(
            make("past", 0, &LoginOrigin::Password, Some(NOW), false)
                .unwrap_err()
                .field(),
            Some("expires")
        );
        let maker = make("maker", 1, &LoginOrigin::Password, Some(at(60)), false).unwrap();
        let maker = LoginOrigin::Token(maker.id);
        let child = make("child", 2, &maker, Some(at(90)), false).unwrap();
        assert_eq!(child.expires, Some(at(60)));
        assert_eq!(child.created_by, Some(maker.to_string()));
        let free = make("free", 3, &maker, None, true).unwrap();
        assert_eq!(free.expires, None);
        assert!(tokens.used(&digest(1), at(59)).is_some());
        let (_, ended) = tokens.used(&digest(2), at(59)).unwrap();
        assert!(tokens.used(&digest(1), at(60)).is_none());
        assert_eq!(tokens.sweep(at(60)).len(), 2);
        assert!(ended.is_cancelled());
        assert_eq!(
            tokens.list(),
            [TokenInfo {
                last_used: None,
                ..free
            }]
        );
    }

    #[test]
    fn what_a_token_made_ends_with_it_and_what_that_made() {
        let mut tokens = Tokens::default();
        let mut maker = LoginOrigin::Password;
        let mut ids = Vec::new();
        for (number, name) in ["root", "child", "grandchild"].iter().enumerate() {
            let info = tokens
                .add(&request(name), digest(number), &maker, NOW)
                .unwrap();
            maker = LoginOrigin::Token(info.id.clone());
            ids.push(info.id);
        }
        let free = TokenRequest {
            independent: true,
            ..request("free")
        };
        let child = LoginOrigin::Token(ids[1].clone());
        tokens.add(&free, digest(9), &child, NOW).unwrap();
        assert_eq!(tokens.with_children(&ids[0]), ids);
        assert_eq!(tokens.with_children(&ids[2]), ids[2..]);
        let left = tokens.without(&ids).list();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].name, "free");
    }
}
