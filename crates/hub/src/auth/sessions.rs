//! Who is logged in: sessions of browsers, and the links that begin one. In memory only: a new start logs everybody out.
//!
//! Both remember what they come from, so that revoking a token also ends what was begun with it. Pure: time is a
//! parameter.

use std::collections::HashMap;
use std::time::Duration;

use api::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::secret::Digest;

/// So many browsers can be logged in; the one that was away longest makes room.
const MOST_SESSIONS: usize = 256;
/// So many links can be open; the oldest makes room.
const MOST_LINKS: usize = 32;
/// A session that is not used for so long has ended.
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A session ends after so long, whatever happens in it.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How somebody got in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// By the link that the hub printed when it started.
    Start,
    /// By the password.
    Password,
    /// By a link that was asked for with this token.
    Token(Id),
}

#[derive(Debug)]
struct Session {
    origin: Origin,
    begun: Instant,
    used: Instant,
    ended: CancellationToken,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
            || now.saturating_duration_since(self.begun) >= LONGEST
    }
}

/// All browsers that are logged in.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Digest, Session>);

impl Sessions {
    pub(super) fn begin(&mut self, digest: Digest, origin: Origin, now: Instant) {
        self.sweep(now);
        if self.0.len() >= MOST_SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                self.end(&oldest);
            }
        }
        let session = Session {
            origin,
            begun: now,
            used: now,
            ended: CancellationToken::new(),
        };
        self.0.insert(digest, session);
    }

    /// Returns how the owner of this session got in, and what tells when it ends.
    pub(super) fn used(
        &mut self,
        digest: &Digest,
        now: Instant,
    ) -> Option<(Origin, CancellationToken)> {
        let session = self.0.get_mut(digest)?;
        if session.is_over(now) {
            self.end(digest);
            return None;
        }
        session.used = now;
        Some((session.origin.clone(), session.ended.clone()))
    }

    pub(super) fn end(&mut self, digest: &Digest) {
        if let Some(session) = self.0.remove(digest) {
            session.ended.cancel();
        }
    }

    /// Ends all but this one.
    pub(super) fn end_others(&mut self, own: Option<Digest>) {
        self.end_where(|digest, _| Some(*digest) != own);
    }

    /// Ends all that come from this.
    pub(super) fn end_from(&mut self, origin: &Origin) {
        self.end_where(|_, session| session.origin == *origin);
    }

    pub(super) fn sweep(&mut self, now: Instant) {
        self.end_where(|_, session| session.is_over(now));
    }

    fn end_where(&mut self, mut ends: impl FnMut(&Digest, &Session) -> bool) {
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
pub(super) struct Links(Vec<Link>);

#[derive(Debug)]
struct Link {
    digest: Digest,
    origin: Origin,
    until: Instant,
}

impl Links {
    pub(super) fn add(&mut self, digest: Digest, origin: Origin, until: Instant, now: Instant) {
        self.0.retain(|link| link.until > now);
        if self.0.len() >= MOST_LINKS {
            self.0.remove(0);
        }
        self.0.push(Link {
            digest,
            origin,
            until,
        });
    }

    /// Uses a link up.
    pub(super) fn take(&mut self, digest: &Digest, now: Instant) -> Option<Origin> {
        let place = self.0.iter().position(|link| link.digest == *digest)?;
        let link = self.0.remove(place);
        (link.until > now).then_some(link.origin)
    }

    /// Makes all links useless that come from this.
    pub(super) fn end_from(&mut self, origin: &Origin) {
        self.0.retain(|link| link.origin != *origin);
    }

    /// Makes all links useless.
    pub(super) fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn a_session_lasts_while_it_is_used_but_not_for_ever() {
        let (mut sessions, begun) = (Sessions::default(), Instant::now());
        sessions.begin(digest(1), Origin::Password, begun);
        let mut now = begun;
        while now + 6 * 24 * HOUR < begun + LONGEST {
            now += 6 * 24 * HOUR;
            assert!(sessions.used(&digest(1), now).is_some());
        }
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        assert!(sessions.used(&digest(1), begun + LONGEST).is_none());
        assert!(ended.is_cancelled());
        sessions.begin(digest(2), Origin::Password, begun);
        assert!(sessions.used(&digest(2), begun + IDLE - HOUR).is_some());
        assert!(
            sessions
                .used(&digest(2), begun + IDLE - HOUR + IDLE)
                .is_none()
        );
    }

    #[test]
    fn their_number_is_bounded_and_the_longest_away_goes() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        for number in 0..MOST_SESSIONS {
            sessions.begin(digest(number), Origin::Start, start);
        }
        for number in (0..MOST_SESSIONS).filter(|number| *number != 7) {
            assert!(sessions.used(&digest(number), start + HOUR).is_some());
        }
        sessions.begin(digest(MOST_SESSIONS), Origin::Start, start + HOUR);
        assert_eq!(sessions.0.len(), MOST_SESSIONS);
        assert!(sessions.used(&digest(7), start + HOUR).is_none());
    }

    #[test]
    fn what_comes_from_a_revoked_token_ends() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let (ours, other) = (Id::random('k'), Id::random('k'));
        sessions.begin(digest(1), Origin::Token(ours.clone()), now);
        sessions.begin(digest(2), Origin::Token(other), now);
        let (_, ended) = sessions.used(&digest(1), now).unwrap();
        sessions.end_from(&Origin::Token(ours));
        assert!(ended.is_cancelled());
        assert!(sessions.used(&digest(1), now).is_none());
        assert!(sessions.used(&digest(2), now).is_some());
    }

    #[test]
    fn a_link_works_once_and_not_for_long() {
        let (mut links, now) = (Links::default(), Instant::now());
        links.add(digest(1), Origin::Start, now + HOUR, now);
        assert_eq!(links.take(&digest(2), now), None);
        assert_eq!(links.take(&digest(1), now), Some(Origin::Start));
        assert_eq!(links.take(&digest(1), now), None);
        links.add(digest(1), Origin::Start, now + HOUR, now);
        assert_eq!(links.take(&digest(1), now + HOUR), None);
    }

    #[test]
    fn the_number_of_links_is_bounded() {
        let (mut links, now) = (Links::default(), Instant::now());
        for number in 0..=MOST_LINKS {
            links.add(digest(number), Origin::Start, now + HOUR, now);
        }
        assert_eq!(links.0.len(), MOST_LINKS);
        assert_eq!(links.take(&digest(0), now), None);
        assert!(links.take(&digest(1), now).is_some());
    }
}
