//! Finding the module and opening command mode.

use std::time::Instant;

use zeroize::Zeroizing;

use super::config::{BLIND_ROUND, MAX_CONFIRMATIONS, MAX_FRAGMENT};
use super::exchange::is_complete;
use super::round_trip::after;
use super::{AtSession, AtSessionEvent, NoReply, SessionPhase};
use crate::at::begins_reply;
use crate::discovery::CONFIRM;
use crate::{AtReply, ModuleIdentity};

impl AtSession {
    /// Starts looking for the module.
    pub(super) fn seek(&mut self, now: Instant) {
        self.confirmed = false;
        self.seek_from(now, 0);
    }

    /// Opens command mode again that was open before.
    pub(super) fn reopen(&mut self, now: Instant) {
        // The apparent reply to the null command may have been one to the `+ok`.
        self.terminator_known = false;
        self.seek_from(now, BLIND_ROUND);
    }

    fn seek_from(&mut self, now: Instant, round: u32) {
        let deadline = after(now, self.config.handshake_timeout);
        self.phase = SessionPhase::Seeking {
            next: now,
            deadline,
            round,
            sent: None,
        };
        self.seek_again(now);
    }

    /// Sends the next round of words: first the likeliest alone; then all and, because command mode may
    /// be open already or need no opening, the null command; from then on also the `+ok` between them,
    /// because the module may have received the word although its reply got lost.
    pub(super) fn seek_again(&mut self, now: Instant) {
        let SessionPhase::Seeking {
            next, round, sent, ..
        } = &mut self.phase
        else {
            return;
        };
        let number = *round;
        *next = after(now, self.config.min_interval);
        *round += 1;
        *sent = (number == 0).then_some(now);
        let words = self.config.words.iter();
        let words = words.take(if number == 0 { 1 } else { usize::MAX });
        let words = words.map(|word| Zeroizing::new(word.as_bytes().to_vec()));
        self.words_sent = self
            .words_sent
            .saturating_add(u32::try_from(words.len()).unwrap_or(u32::MAX));
        self.transmits.extend(words);
        if number >= BLIND_ROUND {
            self.turn_terminator();
            self.transmit_confirm();
        }
        if number > 0 || self.config.words.is_empty() {
            self.transmit_null();
        }
    }

    fn transmit_confirm(&mut self) {
        self.confirmed = true;
        self.transmits.push_back(Zeroizing::new(CONFIRM.to_vec()));
    }

    /// Parses an identity. It has no end mark; while one is awaited, two fragments may make it complete.
    pub(super) fn parse_identity(&mut self, datagram: &[u8]) -> Option<ModuleIdentity> {
        if matches!(self.phase, SessionPhase::Seeking { .. }) && datagram.len() < MAX_FRAGMENT {
            let whole = [self.fragment.as_slice(), datagram].concat();
            self.fragment = datagram.to_vec();
            if let Some(identity) = ModuleIdentity::parse(&whole) {
                return Some(identity);
            }
        }
        ModuleIdentity::parse(datagram)
    }

    pub(super) fn handle_identity(&mut self, now: Instant, identity: ModuleIdentity) {
        self.identity = Some(identity);
        self.identities = self.identities.saturating_add(1);
        self.doubles |= self.identities > self.words_sent;
        let SessionPhase::Seeking { deadline, sent, .. } = self.phase else {
            return;
        };
        if let Some(sent) = sent {
            self.round_trip.measure(now.saturating_duration_since(sent));
        }
        self.phase = SessionPhase::Confirming {
            next: now,
            deadline,
            tries: 0,
        };
        self.confirm_again(now);
    }

    /// Sends `+ok` and a null command. The vendor says to wait 300 ms after `+ok`; a null command right
    /// behind it, repeated until there is a reply, shows sooner that command mode is open.
    pub(super) fn confirm_again(&mut self, now: Instant) {
        let delay = self
            .round_trip
            .resend_delay(self.config.min_interval, self.config.reply_timeout);
        let SessionPhase::Confirming {
            next,
            deadline,
            tries,
        } = &mut self.phase
        else {
            return;
        };
        *next = after(now, delay);
        *tries += 1;
        if *tries > MAX_CONFIRMATIONS {
            self.phase = SessionPhase::Seeking {
                next: now,
                deadline: *deadline,
                round: BLIND_ROUND,
                sent: None,
            };
            return self.seek_again(now);
        }
        if *tries > 1 {
            self.turn_terminator();
        }
        self.transmit_confirm();
        self.transmit_null();
    }

    /// Takes a reply as a sign that command mode is open: the one to the null command, the `+ok` with which
    /// some firmware replies to `+ok`, or the `+ERR=-1` of a module that was in command mode already and took
    /// `+ok` for a command.
    pub(super) fn handle_opening(&mut self, now: Instant, datagram: &[u8]) {
        if !begins_reply(datagram) {
            return;
        }
        self.phase = SessionPhase::Open;
        // A refusal is the reply to the `+ok`, which has no line end.
        self.terminator_known |= matches!(AtReply::parse(datagram), AtReply::Ok(_));
        self.terminates |= is_complete(datagram);
        self.last_activity = now;
        if !self.announced {
            self.announced = true;
            self.unasked = !self.confirmed;
            self.events.push_back(AtSessionEvent::Opened {
                identity: self.identity.clone(),
            });
        }
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.recognises(datagram))
        {
            return self.handle_open(now, datagram);
        }
        // A module in command mode may reply to word, `+ok` and null command alike.
        self.settle_for = self.round_trip.settle();
        self.settle(now);
        if let (Some(active), Some(at)) = (&mut self.active, self.settle_until) {
            active.reopened(at);
        }
    }

    pub(super) fn lose(&mut self) {
        self.phase = SessionPhase::Lost;
        self.announced = false;
        self.terminator_known = false;
        self.fail_all(NoReply::Timeout);
        self.events.push_back(AtSessionEvent::Lost);
    }
}
