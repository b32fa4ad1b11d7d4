//! Access control: tokens, the password, sessions, and the checks of `Host` and `Origin`.
//!
//! [`protect`] wraps everything that is served. A path that is not listed as public in `middleware` needs a token or a session,
//! whether it exists or not, so a new handler cannot be left open by mistake.
//!
//! * `secret`: credentials and their digests. `tokens`: the list of tokens. `admin`: the token in the state directory.
//! * `password`: argon2id; `stored_password`: what is stored of it. `login_limit`: the limit on attempts; `client`: by whom they are counted.
//! * `sessions`: browsers that are logged in, and the links that log one in.
//! * `scope`: the scope that a request needs. `sites`: the sites that a caller may see.
//! * `forwarded`: what proxies say of a request. `prefix`: the prefix of its path.
//! * `links`: links that log a browser in. `passing`, `passed_on`: requests that a standby passes on.
//! * `host`: the checks of `Host` and `Origin`. `middleware`: all checks in their order, and the security headers.
//! * `pages`: the ways of a browser to the login page and back.
//! * `routes`: login, logout, tokens and password in the API. `refusals`: refused logins for the log of past events.

mod admin;
mod client;
mod forwarded;
mod host;
mod links;
mod login_limit;
mod middleware;
mod pages;
mod passed_on;
mod passing;
mod password;
mod prefix;
mod refusals;
mod routes;
mod scope;
mod secret;
mod sessions;
mod settings;
mod sites;
mod stored_password;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::{HubRole, LogEntry, LogKind, RequestError, SiteName};
use axum::Router;
use axum::http::HeaderValue;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::host::AllowedHosts;
pub(crate) use self::host::own_address;
use self::login_limit::LoginLimiter;
use self::refusals::Refusals;
use self::sessions::{BrowserSessions, LoginLinks, LoginOrigin};
use self::stored_password::{StoredPassword, read_password};
use self::tokens::Tokens;
use crate::config::{Config, WebConfig};
use crate::event::EventBus;
use crate::guest::Guest;
use crate::lease::Lease;
use crate::store::{SettingStore, Store};

pub use self::middleware::Caller;
pub use self::pages::local_path;
pub use self::passed_on::{PassedOn, StandbyNote};
pub(crate) use self::passing::PassingGate;
pub use self::prefix::PathPrefix;
pub use self::routes::{NewPassword, openapi};
pub use self::secret::Credential;
pub(crate) use self::settings::PASSWORD as PASSWORD_SETTING;
pub(crate) use self::sites::check_known_sites;
pub use self::stored_password::set_password;

/// Name of the session cookie of a hub on the default port.
pub const COOKIE_NAME: &str = "mains_session";

/// Port whose cookie has no port in its name.
const DEFAULT_PORT: u16 = 8480;
/// A link that was requested is used at once.
const REQUESTED_LINK_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Interval at which the last use of tokens and sessions is written.
const USE_SAVE_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Interval at which expired tokens and sessions are removed, and with them their event streams.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Time that changes in progress have when the hub ends.
const CHANGE_END_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Time that a login waits until its session is on the disk.
const SESSION_SAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Access control of a hub. Clones share their state.
#[derive(Debug, Clone)]
pub struct AccessControl(Arc<AuthShared>);

#[derive(Debug)]
struct AuthShared {
    settings: Arc<dyn SettingStore>,
    hosts: AllowedHosts,
    listening: SocketAddr,
    is_tls: bool,
    url: String,
    cookie: String,
    web: WebConfig,
    site: SiteName,
    /// Policy of responses that may be framed.
    frame_policy: Option<HeaderValue>,
    admin_token: PathBuf,
    clock: SessionClock,
    /// Changes in progress; they end even if the client hangs up.
    changes: TaskTracker,
    /// Parts that serve further paths, among them the login page.
    guests: Vec<Arc<dyn Guest>>,
    bus: EventBus,
    /// The part of this hub among those that share the settings.
    lease: Lease,
    state: Mutex<AuthState>,
    /// Held while a change is written to the disk.
    changing: tokio::sync::Mutex<()>,
}

/// A time of day that advances with the monotonic clock, so that a clock that is set ends no session.
#[derive(Debug)]
struct SessionClock {
    wall: Timestamp,
    started: Instant,
}

impl SessionClock {
    fn start() -> Self {
        Self {
            wall: plugs::now(),
            started: Instant::now(),
        }
    }

    fn now(&self) -> Timestamp {
        let now = self.wall.saturating_add(self.started.elapsed());
        now.unwrap_or(Timestamp::MAX)
    }
}

#[derive(Debug, Default)]
struct AuthState {
    password: Option<StoredPassword>,
    view_password: Option<StoredPassword>,
    tokens: Tokens,
    sessions: BrowserSessions,
    links: LoginLinks,
    login_limit: LoginLimiter,
    refusals: Refusals,
    /// True if the tokens or sessions on the disk are older than these.
    is_dirty: bool,
}

impl AccessControl {
    /// Logs a change of passwords and tokens.
    fn log(&self, text: impl AsRef<str>) {
        let entry = LogEntry::new(plugs::now(), LogKind::Access, text);
        self.0.bus.log(entry);
    }

    /// Logs the wrong passwords whose entry is due: at once, or together with others.
    fn log_refusals(&self) {
        let due = self.state().refusals.due(Instant::now());
        if let Some(text) = due {
            let entry = LogEntry::new(plugs::now(), LogKind::Access, text);
            self.0.bus.log(entry.as_problem(true));
        }
    }

    /// Loads passwords, tokens and sessions, and makes the admin token where there is none. `listening` is the address that was bound,
    /// with its port; `guests` serve further paths. Without the `lease` of an active hub nothing is written.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` for an address that is not loopback while no password is set, and for invalid `hosts`; `local` when the system has no random bytes; `unavailable` when the store cannot be read.
    pub async fn load(
        settings: Arc<dyn SettingStore>,
        config: &Config,
        listening: SocketAddr,
        guests: Vec<Arc<dyn Guest>>,
        bus: EventBus,
        lease: Lease,
    ) -> Result<Self, RequestError> {
        let hosts = AllowedHosts::new(listening, &config.hosts)?;
        let password = read_password(&*settings, settings::PASSWORD).await?;
        let view_password = read_password(&*settings, settings::VIEW_PASSWORD).await?;
        let sessions = settings::read(&*settings, settings::SESSIONS).await?;
        let is_tls = config.tls.is_some();
        check_listen(listening, password.is_some() || config.web.logs_users_in())?;
        if !listening.ip().to_canonical().is_loopback()
            && !is_tls
            && lease.role() == HubRole::Active
        {
            tracing::warn!(
                "{listening} is served without TLS: passwords and tokens can be read on the network"
            );
        }
        let admin_token = api::running::admin_token(&config.state);
        let admin = admin::read_or_pretend(&admin_token)?;
        let mut tokens = read_tokens(&*settings).await?;
        let is_dirty = tokens.set_admin(admin.digest(), lease.hub(), plugs::now());
        let writes = lease.role() == HubRole::Active;
        let auth = Self(Arc::new(AuthShared {
            settings,
            hosts,
            listening,
            is_tls,
            url: url(listening, config),
            cookie: match lease.mark() {
                Some(mark) => format!("{COOKIE_NAME}_{mark}"),
                None => cookie_name(listening.port()),
            },
            lease,
            web: config.web.clone(),
            site: config.site.clone(),
            frame_policy: middleware::frame_policy(&config.web.frame_ancestors),
            admin_token,
            clock: SessionClock::start(),
            changes: TaskTracker::new(),
            guests,
            bus,
            state: Mutex::new(AuthState {
                password,
                view_password,
                tokens,
                sessions: sessions
                    .as_deref()
                    .map(BrowserSessions::from_text)
                    .unwrap_or_default(),
                is_dirty,
                ..AuthState::default()
            }),
            changing: tokio::sync::Mutex::default(),
        }));
        if writes {
            auth.save().await;
        }
        Ok(auth)
    }

    /// Returns the URL of the hub for browsers and programs on this machine, e.g. `http://127.0.0.1:8480`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Writes the last use of tokens and sessions, and removes expired ones, until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut saved = Instant::now();
        while cancel
            .run_until_cancelled(sleep(SWEEP_INTERVAL))
            .await
            .is_some()
        {
            self.sweep();
            self.log_refusals();
            if saved.elapsed() >= USE_SAVE_INTERVAL {
                saved = Instant::now();
                self.save().await;
            }
        }
        self.0.changes.close();
        let _ = timeout(CHANGE_END_TIMEOUT, self.0.changes.wait()).await;
        self.save().await;
    }

    /// Ends what has expired.
    fn sweep(&self) {
        let (now, mut state) = (self.0.clock.now(), self.state());
        state.sessions.sweep(now);
        let over = state.tokens.sweep(plugs::now());
        for id in over {
            state.is_dirty = true;
            state.end_from(&LoginOrigin::Token(id));
        }
    }

    /// Changes the tokens, on the disk before in memory.
    async fn change_tokens<T>(
        &self,
        change: impl FnOnce(&mut Tokens) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let _turn = self.0.changing.lock().await;
        let mut tokens = self.state().tokens.clone();
        let changed = change(&mut tokens)?;
        self.write(&[(settings::TOKENS, Some(&tokens.to_text()))])
            .await?;
        self.state().tokens = tokens;
        Ok(changed)
    }

    /// Writes tokens and sessions as they are. A store that fails denies no access: the next attempt writes them.
    async fn save(&self) {
        let _turn = self.0.changing.lock().await;
        let (tokens, sessions) = {
            let mut state = self.state();
            if !std::mem::take(&mut state.is_dirty) {
                return;
            }
            (state.tokens.to_text(), state.sessions.to_text())
        };
        let values = [
            (settings::TOKENS, Some(tokens.as_str())),
            (settings::SESSIONS, Some(sessions.as_str())),
        ];
        if let Err(error) = self.write(&values).await {
            tracing::warn!(%error, "sessions and the last use of tokens cannot be written yet");
            self.state().is_dirty = true;
        }
    }

    /// Writes sessions soon, and waits for it a moment.
    async fn save_sessions(&self) {
        self.state().is_dirty = true;
        let auth = self.clone();
        let saving = self.0.changes.spawn(async move { auth.save().await });
        if timeout(SESSION_SAVE_TIMEOUT, saving).await.is_err() {
            tracing::warn!("the database is slow; a restart may forget a login");
        }
    }

    async fn write(&self, values: &[(&str, Option<&str>)]) -> Result<(), RequestError> {
        let written = self.0.settings.save_settings(values).await;
        written.map_err(|error| RequestError::from(&error))
    }

    fn state(&self) -> MutexGuard<'_, AuthState> {
        // No holder of the lock can fail half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuthState {
    /// Ends the sessions and links of an origin.
    fn end_from(&mut self, origin: &LoginOrigin) {
        self.sessions.end_from(origin);
        self.links.end_from(origin);
    }
}

/// Wraps everything that is served in the checks, and adds the routes for logging in.
pub fn protect(router: Router, auth: AccessControl) -> Router {
    let whole = router.merge(routes::router(auth.clone()));
    middleware::around(whole, auth)
}

/// Puts a password that nobody knows in place of one that was lost with the database, so that a hub on the network starts: tokens
/// and links still log in.
///
/// # Errors
///
/// [`RequestError`] of kind `unavailable` when the store cannot be read or written.
pub(crate) async fn replace_lost_password(
    store: &dyn Store,
    listening: SocketAddr,
    web: &WebConfig,
) -> Result<(), RequestError> {
    // In this order: that the password is damaged shows when it is read.
    if check_listen(listening, web.logs_users_in()).is_ok()
        || settings::read(store, settings::PASSWORD).await?.is_some()
        || store.damage().is_empty()
    {
        return Ok(());
    }
    tracing::error!(
        "the password was lost with the database; set a new one with `mains hub password`"
    );
    let kept = password::hash(Credential::random()?).await?;
    let saved = store.save_setting(settings::PASSWORD, Some(kept.reveal()));
    saved.await.map_err(|error| RequestError::from(&error))
}

/// Checks that a hub on which nobody can log in is not reachable from other machines.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `listen`.
pub fn check_listen(listening: SocketAddr, has_login: bool) -> Result<(), RequestError> {
    if has_login || listening.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let message = format!("{listening} is reachable from other machines, and no password is set");
    Err(RequestError::usage(message).at("listen").hint(
        "set a password with `mains hub password` while the hub listens on 127.0.0.1 or is stopped",
    ))
}

/// Checks the additional host names of the hub.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `hosts` for what is neither a name nor an address.
pub fn check_hosts(hosts: &[String]) -> Result<(), RequestError> {
    AllowedHosts::new(SocketAddr::from(([127, 0, 0, 1], 0)), hosts).map(drop)
}

async fn read_tokens(settings: &dyn SettingStore) -> Result<Tokens, RequestError> {
    let Some(text) = settings::read(settings, settings::TOKENS).await? else {
        return Ok(Tokens::default());
    };
    match Tokens::from_text(&text) {
        Ok(tokens) => Ok(tokens),
        Err(problem) => {
            tracing::error!(%problem, "the tokens in the database cannot be understood and were set aside; make new ones");
            let aside = settings
                .save_setting(settings::UNREADABLE_TOKENS, Some(&text))
                .await;
            aside.map_err(|error| RequestError::from(&error))?;
            Ok(Tokens::default())
        }
    }
}

/// Returns the name of the session cookie. Browsers share cookies among the ports of a machine, so that two hubs there would log
/// each other's browsers out.
fn cookie_name(port: u16) -> String {
    match port {
        DEFAULT_PORT => COOKIE_NAME.to_owned(),
        other => format!("{COOKIE_NAME}_{other}"),
    }
}

/// Returns the URL of the hub on this machine; with TLS by the name that the certificate is for, if one is configured.
fn url(listening: SocketAddr, config: &Config) -> String {
    let address = own_address(listening);
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
