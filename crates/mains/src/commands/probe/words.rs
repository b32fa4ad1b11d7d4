//! The discovery words to which a device replies, and its reply to the scan of its maker's application.
//!
//! An identity does not show which word it replies to, so the words are sent one at a time. Waiting for each word
//! without a reply would take long; so all are sent at once first, and after each reply the others are sent together
//! again: silence then excludes them all at once.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::net::{Datagram, UdpPort};
use hiflying::{DiscoveryWord, PORT};
use plugs::{Capability, FamilyId, families};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::evidence::Evidence;
use super::timing::{MAX_SETTLE_DELAY, MAX_WORD_TIMEOUT, WORD_INTERVAL, WORD_RETRIES};

/// Sends the words, along with the scans of the families, and notes the replies.
pub(super) async fn check(
    port: &UdpPort,
    target: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    let mut probe = WordProbe {
        port,
        replies: port.subscribe(),
        target,
        evidence,
        reply_time: Duration::ZERO,
    };
    let start = Instant::now();
    if !probe.gets_reply(words).await {
        return;
    }
    probe.reply_time = (start.elapsed() * 4).clamp(WORD_INTERVAL, MAX_WORD_TIMEOUT);
    let mut rest = words;
    while let Some((word, others)) = rest.split_first() {
        if probe.gets_reply(std::slice::from_ref(word)).await {
            evidence.note(|facts| facts.words.push(word.clone()));
        }
        // A single last word is sent alone in the next turn.
        if others.len() > 1 && !probe.gets_reply(others).await {
            return;
        }
        rest = others;
    }
}

/// Sends the scans of the families to an address.
pub(super) async fn scan(port: &UdpPort, target: Ipv4Addr) {
    for family in families::all().iter() {
        // Plain modules reply to their words.
        if family.capabilities().contains(&Capability::Switch) {
            for probe in family.probes(&[]) {
                send(port, &probe.bytes, (target, probe.port)).await;
            }
        }
    }
}

async fn send(port: &UdpPort, bytes: &[u8], (address, number): (Ipv4Addr, u16)) {
    let to = SocketAddrV4::new(address, number);
    if let Err(error) = port.send_to(bytes, to).await {
        tracing::debug!(%to, %error, "datagram not sent");
    }
}

/// Sends words and scans to one device and takes its replies.
struct WordProbe<'a> {
    port: &'a UdpPort,
    replies: Receiver<Datagram>,
    target: Ipv4Addr,
    evidence: &'a Evidence,
    /// Time for a reply from this device, with a margin.
    reply_time: Duration,
}

impl WordProbe<'_> {
    /// Sends these words until one gets a reply, or until the last retry.
    async fn gets_reply(&mut self, words: &[DiscoveryWord]) -> bool {
        self.settle().await;
        for _ in 0..WORD_RETRIES {
            // The reply to a scan is unambiguous, so it is sent along until there is one.
            if !self.evidence.has_family() {
                scan(self.port, self.target).await;
            }
            for word in words {
                send(self.port, word.as_bytes(), (self.target, PORT)).await;
            }
            if self.receives_identity(Instant::now() + WORD_INTERVAL).await {
                return true;
            }
        }
        self.receives_identity(Instant::now() + self.reply_time)
            .await
    }

    /// Lets late replies pass, so that they are not taken for replies to the next words.
    async fn settle(&mut self) {
        let end = Instant::now() + MAX_SETTLE_DELAY;
        while Instant::now() < end
            && self
                .receives_identity(Instant::now() + self.reply_time)
                .await
        {}
    }

    /// Takes the replies of the device until one is an identity, or until `end`.
    async fn receives_identity(&mut self, end: Instant) -> bool {
        while Instant::now() < end {
            match timeout_at(end, self.replies.recv()).await {
                Ok(Ok(datagram)) if *datagram.from.ip() == self.target => {
                    if self.note(&datagram.bytes) {
                        return true;
                    }
                }
                // From another device, or too many to follow: the words are sent again.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => return false,
            }
        }
        false
    }

    /// Notes a datagram and returns whether it replies to a word.
    fn note(&self, datagram: &[u8]) -> bool {
        let seen = plugs::now();
        let plug = families::all()
            .iter()
            .find_map(|family| family.parse_report(self.target, datagram, seen));
        let Some(plug) = plug else {
            return false;
        };
        let is_identity = plug.family == FamilyId::MODULE;
        self.evidence.note(|facts| facts.add(plug));
        is_identity
    }
}
