//! Sessions of browsers, and the links that begin one. Sessions are kept on the disk, by the digest of their cookie; links are in
//! memory only.
//!
//! Both keep their origin, so that revoking a token also ends what was begun with it. Time is a parameter.

use std::collections::HashMap;
use std::fmt;

use api::{Id, Scope, SiteName};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::secret::CredentialDigest;

/// Beyond it, the session that was unused longest ends.
const MAX_SESSIONS: usize = 256;
/// Beyond it, the oldest link is dropped.
const MAX_LINKS: usize = 32;
/// Age at which an unused session ends.
const MAX_SESSION_IDLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Age at which a session ends, even in use.
pub(super) const MAX_SESSION_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Origin of a session, a login link or a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoginOrigin {
    /// The link that the hub printed when it started.
    PrintedLink,
    /// The password.
    Password,
    /// The password of view-only logins.
    ViewPassword,
    /// A proxy that logs its users in itself.
    Ingress,
    /// A token, or a link that was requested with it.
    Token(Id),
}

impl fmt::Display for LoginOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrintedLink => f.write_str("link"),
            Self::Password | Self::ViewPassword => f.write_str("password"),
            Self::Ingress => f.write_str("ingress"),
            Self::Token(id) => id.fmt(f),
        }
    }
}

/// Identity and access of a browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) origin: LoginOrigin,
    pub(super) scope: Scope,
    /// Sites that may be seen; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sites: Vec<SiteName>,
}

impl Login {
    /// Returns true if it may see a site.
    pub(super) fn sees(&self, site: &SiteName) -> bool {
        self.sites.is_empty() || self.sites.contains(site)
    }
}

#[derive(Debug)]
struct BrowserSession {
    login: Login,
    begun: Timestamp,
    used: Timestamp,
    ended: CancellationToken,
}

/// A session as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSession {
    sha256: String,
    #[serde(flatten)]
    login: Login,
    begun: Timestamp,
    used: Timestamp,
}

impl BrowserSession {
    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.used) >= MAX_SESSION_IDLE
            || now.duration_since(self.begun) >= MAX_SESSION_AGE
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct BrowserSessions(HashMap<CredentialDigest, BrowserSession>);

impl BrowserSessions {
    /// Reads what [`to_text`](Self::to_text) wrote. A session that cannot be read has ended.
    pub(super) fn from_text(text: &str) -> Self {
        let stored: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        let session = |stored: serde_json::Value| {
            let stored = StoredSession::deserialize(stored).ok()?;
            let session = BrowserSession {
                login: stored.login,
                begun: stored.begun,
                used: stored.used,
                ended: CancellationToken::new(),
            };
            Some((CredentialDigest::decode(&stored.sha256)?, session))
        };
        Self(stored.into_iter().filter_map(session).collect())
    }

    /// Returns the stored form.
    pub(super) fn to_text(&self) -> String {
        let stored = |(digest, session): (&CredentialDigest, &BrowserSession)| StoredSession {
            sha256: digest.encode(),
            login: session.login.clone(),
            begun: session.begun,
            used: session.used,
        };
        let stored: Vec<StoredSession> = self.0.iter().map(stored).collect();
        serde_json::to_string(&stored).expect("plain structures can be written as JSON")
    }

    pub(super) fn begin(&mut self, digest: CredentialDigest, login: Login, now: Timestamp) {
        self.sweep(now);
        if self.0.len() >= MAX_SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                self.end(&oldest);
            }
        }
        let session = BrowserSession {
            login,
            begun: now,
            used: now,
            ended: CancellationToken::new(),
        };
        self.0.insert(digest, session);
    }

    /// Marks a session as used. Returns its login, and the token that is cancelled when it ends.
    pub(super) fn used(
        &mut self,
        digest: &CredentialDigest,
        now: Timestamp,
    ) -> Option<(Login, CancellationToken)> {
        let session = self.0.get_mut(digest)?;
        if session.is_over(now) {
            self.end(digest);
            return None;
        }
        session.used = now;
        Some((session.login.clone(), session.ended.clone()))
    }

    pub(super) fn end(&mut self, digest: &CredentialDigest) {
        if let Some(session) = self.0.remove(digest) {
            session.ended.cancel();
        }
    }

    /// Ends all other sessions.
    pub(super) fn end_others(&mut self, own: Option<CredentialDigest>) {
        self.end_where(|digest, _| Some(*digest) != own);
    }

    /// Ends all sessions of this origin.
    pub(super) fn end_from(&mut self, origin: &LoginOrigin) {
        self.end_where(|_, session| session.login.origin == *origin);
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.end_where(|_, session| session.is_over(now));
    }

    fn end_where(&mut self, mut ends: impl FnMut(&CredentialDigest, &BrowserSession) -> bool) {
        self.0.retain(|digest, session| {
            let ends = ends(digest, session);
            if ends {
                session.ended.cancel();
            }
            !ends
        });
    }
}

/// Links that log a browser in, once.
#[derive(Debug, Default)]
pub(super) struct LoginLinks(Vec<PendingLink>);

#[derive(Debug)]
struct PendingLink {
    digest: CredentialDigest,
    login: Login,
    until: Timestamp,
}

impl LoginLinks {
    pub(super) fn add(
        &mut self,
        digest: CredentialDigest,
        login: Login,
        until: Timestamp,
        now: Timestamp,
    ) {
        self.0.retain(|link| link.until > now);
        if self.0.len() >= MAX_LINKS {
            self.0.remove(0);
        }
        self.0.push(PendingLink {
            digest,
            login,
            until,
        });
    }

    /// Uses a link up. Returns its login if it was valid.
    pub(super) fn take(&mut self, digest: &CredentialDigest, now: Timestamp) -> Option<Login> {
        let place = self.0.iter().position(|link| link.digest == *digest)?;
        let link = self.0.remove(place);
        (link.until > now).then_some(link.login)
    }

    /// Drops all links of this origin.
    pub(super) fn end_from(&mut self, origin: &LoginOrigin) {
        self.0.retain(|link| link.login.origin != *origin);
    }

    /// Drops all links.
    pub(super) fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn login(origin: LoginOrigin) -> Login {
        Login {
            sites: Vec::new(),
            origin,
            scope: Scope::Read,
        }
    }

    fn digest(number: usize) -> CredentialDigest {
        CredentialDigest::of(&number.to_string())
    }

    #[test]
    fn a_session_lasts_while_it_is_used_but_not_for_ever() {
        let (mut sessions, begun) = (BrowserSessions::default(), NOW);
        sessions.begin(digest(1), login(LoginOrigin::Password), begun);
        let mut now = begun;
        while now + HOUR * (6 * 24) < begun + MAX_SESSION_AGE {
            now += HOUR * (6 * 24);
            assert!(sessions.used(&digest(1), now).is_some());
        }
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        assert!(sessions.used(&digest(1), begun + MAX_SESSION_AGE).is_none());
        assert!(ended.is_cancelled());
        sessions.begin(digest(2), login(LoginOrigin::Password), begun);
        assert!(
            sessions
                .used(&digest(2), begun + MAX_SESSION_IDLE - HOUR)
                .is_some()
        );
        assert!(
            sessions
                .used(
                    &digest(2),
                    begun + MAX_SESSION_IDLE - HOUR + MAX_SESSION_IDLE
                )
                .is_none()
        );
    }

    #[test]
    fn their_number_is_bounded_and_the_longest_away_goes() {
        let (mut sessions, start) = (BrowserSessions::default(), NOW);
        for number in 0..MAX_SESSIONS {
            sessions.begin(digest(number), login(LoginOrigin::PrintedLink), start);
        }
        for number in (0..MAX_SESSIONS).filter(|number| *number != 7) {
            assert!(sessions.used(&digest(number), start + HOUR).is_some());
        }
        sessions.begin(
            digest(MAX_SESSIONS),
            login(LoginOrigin::PrintedLink),
            start + HOUR,
        );
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert!(sessions.used(&digest(7), start + HOUR).is_none());
    }

    #[test]
    fn what_comes_from_a_revoked_token_ends() {
        let (mut sessions, now) = (BrowserSessions::default(), NOW);
        let (ours, other) = (Id::random('k'), Id::random('k'));
        sessions.begin(digest(1), login(LoginOrigin::Token(ours.clone())), now);
        sessions.begin(digest(2), login(LoginOrigin::Token(other)), now);
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        sessions.end_from(&LoginOrigin::Token(ours));
        assert!(ended.is_cancelled());
        assert!(sessions.used(&digest(1), now).is_none());
        assert!(sessions.used(&digest(2), now).is_some());
    }

    #[test]
    fn a_link_works_once_and_not_for_long() {
        let (mut links, now) = (LoginLinks::default(), NOW);
        links.add(digest(1), login(LoginOrigin::PrintedLink), now + HOUR, now);
        assert_eq!(links.take(&digest(2), now), None);
        assert_eq!(
            links.take(&digest(1), now),
            Some(login(LoginOrigin::PrintedLink))
        );
        assert_eq!(links.take(&digest(1), now), None);
        links.add(digest(1), login(LoginOrigin::PrintedLink), now + HOUR, now);
        assert_eq!(links.take(&digest(1), now + HOUR), None);
    }

    #[test]
    fn the_number_of_links_is_bounded() {
        let (mut links, now) = (LoginLinks::default(), NOW);
        for number in 0..=MAX_LINKS {
            links.add(
                digest(number),
                login(LoginOrigin::PrintedLink),
                now + HOUR,
                now,
            );
        }
        assert_eq!(links.0.len(), MAX_LINKS);
        assert_eq!(links.take(&digest(0), now), None);
        assert!(links.take(&digest(1), now).is_some());
    }

    #[test]
    fn what_is_kept_has_no_secret_and_comes_back() {
        let mut sessions = BrowserSessions::default();
        let cookie = CredentialDigest::of("mains_cookie");
        sessions.begin(cookie, login(LoginOrigin::ViewPassword), NOW);
        let text = sessions.to_text();
        assert!(!text.contains("mains_cookie"), "{text}");
        let mut back = BrowserSessions::from_text(&text);
        let (found, _) = back.used(&cookie, NOW + HOUR).unwrap();
        assert_eq!(found, login(LoginOrigin::ViewPassword));
        assert!(back.used(&cookie, NOW + MAX_SESSION_IDLE + HOUR).is_none());
        for bad in [
            "",
            "{}",
            "[1]",
            &text.replace("sha256\":\"", "sha256\":\"?"),
        ] {
            assert_eq!(BrowserSessions::from_text(bad).0.len(), 0, "{bad}");
        }
    }
}
