//! Which discovery words a device answers, and whether it answers the scan of its maker's application.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::net::{Datagram, Port};
use hiflying::{Identity, PORT, Word};
use jiff::Timestamp;
use plugs::family;
use plugs::{FamilyId, Plug};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::evidence::Evidence;

/// Lost datagrams are normal.
const TRIES: usize = 3;
/// One try, before it is known how fast the device answers.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// One try, afterwards: at least this, at most [`FIRST_WAIT`].
const SHORTEST_WAIT: Duration = Duration::from_millis(150);
/// Late copies of an answer must not be taken for the answer to the next word.
const SETTLE: Duration = Duration::from_millis(100);

/// Words of the factories whose modules are known: Hi-Flying's own, solar loggers', and those of two other brands.
pub(super) fn known() -> Vec<Word> {
    let others = ["www.usr.cn", "Link_Wi-Fi"]
        .into_iter()
        .filter_map(|word| word.parse().ok());
    [Word::HF_A11, Word::WIFIKIT]
        .into_iter()
        .chain(others)
        .collect()
}

/// A conversation of single datagrams with one device.
struct Questions<'a> {
    port: &'a Port,
    answers: Receiver<Datagram>,
    target: Ipv4Addr,
}

/// Asks the words, and what the families ask, and notes what is answered.
pub(super) async fn ask(port: &Port, target: Ipv4Addr, words: &[Word], evidence: &Evidence) {
    let mut questions = Questions {
        port,
        answers: port.subscribe(),
        target,
    };
    let Some(wait) = questions.anybody(words, evidence).await else {
        return;
    };
    for word in words {
        questions.settle().await;
        let identity = questions
            .repeat(word.as_bytes(), wait, Identity::parse)
            .await;
        if let Some(identity) = identity {
            evidence.note(|known| {
                known.words.push(word.clone());
                known.identity.get_or_insert(identity);
            });
        }
    }
}

impl Questions<'_> {
    /// Asks everything at once, because a device that is not there shall not cost a wait for each word. Returns how long
    /// an answer may take, or nothing when no word was answered: an identity does not tell to which.
    async fn anybody(&mut self, words: &[Word], evidence: &Evidence) -> Option<Duration> {
        let mut heard = None;
        for _ in 0..TRIES {
            let sent = Instant::now();
            for family in family::FAMILIES {
                for probe in family.probes(words) {
                    self.send(&probe.bytes, probe.port).await;
                }
            }
            // All that come in time: the scan's answer and the words' come in any order.
            while let Some(plug) = self.receive(sent + FIRST_WAIT, presence).await {
                if plug.family == FamilyId::Module {
                    heard.get_or_insert_with(|| sent.elapsed());
                }
                evidence.note(|known| known.take(plug));
                if heard.is_some() && evidence.is_named() {
                    break;
                }
            }
            if heard.is_some() {
                break;
            }
        }
        heard.map(|elapsed| (elapsed * 4).clamp(SHORTEST_WAIT, FIRST_WAIT))
    }

    async fn repeat<T>(
        &mut self,
        question: &[u8],
        wait: Duration,
        read: impl Fn(&[u8]) -> Option<T> + Copy,
    ) -> Option<T> {
        for _ in 0..TRIES {
            self.send(question, PORT).await;
            let answer = self
                .receive(Instant::now() + wait, |_, bytes| read(bytes))
                .await;
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    async fn settle(&mut self) {
        let end = Instant::now() + SETTLE;
        while self.receive(end, |_, _| Some(())).await.is_some() {}
    }

    async fn send(&self, bytes: &[u8], port: u16) {
        if let Err(error) = self
            .port
            .send_to(bytes, SocketAddrV4::new(self.target, port))
            .await
        {
            tracing::debug!(target = %self.target, %error, "cannot send");
        }
    }

    /// The next datagram of the device that can be read, until `end`.
    async fn receive<T>(
        &mut self,
        end: Instant,
        read: impl Fn(Ipv4Addr, &[u8]) -> Option<T>,
    ) -> Option<T> {
        while Instant::now() < end {
            match timeout_at(end, self.answers.recv()).await {
                Ok(Ok(datagram)) if *datagram.from.ip() == self.target => {
                    if let Some(answer) = read(self.target, &datagram.bytes) {
                        return Some(answer);
                    }
                }
                // Somebody else's, or too many to follow: the device repeats itself.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => return None,
            }
        }
        None
    }
}

fn presence(from: Ipv4Addr, datagram: &[u8]) -> Option<Plug> {
    let seen = Timestamp::now();
    family::FAMILIES
        .iter()
        .find_map(|family| family.parse_presence(from, datagram, seen))
}
