//! The AT sessions on UDP 48899: the password opens an offer, `+ok` turns it into command mode, a minute without commands ends it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// Progress of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStage {
    /// The password was answered.
    Offered,
    /// AT commands are answered.
    Command,
}

#[derive(Debug)]
struct ModuleSession {
    peer: SocketAddrV4,
    stage: SessionStage,
    heard: Instant,
}

/// The sessions with all peers; a peer's port is 0 where only its address counts.
#[derive(Debug, Default)]
pub(super) struct ModuleSessions(Vec<ModuleSession>);

/// More peers than a home has; the one that has been silent for longest makes room.
const MAX_SESSIONS: usize = 16;

impl ModuleSessions {
    /// The peer has sent the password. In command mode it stays there.
    pub(super) fn offer(&mut self, now: Instant, peer: SocketAddrV4, idle: Duration) {
        if self.stage(now, peer, idle) == Some(SessionStage::Command) {
            self.touch(now, peer);
            return;
        }
        self.close(peer);
        if self.0.len() >= MAX_SESSIONS {
            let oldest = self
                .0
                .iter()
                .enumerate()
                .min_by_key(|(_, session)| session.heard);
            if let Some((oldest, _)) = oldest {
                self.0.swap_remove(oldest);
            }
        }
        self.0.push(ModuleSession {
            peer,
            stage: SessionStage::Offered,
            heard: now,
        });
    }

    /// The peer has confirmed.
    pub(super) fn open(&mut self, now: Instant, peer: SocketAddrV4) {
        for session in self.0.iter_mut().filter(|session| session.peer == peer) {
            session.stage = SessionStage::Command;
            session.heard = now;
        }
    }

    /// The peer has sent a command.
    pub(super) fn touch(&mut self, now: Instant, peer: SocketAddrV4) {
        for session in self.0.iter_mut().filter(|session| session.peer == peer) {
            session.heard = now;
        }
    }

    /// Returns the progress of a peer whose last command is not older than `idle`.
    pub(super) fn stage(
        &mut self,
        now: Instant,
        peer: SocketAddrV4,
        idle: Duration,
    ) -> Option<SessionStage> {
        self.0
            .retain(|session| now.saturating_duration_since(session.heard) <= idle);
        self.0
            .iter()
            .find(|session| session.peer == peer)
            .map(|session| session.stage)
    }

    pub(super) fn close(&mut self, peer: SocketAddrV4) {
        self.0.retain(|session| session.peer != peer);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
