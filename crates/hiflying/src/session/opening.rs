//! Finding the module and opening command mode.

use std::time::Instant;

use zeroize::Zeroizing;

use super::exchange::{begins_reply, is_complete};
use super::pace::after;
use super::{AtSession, AtSessionEvent, NoReply, Phase};
use crate::discovery::CONFIRM;
use crate::{AtReply, ModuleIdentity};

/// How often the opening of command mode is repeated before the words are tried again.
const CONFIRM_TRIES: u32 = 4;

/// From which round of words on `+ok` goes with them.
const BLIND_ROUND: u32 = 2;

/// An identity has some forty bytes.
const MAX_FRAGMENT: usize = 128;

impl AtSession {
    /// Looks for the module: the likeliest word alone, then everything that may help.
    pub(super) fn seek(&mut self, now: Instant) {
        self.confirmed = false;
        self.seek_from(now, 0);
    }

    /// Opens command mode again that was open before.
    pub(super) fn reopen(&mut self, now: Instant) {
        // What looked like an answer to the null command may have been one to the `+ok`.
        self.terminator_known = false;
        self.seek_from(now, BLIND_ROUND);
    }

    fn seek_from(&mut self, now: Instant, round: u32) {
        let deadline = after(now, self.config.handshake_timeout);
        self.phase = Phase::Seeking {
            next: now,
            deadline,
            round,
            sent: None,
        };
        self.seek_again(now);
    }

    /// First the likeliest word alone. Then all words and, because command mode may be open already
    /// or need no opening, the null command. From then on also the `+ok` between them: where
    /// datagrams get lost, the module may have heard the word although its answer did not arrive.
    pub(super) fn seek_again(&mut self, now: Instant) {
        let Phase::Seeking {
            next, round, sent, ..
        } = &mut self.phase
        else {
            return;
        };
        let number = *round;
        *next = after(now, self.config.pace);
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

    /// An identity has no end mark; while one is awaited, two pieces may make it whole.
    pub(super) fn parse_identity(&mut self, datagram: &[u8]) -> Option<ModuleIdentity> {
        if matches!(self.phase, Phase::Seeking { .. }) && datagram.len() < MAX_FRAGMENT {
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
        let Phase::Seeking { deadline, sent, .. } = self.phase else {
            return;
        };
        if let Some(sent) = sent {
            self.round_trip.measure(now.saturating_duration_since(sent));
        }
        self.phase = Phase::Confirming {
            next: now,
            deadline,
            tries: 0,
        };
        self.confirm_again(now);
    }

    /// The recipe says to wait 300 ms after `+ok`. A null command right behind it, repeated until
    /// it is answered, tells sooner that command mode is open.
    pub(super) fn confirm_again(&mut self, now: Instant) {
        let pace = self
            .round_trip
            .pace(self.config.pace, self.config.reply_timeout);
        let Phase::Confirming {
            next,
            deadline,
            tries,
        } = &mut self.phase
        else {
            return;
        };
        *next = after(now, pace);
        *tries += 1;
        if *tries > CONFIRM_TRIES {
            self.phase = Phase::Seeking {
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

    /// Anything of the AT grammar shows that command mode is open: the reply to the null command;
    /// the `+ok` with which some firmware answers `+ok`; the `+ERR=-1` of one that was in
    /// command mode already and took `+ok` for a command.
    pub(super) fn handle_opening(&mut self, now: Instant, datagram: &[u8]) {
        if !begins_reply(datagram) {
            return;
        }
        self.phase = Phase::Open;
        // A refusal answers the `+ok`, which has no line end.
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
        // Word, `+ok` and null command may all be answered, by a module in command mode.
        self.settle_for = self.round_trip.settle();
        self.settle(now);
        if let (Some(active), Some(at)) = (&mut self.active, self.settle_until) {
            active.reopened(at);
        }
    }

    pub(super) fn lose(&mut self) {
        self.phase = Phase::Lost;
        self.announced = false;
        self.terminator_known = false;
        self.fail_all(NoReply::Timeout);
        self.events.push_back(AtSessionEvent::Lost);
    }
}
