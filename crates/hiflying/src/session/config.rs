//! What can be tuned about a session.

use std::time::Duration;

use crate::{DiscoveryWord, Terminator};

/// Words, waits and tries of a session. The default suits every module that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtSessionConfig {
    /// Discovery words, tried in turn.
    pub words: Vec<DiscoveryWord>,
    /// Line ends, tried in turn until one is answered.
    pub terminators: Vec<Terminator>,
    /// How long to look for the module before it counts as silent.
    pub handshake_timeout: Duration,
    /// How long one try of an ordinary command may take.
    pub reply_timeout: Duration,
    /// How many tries of that length a command gets, if repeating it does no harm.
    ///
    /// Within the total, a command is sent more often where the module is known to answer faster
    /// than that.
    pub tries: u32,
    /// The shortest time between two sendings of the same thing.
    pub pace: Duration,
    /// After how much idleness `AT+W` is sent; a module leaves command mode after 60 s.
    pub keep_alive: Duration,
    /// How much silence ends a reply of several datagrams.
    pub list_silence: Duration,
    /// How much silence ends a reply that has no blank line at its end.
    pub tail_silence: Duration,
}

impl Default for AtSessionConfig {
    fn default() -> Self {
        Self {
            words: vec![DiscoveryWord::HF_A11, DiscoveryWord::WIFIKIT],
            terminators: vec![Terminator::Cr, Terminator::Lf, Terminator::CrLf],
            handshake_timeout: Duration::from_secs(6),
            reply_timeout: Duration::from_secs(2),
            tries: 3,
            pace: Duration::from_millis(300),
            keep_alive: Duration::from_secs(40),
            list_silence: Duration::from_millis(1500),
            tail_silence: Duration::from_millis(80),
        }
    }
}
