//! Refused logins, for the log of past events.

use std::time::Duration;

use tokio::time::Instant;

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
    /// Counts a refused login.
    pub(super) fn add(&mut self, client: LoginClient) {
        let before = self.further.map_or(0, |(number, _)| number);
        self.further = Some((before + 1, client));
    }

    /// Returns the sentence that is due, if there is one.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
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
