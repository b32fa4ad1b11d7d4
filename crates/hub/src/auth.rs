//! Who may ask the hub for anything: tokens, the password, sessions, and from which pages.
//!
//! [`protect`] stands around everything that is served. Whatever is not named as open in `gate` needs a token or a session,
//! whether it exists or not; so a handler that somebody adds cannot be forgotten. Nothing here knows what is
//! protected.
//!
//! * `secret`: tokens and their digests. `tokens`: the list of them. `admin`: the one in the state directory.
//! * `password`: argon2id. `pace`: how often one may try it.
//! * `sessions`: browsers that are logged in, and the links that log one in.
//! * `origin`: the `Host` and `Origin` checks. `gate`: the checks in their order, and the security headers.
//! * `routes`: logging in and out, and what one sees and changes of all this.

mod admin;
mod gate;
mod origin;
mod pace;
mod pages;
mod password;
mod routes;
mod secret;
mod sessions;
mod settings;
mod tokens;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::RequestError;
use axum::Router;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::origin::Hosts;
use self::pace::Pace;
use self::sessions::{Links, Origin, Sessions};
use self::tokens::Tokens;
use crate::config::Config;
use crate::store::SettingStore;

pub use self::routes::openapi;
pub use self::secret::Secret;
pub use self::tokens::TokenInfo;

/// The name of the session's cookie, where the hub listens on its usual port.
pub const COOKIE: &str = "mains_session";

/// The port of the cookie that has no port in its name.
const USUAL_PORT: u16 = 8480;
/// The link that is printed at the start works for so long: people read a log the next morning.
const START_LINK: Duration = Duration::from_secs(24 * 3600);
/// One that was asked for is used at once.
const ASKED_LINK: Duration = Duration::from_secs(10 * 60);
/// How often it is written down when tokens were last used.
const USES_SAVED: Duration = Duration::from_secs(10 * 60);

/// Knows who may ask. A clone is the same.
#[derive(Debug, Clone)]
pub struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Arc<dyn SettingStore>,
    hosts: Hosts,
    listening: SocketAddr,
    is_tls: bool,
    url: String,
    cookie: String,
    admin_token: PathBuf,
    state: Mutex<State>,
    /// Held over a change and its way to the disk.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    password: Option<Secret>,
    tokens: Tokens,
    sessions: Sessions,
    links: Links,
    pace: Pace,
    has_new_uses: bool,
}

impl Trust {
    /// Reads who is trusted, and makes the admin token where there is none. `listening` is the address that was really
    /// taken, with its port.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` for an address that is not loopback while no password is set, and for `hosts` that are
    /// none; `local` when the admin token cannot be read or written; `unavailable` when the store cannot be read.
    pub async fn load(
        settings: Arc<dyn SettingStore>,
        config: &Config,
        listening: SocketAddr,
    ) -> Result<Self, RequestError> {
        let hosts = Hosts::new(listening, &config.hosts)?;
        let password = read(&*settings, settings::PASSWORD).await?.map(Secret::new);
        let is_tls = config.tls.is_some();
        check_listen(listening, password.is_some())?;
        if !listening.ip().to_canonical().is_loopback() && !is_tls {
            tracing::warn!(
                "{listening} is served without TLS: whoever is on the way can read passwords and tokens"
            );
        }
        let admin_token = crate::state_lock::admin_token(&config.state);
        let admin = admin::read_or_make(&admin_token)?;
        let mut tokens = read_tokens(&*settings).await?;
        let has_new_uses = tokens.set_admin(admin.digest(), Timestamp::now());
        let trust = Self(Arc::new(Inner {
            settings,
            hosts,
            listening,
            is_tls,
            url: url(listening, config),
            cookie: cookie_name(listening.port()),
            admin_token,
            state: Mutex::new(State {
                password,
                tokens,
                has_new_uses,
                ..State::default()
            }),
            changing: tokio::sync::Mutex::default(),
        }));
        trust.save_uses().await;
        Ok(trust)
    }

    /// Returns where a browser or program on this machine reaches the hub, e.g. `http://127.0.0.1:8480`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Makes a link that logs one browser in, for whoever reads what the hub prints at its start.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the system has no random bytes.
    pub fn login_url(&self) -> Result<String, RequestError> {
        self.link(self.url(), Origin::Start, START_LINK)
    }

    /// Keeps note of what is used, until it is cancelled. A task of its own.
    pub async fn run(self, cancel: CancellationToken) {
        while cancel
            .run_until_cancelled(sleep(USES_SAVED))
            .await
            .is_some()
        {
            self.state().sessions.sweep(Instant::now());
            self.save_uses().await;
        }
        self.save_uses().await;
    }

    fn link(&self, base: &str, origin: Origin, lasts: Duration) -> Result<String, RequestError> {
        let token = Secret::random()?;
        let now = Instant::now();
        let mut state = self.state();
        state.links.add(token.digest(), origin, now + lasts, now);
        Ok(format!("{base}/login?token={}", token.reveal()))
    }

    /// Changes the tokens: first on the disk, then for everybody.
    async fn change_tokens<T>(
        &self,
        change: impl FnOnce(&mut Tokens) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let _turn = self.0.changing.lock().await;
        let mut tokens = self.state().tokens.clone();
        let changed = change(&mut tokens)?;
        self.write(settings::TOKENS, Some(&tokens.to_text()))
            .await?;
        self.state().tokens = tokens;
        Ok(changed)
    }

    /// A store that fails is no reason to keep anybody out: it is written the next time.
    async fn save_uses(&self) {
        let _turn = self.0.changing.lock().await;
        let text = {
            let mut state = self.state();
            if !std::mem::take(&mut state.has_new_uses) {
                return;
            }
            state.tokens.to_text()
        };
        if let Err(error) = self.write(settings::TOKENS, Some(&text)).await {
            tracing::warn!(%error, "when tokens were last used is not written down yet");
            self.state().has_new_uses = true;
        }
    }

    async fn write(&self, key: &str, value: Option<&str>) -> Result<(), RequestError> {
        let written = self.0.settings.save_setting(key, value).await;
        written.map_err(|error| RequestError::from(&error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can fail half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the checks around everything that is served, and adds the routes for logging in.
pub fn protect(router: Router, trust: Trust) -> Router {
    let whole = router.merge(routes::router(trust.clone()));
    gate::around(whole, trust)
}

/// Sets the password where no hub runs. A hub that runs does not notice; ask that one instead.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` for one that is too short or too long; `unavailable` when it cannot be kept.
pub async fn set_password(store: &dyn SettingStore, password: Secret) -> Result<(), RequestError> {
    password::check(&password)?;
    let kept = password::hash(password).await?;
    let saved = store
        .save_setting(settings::PASSWORD, Some(kept.reveal()))
        .await;
    saved.map_err(|error| RequestError::from(&error))
}

/// Refuses to be reachable from elsewhere while nobody needs a password.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `listen`.
pub fn check_listen(listening: SocketAddr, has_password: bool) -> Result<(), RequestError> {
    if has_password || listening.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let message = format!("{listening} can be reached by others, and no password is set");
    Err(RequestError::usage(message)
        .at("listen")
        .hint("set one with `mains hub password` while the hub listens on 127.0.0.1, or with no hub running"))
}

/// Checks the further names by which browsers may call the hub.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `hosts` for what is neither a name nor an address.
pub fn check_hosts(hosts: &[String]) -> Result<(), RequestError> {
    Hosts::new(SocketAddr::from(([127, 0, 0, 1], 0)), hosts).map(drop)
}

async fn read(settings: &dyn SettingStore, key: &str) -> Result<Option<String>, RequestError> {
    let value = settings.setting(key).await;
    value.map_err(|error| RequestError::from(&error))
}

async fn read_tokens(settings: &dyn SettingStore) -> Result<Tokens, RequestError> {
    let Some(text) = read(settings, settings::TOKENS).await? else {
        return Ok(Tokens::default());
    };
    match Tokens::from_text(&text) {
        Ok(tokens) => Ok(tokens),
        Err(problem) => {
            tracing::error!(%problem, "the tokens in the database cannot be understood and are set aside; make new ones");
            let aside = settings
                .save_setting(settings::UNREADABLE_TOKENS, Some(&text))
                .await;
            aside.map_err(|error| RequestError::from(&error))?;
            Ok(Tokens::default())
        }
    }
}

/// Browsers do not tell the ports of a machine apart: two hubs there must not log each other's browsers out.
fn cookie_name(port: u16) -> String {
    match port {
        USUAL_PORT => COOKIE.to_owned(),
        other => format!("{COOKIE}_{other}"),
    }
}

/// Where the hub is reached on this machine. With TLS by the name that the certificate is for, if one is configured.
fn url(listening: SocketAddr, config: &Config) -> String {
    let mut address = listening;
    if address.ip().is_unspecified() {
        let loopback: IpAddr = match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    match (&config.tls, config.hosts.first()) {
        (None, _) => format!("http://{address}"),
        (Some(_), None) => format!("https://{address}"),
        (Some(_), Some(name)) => match name.parse() {
            Ok(ip) => format!("https://{}", SocketAddr::new(ip, address.port())),
            Err(_) => format!("https://{name}:{}", address.port()),
        },
    }
}

#[cfg(test)]
mod tests;
