//! Which discovery words a device answers, and whether it answers the scan of its maker's application.
//!
//! An identity does not tell which word it answers, so words are told apart by asking one at a time. To wait for each
//! word that nobody answers would take long; so all are asked at once first, and where one is answered, the others are
//! asked together again: silence then clears them all in one wait.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::net::{Datagram, UdpPort};
use hiflying::{DiscoveryWord, PORT};
use jiff::Timestamp;
use plugs::{Capability, FamilyId, families};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::evidence::Evidence;

/// How often something is asked before silence is believed: at 40 % loss each way one in thirty goes unheard by this.
const TRIES: u32 = 8;
/// From one try to the next.
const PACE: Duration = Duration::from_millis(150);
/// Longer than an answer takes, on a bad day.
const LONGEST_ANSWER: Duration = Duration::from_millis(600);
/// No device may keep us listening to late answers for longer.
const LONGEST_SETTLING: Duration = Duration::from_secs(2);

/// Words of the factories whose modules are known: Hi-Flying's own, solar loggers', and those of two other brands.
pub(super) fn known() -> Vec<DiscoveryWord> {
    let others = ["www.usr.cn", "Link_Wi-Fi"]
        .into_iter()
        .filter_map(|word| word.parse().ok());
    [DiscoveryWord::HF_A11, DiscoveryWord::WIFIKIT]
        .into_iter()
        .chain(others)
        .collect()
}

/// Asks the words, and beside them what the families ask, and notes what is answered.
pub(super) async fn ask(
    port: &UdpPort,
    target: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    let mut questions = Questions {
        port,
        answers: port.subscribe(),
        target,
        evidence,
        answer_time: Duration::ZERO,
    };
    let start = Instant::now();
    if !questions.is_answered(words).await {
        return;
    }
    questions.answer_time = (start.elapsed() * 4).clamp(PACE, LONGEST_ANSWER);
    let mut rest = words;
    while let Some((word, others)) = rest.split_first() {
        if questions.is_answered(std::slice::from_ref(word)).await {
            evidence.note(|known| known.words.push(word.clone()));
        }
        // The last one alone is asked alone in the next turn.
        if others.len() > 1 && !questions.is_answered(others).await {
            return;
        }
        rest = others;
    }
}

/// A conversation of single datagrams with one device.
struct Questions<'a> {
    port: &'a UdpPort,
    answers: Receiver<Datagram>,
    target: Ipv4Addr,
    evidence: &'a Evidence,
    /// How long this device takes to answer, generously.
    answer_time: Duration,
}

impl Questions<'_> {
    /// Asks these words until one of them is answered, or silence must be believed.
    async fn is_answered(&mut self, words: &[DiscoveryWord]) -> bool {
        self.settle().await;
        for _ in 0..TRIES {
            // The answer to a scan cannot be mistaken, so it is asked along until there is one.
            if !self.evidence.is_named() {
                self.scan().await;
            }
            for word in words {
                self.send(word.as_bytes(), PORT).await;
            }
            if self.hears_identity(Instant::now() + PACE).await {
                return true;
            }
        }
        self.hears_identity(Instant::now() + self.answer_time).await
    }

    async fn scan(&self) {
        for family in families::all().iter() {
            // Plain modules are asked by their words.
            if family.capabilities().contains(&Capability::Switch) {
                for probe in family.probes(&[]) {
                    self.send(&probe.bytes, probe.port).await;
                }
            }
        }
    }

    /// Lets late answers pass, so that they are not taken for answers to the next question.
    async fn settle(&mut self) {
        let end = Instant::now() + LONGEST_SETTLING;
        while Instant::now() < end && self.hears_identity(Instant::now() + self.answer_time).await {
        }
    }

    async fn send(&self, bytes: &[u8], port: u16) {
        let to = SocketAddrV4::new(self.target, port);
        if let Err(error) = self.port.send_to(bytes, to).await {
            tracing::debug!(%to, %error, "cannot send");
        }
    }

    /// Notes what the device says, until it says who its module is, or until `end`.
    async fn hears_identity(&mut self, end: Instant) -> bool {
        while Instant::now() < end {
            match timeout_at(end, self.answers.recv()).await {
                Ok(Ok(datagram)) if *datagram.from.ip() == self.target => {
                    if self.note(&datagram.bytes) {
                        return true;
                    }
                }
                // Somebody else's, or too many to follow: the device repeats itself.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => return false,
            }
        }
        false
    }

    /// Notes a datagram; returns whether it answers a word.
    fn note(&self, datagram: &[u8]) -> bool {
        let seen = Timestamp::now();
        let plug = families::all()
            .iter()
            .find_map(|family| family.parse_report(self.target, datagram, seen));
        let Some(plug) = plug else {
            return false;
        };
        let is_identity = plug.family == FamilyId::MODULE;
        self.evidence.note(|known| known.take(plug));
        is_identity
    }
}
