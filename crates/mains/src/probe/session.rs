//! What the module tells in an AT session: questions only, and `AT+Q` at the end in every case.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::command::{Mid, Netp, Sockb, Ver, Wakey, Wmode};
use hiflying::net::{UdpConsole, UdpConsoleError, UdpPort};
use hiflying::{AtCommand, AtSessionConfig, DiscoveryWord};

use super::evidence::{Evidence, Session};

const HANDSHAKE_WAIT: Duration = Duration::from_secs(3);
/// One of [`TRIES`]; lost datagrams are normal.
const REPLY_WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 3;
const PACE: Duration = Duration::from_millis(200);
/// A module that has left this many questions in a row unanswered is not asked any more.
const PATIENCE: u32 = 2;

/// Opens a session with the words that were answered, asks, and leaves.
pub(super) async fn ask(
    port: UdpPort,
    target: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    let answered = evidence.look(|known| known.words.clone());
    let config = AtSessionConfig {
        // Answered, but too rarely to tell which it was: all of them.
        words: if answered.is_empty() {
            words.to_vec()
        } else {
            answered
        },
        // It has just answered, so less patience will do than with a module that nobody has heard.
        handshake_timeout: HANDSHAKE_WAIT,
        reply_timeout: REPLY_WAIT,
        tries: TRIES,
        min_interval: PACE,
        ..AtSessionConfig::default()
    };
    match UdpConsole::open(port, target, config).await {
        Ok(console) => {
            evidence.note(|known| known.session = Some(Session::default()));
            let interview = Interview {
                console,
                evidence,
                silences: 0,
            };
            interview.run().await;
        }
        Err(error) => tracing::debug!(%target, %error, "no AT session"),
    }
}

struct Interview<'a> {
    console: UdpConsole,
    evidence: &'a Evidence,
    silences: u32,
}

impl Interview<'_> {
    /// In the order of use, should it break off.
    async fn run(mut self) {
        self.ask(Ver, |session, version| session.version = Some(version))
            .await;
        self.ask(Mid, |session, module| session.module = Some(module))
            .await;
        self.ask(Wmode, |session, mode| session.mode = Some(mode))
            .await;
        self.ask(Wakey, |session, key| session.access_point = Some(key))
            .await;
        self.ask(Netp, |session, socket| session.servers.push(socket))
            .await;
        self.ask(Sockb, |session, socket| session.servers.extend(socket))
            .await;
        self.console.close().await;
    }

    /// Asks one thing; a refusal or an answer that makes no sense only leaves it unknown.
    async fn ask<C: AtCommand>(&mut self, command: C, keep: impl FnOnce(&mut Session, C::Reply)) {
        if self.silences >= PATIENCE {
            return;
        }
        self.silences = match self.console.run(&command).await {
            Ok(value) => {
                self.evidence.note(|known| {
                    if let Some(session) = &mut known.session {
                        keep(session, value);
                    }
                });
                0
            }
            Err(UdpConsoleError::Refused { .. } | UdpConsoleError::BadReply { .. }) => 0,
            Err(error) => {
                tracing::debug!(%error, "left unanswered");
                self.silences + 1
            }
        };
    }
}
