//! Links that log a browser in: those that a hub prints at its start, and those that are requested.

use std::time::Duration;

use api::{RequestError, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sessions::{Login, LoginOrigin};
use super::{AccessControl, Credential, settings};

/// People read a log the next morning.
const PRINTED_LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Character of a link's token before the id of the hub that has printed it.
const HUB_MARK: char = '.';

impl AccessControl {
    /// Makes the link that the hub prints at its start; it logs one browser in.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub fn login_url(&self) -> Result<String, RequestError> {
        self.link(&self.link_base(), printed_login(), PRINTED_LINK_LIFETIME)
    }

    /// Makes the link that the hub prints, for whichever hub of the site is the active one when it is used.
    ///
    /// # Errors
    ///
    /// As [`AccessControl::login_url`]; `unavailable` when it cannot be written.
    pub(crate) async fn shared_login_url(&self) -> Result<String, RequestError> {
        if self.0.lease.site().is_none() {
            return self.login_url();
        }
        let hub = self.0.lease.hub();
        let token = Credential::random()?;
        // It names the hub, whose link is then the only one to be looked at.
        let token = Credential::new(format!("{}{HUB_MARK}{hub}", token.reveal()));
        let link = SharedLink {
            sha256: token.digest().encode(),
            until: self.0.clock.now() + PRINTED_LINK_LIFETIME,
        };
        let text = serde_json::to_string(&link).expect("a plain structure can be written as JSON");
        let key = settings::link(hub);
        self.write(&[(&key, Some(&text))]).await?;
        Ok(format!(
            "{}/login?token={}",
            self.link_base(),
            token.reveal()
        ))
    }

    fn link_base(&self) -> String {
        format!("{}{}", self.url(), self.0.web.base_path.as_str())
    }

    /// Uses up a link that one of the hubs of the site has printed. Returns its login if it was valid.
    pub(super) async fn take_shared_link(&self, token: &Credential) -> Option<Login> {
        let (_, hub) = token.reveal().rsplit_once(HUB_MARK)?;
        let site = self.0.lease.site()?;
        let key = settings::link(&site.hubs.iter().find(|known| known.id == hub)?.id);
        let _turn = self.0.changing.lock().await;
        let text = self.0.settings.setting(&key).await.ok().flatten()?;
        let link: SharedLink = serde_json::from_str(&text).ok()?;
        if link.sha256 != token.digest().encode() {
            return None;
        }
        self.write(&[(&key, None)]).await.ok()?;
        (link.until > self.0.clock.now()).then(printed_login)
    }

    pub(super) fn link(
        &self,
        base: &str,
        login: Login,
        lasts: Duration,
    ) -> Result<String, RequestError> {
        let token = Credential::random()?;
        let now = self.0.clock.now();
        let mut state = self.state();
        state.links.add(token.digest(), login, now + lasts, now);
        Ok(format!("{base}/login?token={}", token.reveal()))
    }
}

/// A link that a hub has printed, as it is stored for the other hubs of its site.
#[derive(Debug, Serialize, Deserialize)]
struct SharedLink {
    sha256: String,
    until: Timestamp,
}

/// Returns the login by a link that a hub prints at its start.
fn printed_login() -> Login {
    Login {
        origin: LoginOrigin::PrintedLink,
        scope: Scope::Admin,
        sites: Vec::new(),
    }
}
