//! Sessions of browsers, and the links that begin one. In memory only: a restart logs every browser out.
//!
//! Both keep their origin, so that revoking a token also ends what was begun with it. Time is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use api::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::secret::CredentialDigest;

/// Beyond it, the session that was unused longest ends.
const MAX_SESSIONS: usize = 256;
/// Beyond it, the oldest link is dropped.
const MAX_LINKS: usize = 32;
/// Age at which an unused session ends.
const MAX_SESSION_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Age at which a session ends, even in use.
pub(super) const MAX_SESSION_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Origin of a session or a login link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LoginOrigin {
    /// The link that the hub printed when it started.
    PrintedLink,
    /// The password.
    Password,
    /// A link that was requested with this token.
    Token(Id),
}

#[derive(Debug)]
struct BrowserSession {
    origin: LoginOrigin,
    begun: Instant,
    used: Instant,
    ended: CancellationToken,
}

impl BrowserSession {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= MAX_SESSION_IDLE
            || now.saturating_duration_since(self.begun) >= MAX_SESSION_AGE
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct BrowserSessions(HashMap<CredentialDigest, BrowserSession>);

impl BrowserSessions {
    pub(super) fn begin(&mut self, digest: CredentialDigest, origin: LoginOrigin, now: Instant) {
        self.sweep(now);
        if self.0.len() >= MAX_SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                self.end(&oldest);
            }
        }
        let session = BrowserSession {
            origin,
            begun: now,
            used: now,
            ended: CancellationToken::new(),
        };
        self.0.insert(digest, session);
    }

    /// Marks a session as used. Returns its origin, and the token that is cancelled when it ends.
    pub(super) fn used(
        &mut self,
        digest: &CredentialDigest,
        now: Instant,
    ) -> Option<(LoginOrigin, CancellationToken)> {
        let session = self.0.get_mut(digest)?;
        if session.is_over(now) {
            self.end(digest);
            return None;
        }
        session.used = now;
        Some((session.origin.clone(), session.ended.clone()))
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
        self.end_where(|_, session| session.origin == *origin);
    }

    pub(super) fn sweep(&mut self, now: Instant) {
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
    origin: LoginOrigin,
    until: Instant,
}

impl LoginLinks {
    pub(super) fn add(
        &mut self,
        digest: CredentialDigest,
        origin: LoginOrigin,
        until: Instant,
        now: Instant,
    ) {
        self.0.retain(|link| link.until > now);
        if self.0.len() >= MAX_LINKS {
            self.0.remove(0);
        }
        self.0.push(PendingLink {
            digest,
            origin,
            until,
        });
    }

    /// Uses a link up. Returns its origin if it was valid.
    pub(super) fn take(&mut self, digest: &CredentialDigest, now: Instant) -> Option<LoginOrigin> {
        let place = self.0.iter().position(|link| link.digest == *digest)?;
        let link = self.0.remove(place);
        (link.until > now).then_some(link.origin)
    }

    /// Drops all links of this origin.
    pub(super) fn end_from(&mut self, origin: &LoginOrigin) {
        self.0.retain(|link| link.origin != *origin);
    }

    /// Drops all links.
    pub(super) fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn digest(number: usize) -> CredentialDigest {
        CredentialDigest::of(&number.to_string())
    }

    #[test]
    fn a_session_lasts_while_it_is_used_but_not_for_ever() {
        let (mut sessions, begun) = (BrowserSessions::default(), Instant::now());
        sessions.begin(digest(1), LoginOrigin::Password, begun);
        let mut now = begun;
        while now + 6 * 24 * HOUR < begun + MAX_SESSION_AGE {
            now += 6 * 24 * HOUR;
            assert!(sessions.used(&digest(1), now).is_some());
        }
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        assert!(sessions.used(&digest(1), begun + MAX_SESSION_AGE).is_none());
        assert!(ended.is_cancelled());
        sessions.begin(digest(2), LoginOrigin::Password, begun);
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
        let (mut sessions, start) = (BrowserSessions::default(), Instant::now());
        for number in 0..MAX_SESSIONS {
            sessions.begin(digest(number), LoginOrigin::PrintedLink, start);
        }
        for number in (0..MAX_SESSIONS).filter(|number| *number != 7) {
            assert!(sessions.used(&digest(number), start + HOUR).is_some());
        }
        sessions.begin(digest(MAX_SESSIONS), LoginOrigin::PrintedLink, start + HOUR);
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert!(sessions.used(&digest(7), start + HOUR).is_none());
    }

    #[test]
    fn what_comes_from_a_revoked_token_ends() {
        let (mut sessions, now) = (BrowserSessions::default(), Instant::now());
        let (ours, other) = (Id::random('k'), Id::random('k'));
        sessions.begin(digest(1), LoginOrigin::Token(ours.clone()), now);
        sessions.begin(digest(2), LoginOrigin::Token(other), now);
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        sessions.end_from(&LoginOrigin::Token(ours));
        assert!(ended.is_cancelled());
        assert!(sessions.used(&digest(1), now).is_none());
        assert!(sessions.used(&digest(2), now).is_some());
    }

    #[test]
    fn a_link_works_once_and_not_for_long() {
        let (mut links, now) = (LoginLinks::default(), Instant::now());
        links.add(digest(1), LoginOrigin::PrintedLink, now + HOUR, now);
        assert_eq!(links.take(&digest(2), now), None);
        assert_eq!(links.take(&digest(1), now), Some(LoginOrigin::PrintedLink));
        assert_eq!(links.take(&digest(1), now), None);
        links.add(digest(1), LoginOrigin::PrintedLink, now + HOUR, now);
        assert_eq!(links.take(&digest(1), now + HOUR), None);
    }

    #[test]
    fn the_number_of_links_is_bounded() {
        let (mut links, now) = (LoginLinks::default(), Instant::now());
        for number in 0..=MAX_LINKS {
            links.add(digest(number), LoginOrigin::PrintedLink, now + HOUR, now);
        }
        assert_eq!(links.0.len(), MAX_LINKS);
        assert_eq!(links.take(&digest(0), now), None);
        assert!(links.take(&digest(1), now).is_some());
    }
}
