//! Queries in an AT session, which is closed with `AT+Q` in every case.

use std::net::Ipv4Addr;

use hiflying::command::{Mid, Netp, Sockb, Ver, Wakey, Wmode};
use hiflying::net::{UdpConsole, UdpConsoleError, UdpPort};
use hiflying::{AtCommand, AtSessionConfig, DiscoveryWord};

use super::evidence::{Evidence, SessionFacts};
use super::timing::{
    COMMAND_RETRIES, HANDSHAKE_TIMEOUT, MAX_SILENT_COMMANDS, MIN_COMMAND_INTERVAL, REPLY_TIMEOUT,
};

/// Opens a session with the words that got a reply, queries the module, and leaves.
pub(super) async fn query(
    port: UdpPort,
    target: Ipv4Addr,
    words: &[DiscoveryWord],
    evidence: &Evidence,
) {
    let answered = evidence.read(|facts| facts.words.clone());
    let config = AtSessionConfig {
        // The replies were too rare to tell the words apart: all of them.
        words: if answered.is_empty() {
            words.to_vec()
        } else {
            answered
        },
        handshake_timeout: HANDSHAKE_TIMEOUT,
        reply_timeout: REPLY_TIMEOUT,
        tries: COMMAND_RETRIES,
        min_interval: MIN_COMMAND_INTERVAL,
        ..AtSessionConfig::default()
    };
    match UdpConsole::open(port, target, config).await {
        Ok(console) => {
            evidence.note(|facts| facts.session = Some(SessionFacts::default()));
            let probe = SessionProbe {
                console,
                evidence,
                silences: 0,
            };
            probe.run().await;
        }
        Err(error) => tracing::debug!(%target, %error, "no AT session"),
    }
}

struct SessionProbe<'a> {
    console: UdpConsole,
    evidence: &'a Evidence,
    silences: u32,
}

impl SessionProbe<'_> {
    /// Queries the most useful settings first, in case the session breaks off.
    async fn run(mut self) {
        self.query(Ver, |session, version| session.version = Some(version))
            .await;
        self.query(Mid, |session, module| session.module = Some(module))
            .await;
        self.query(Wmode, |session, mode| session.mode = Some(mode))
            .await;
        self.query(Wakey, |session, key| session.access_point = Some(key))
            .await;
        self.query(Netp, |session, socket| session.servers.push(socket))
            .await;
        self.query(Sockb, |session, socket| session.servers.extend(socket))
            .await;
        self.console.close().await;
    }

    /// Queries one setting, which stays unknown after a refusal or an unintelligible reply.
    async fn query<C: AtCommand>(
        &mut self,
        command: C,
        keep: impl FnOnce(&mut SessionFacts, C::Reply),
    ) {
        if self.silences >= MAX_SILENT_COMMANDS {
            return;
        }
        self.silences = match self.console.run(&command).await {
            Ok(value) => {
                self.evidence.note(|facts| {
                    if let Some(session) = &mut facts.session {
                        keep(session, value);
                    }
                });
                0
            }
            Err(UdpConsoleError::Refused { .. } | UdpConsoleError::BadReply { .. }) => 0,
            Err(error) => {
                tracing::debug!(%error, "no reply");
                self.silences + 1
            }
        };
    }
}
