//! Configuration, timings and limits of a session.

use std::time::Duration;

use crate::{DiscoveryWord, Terminator};

/// Repetitions of the opening of command mode before the discovery words are sent again.
pub(super) const MAX_CONFIRMATIONS: u32 = 4;

/// First round of discovery words that goes with `+ok`.
pub(super) const BLIND_ROUND: u32 = 2;

/// Maximum size of a fragment of an identity, which has some forty bytes.
pub(super) const MAX_FRAGMENT: usize = 128;

/// Maximum size of a reply; a scan of a hundred networks has some 6,000 bytes.
pub(super) const MAX_REPLY: usize = 64 * 1024;

/// Number of replies that are remembered, to recognise repeated ones.
pub(super) const MAX_RECENT_REPLIES: usize = 8;

/// Minimum delay before a command is repeated after a doubtful refusal.
pub(super) const DOUBT_DELAY: Duration = Duration::from_millis(20);

/// Margin beyond the gap between two sendings in which both replies may arrive.
pub(super) const OVERLAP_MARGIN: Duration = Duration::from_millis(50);

/// Round trip that is assumed while none has been measured.
pub(super) const DEFAULT_ROUND_TRIP: Duration = Duration::from_millis(10);

/// Bounds of the delay in which an extra reply may arrive.
pub(super) const MIN_SETTLE_DELAY: Duration = Duration::from_millis(2);
pub(super) const MAX_SETTLE_DELAY: Duration = Duration::from_millis(50);

/// Delay up to which a reply counts as one to the last sending, while no round trip has been measured.
pub(super) const DEFAULT_PROMPT_LIMIT: Duration = Duration::from_millis(150);

/// Delay up to which a reply always counts as one to the last sending.
pub(super) const MIN_PROMPT_LIMIT: Duration = Duration::from_millis(20);

/// Configuration of a session. The default suits every known module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtSessionConfig {
    /// Discovery words, tried in turn.
    pub words: Vec<DiscoveryWord>,
    /// Line ends, tried in turn until the module replies to one.
    pub terminators: Vec<Terminator>,
    /// Time for the module to reply to a discovery word and open command mode.
    pub handshake_timeout: Duration,
    /// Time limit of one try of an ordinary command.
    pub reply_timeout: Duration,
    /// Number of tries of that length for a command that may be repeated.
    ///
    /// Within the total time, a command is sent more often if the module is known to reply faster.
    pub tries: u32,
    /// Minimum interval between two sendings of the same command.
    pub min_interval: Duration,
    /// Idle time after which `AT+W` is sent; a module leaves command mode after 60 s.
    pub keep_alive: Duration,
    /// Silence that ends a reply of several datagrams.
    pub list_silence: Duration,
    /// Silence that ends a reply without a blank line at its end.
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
            min_interval: Duration::from_millis(300),
            keep_alive: Duration::from_secs(40),
            list_silence: Duration::from_millis(1500),
            tail_silence: Duration::from_millis(80),
        }
    }
}
