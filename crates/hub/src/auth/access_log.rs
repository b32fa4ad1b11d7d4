//! Entries of the log of past events about passwords, tokens and refused logins.

use std::time::Duration;

use api::{LogEntry, LogKind};
use tokio::time::Instant;

use super::AccessControl;
use super::client::LoginClient;

/// Minimum interval between entries about wrong passwords, so that who guesses cannot fill the log.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(60);

/// Refused logins, as far as they are logged.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    logged: Option<Instant>,
    /// Number of refused logins since, and the client of the last.
    further: Option<(u64, LoginClient)>,
}

impl Refusals {
    fn add(&mut self, client: LoginClient) {
        let before = self.further.map_or(0, |(number, _)| number);
        self.further = Some((before + 1, client));
    }

    /// Returns the sentence that is due, if there is one.
    fn due(&mut self, now: Instant) -> Option<String> {
        let is_early = |logged: Instant| now.duration_since(logged) < REFUSAL_INTERVAL;
        if self.logged.is_some_and(is_early) {
            return None;
        }
        let (number, client) = self.further.take()?;
        self.logged = Some(now);
        Some(match number {
            1 => format!("a login from {client} was refused: wrong password"),
            _ => format!("{number} logins were refused: wrong password; the last from {client}"),
        })
    }
}

impl AccessControl {
    /// Logs a change of passwords and tokens.
    pub(super) fn log(&self, text: impl AsRef<str>) {
        let entry = LogEntry::new(plugs::now(), LogKind::Access, text);
        self.0.bus.log(entry);
    }

    /// Logs a wrong password, at once or together with others.
    pub(super) fn log_refusal(&self, client: LoginClient) {
        self.state().refusals.add(client);
        self.log_refusals();
    }

    /// Logs the wrong passwords whose entry is due.
    pub(super) fn log_refusals(&self) {
        let due = self.state().refusals.due(Instant::now());
        if let Some(text) = due {
            let entry = LogEntry::new(plugs::now(), LogKind::Access, text);
            self.0.bus.log(entry.as_problem(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_uncounted_and_the_log_is_not_filled() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let client = LoginClient::Remote([10, 0, 0, 7].into());
        assert_eq!(refusals.due(start), None);
        refusals.add(LoginClient::Local(Some(33)));
        let first = refusals.due(start).unwrap();
        let expected = "a login from this machine (user 33) was refused: wrong password";
        assert_eq!(first, expected);
        for _ in 0..12 {
            refusals.add(client);
            assert_eq!(refusals.due(start + Duration::from_secs(59)), None);
        }
        let later = start + REFUSAL_INTERVAL;
        let expected = "12 logins were refused: wrong password; the last from 10.0.0.7";
        assert_eq!(refusals.due(later).unwrap(), expected);
        assert_eq!(refusals.due(later + REFUSAL_INTERVAL), None);
    }
}
