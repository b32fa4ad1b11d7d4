//! Settings of the hub: the keys of `[hub]` and `[place]`, parsed and checked. The command line reads them.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use api::{Period, Scope, SiteName};
use axum::http::uri::Authority;
use jiff::tz::TimeZone;

use crate::auth::PathPrefix;
use crate::store::PostgresConfig;

/// Settings of the hub.
#[derive(Debug, Clone)]
pub struct Config {
    /// The site that the hub belongs to.
    pub site: SiteName,
    /// Address on which HTTP is served.
    pub listen: SocketAddr,
    /// Additional names or addresses of the hub, besides its own addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Certificate and key, for HTTPS instead of HTTP.
    pub tls: Option<TlsFiles>,
    /// Local interfaces, by name or address; empty means all that are up and not loopback.
    pub interfaces: Vec<String>,
    /// True to adopt every plug that is found.
    pub adopt: bool,
    /// Metering interval of plugs without one of their own.
    pub metering: Period,
    /// Interval of scans for presence and relay states.
    pub scan: Period,
    /// State directory, with the database, the admin token and the lock.
    pub state: PathBuf,
    /// The SQLite file.
    pub database: PathBuf,
    /// The PostgreSQL database that is used instead of the file.
    pub postgres: Option<PostgresConfig>,
    /// Maximum size in bytes of the file in which readings wait for the PostgreSQL database; 0 for none.
    pub spool: u64,
    /// Age at which raw readings are removed.
    pub keep_readings: Period,
    /// Age at which minute means are removed. Quarter-hour sums are kept for ever.
    pub keep_minutes: Period,
    /// Pages behind proxies and in frames.
    pub web: WebConfig,
    /// Scheduled backups.
    pub backup: Option<BackupConfig>,
    /// Place for which sunrise and sunset are computed.
    pub place: Option<Place>,
    /// True if the plugs are emulated and their history is made up, which pages and the API then mention.
    pub is_simulated: bool,
    /// Time zone of schedules, tariffs and days.
    pub timezone: TimeZone,
}

/// Settings of the pages behind proxies and in frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebConfig {
    /// Prefix of all paths, e.g. `/mains`; empty for none.
    pub base_path: PathPrefix,
    /// Origins whose pages may show those of the hub in a frame, e.g. `https://home.example:8123`.
    pub frame_ancestors: Vec<FrameOrigin>,
    /// Addresses of proxies whose `X-Forwarded-…` and `X-Ingress-Path` headers count.
    pub trusted_proxies: Vec<IpAddr>,
    /// Access of users that a trusted proxy has logged in itself, as Home Assistant's ingress does.
    pub ingress_login: IngressLogin,
}

impl WebConfig {
    /// Returns true if users of a trusted proxy need no password.
    pub(crate) fn logs_users_in(&self) -> bool {
        self.ingress_login.0.is_some() && !self.trusted_proxies.is_empty()
    }
}

/// Access of users whom a trusted proxy names by `X-Remote-User-Id` below `X-Ingress-Path`; `None`: they log in as everybody does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IngressLogin(pub Option<Scope>);

impl FromStr for IngressLogin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            "read" => Ok(Self(Some(Scope::Read))),
            "admin" => Ok(Self(Some(Scope::Admin))),
            _ => Err("one of `off`, `read` and `admin`"),
        }
    }
}

/// Origin of pages: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameOrigin(String);

impl FrameOrigin {
    /// Returns the origin as browsers write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FrameOrigin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "not an origin; write it like `https://home.example:8123`";
        let authority = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        // These characters would end the origin in the header that carries it.
        let is_plain = |authority: &&str| {
            let allowed =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
            !authority.is_empty()
                && authority.chars().all(allowed)
                && authority.parse::<Authority>().is_ok()
        };
        authority
            .filter(is_plain)
            .map(|_| Self(text.to_owned()))
            .ok_or(problem)
    }
}

/// Settings of scheduled backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupConfig {
    /// Interval between two backups.
    pub every: Period,
    /// Directory of the files; created if it is missing.
    pub directory: PathBuf,
    /// Number of backups that are kept.
    pub keep: NonZeroU32,
}

/// Files for HTTPS, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A place on Earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

impl Config {
    /// Returns the defaults, with all files in this directory.
    pub fn in_state(state: impl Into<PathBuf>) -> Self {
        let state = state.into();
        Self {
            site: SiteName::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: Vec::new(),
            tls: None,
            interfaces: Vec::new(),
            adopt: false,
            metering: Period::seconds(10),
            scan: Period::seconds(5),
            database: state.join("mains.sqlite"),
            postgres: None,
            spool: 1_000_000_000,
            state,
            keep_readings: Period::seconds(7 * 24 * 3600),
            keep_minutes: Period::seconds(90 * 24 * 3600),
            web: WebConfig::default(),
            backup: None,
            place: None,
            is_simulated: false,
            timezone: TimeZone::system(),
        }
    }
}
