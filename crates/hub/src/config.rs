//! What the owner decides: the keys of `[hub]` and `[place]`, understood and checked.
//!
//! Where they come from (file, environment, flags) is the command line's business.

use std::net::SocketAddr;
use std::path::PathBuf;

use api::Period;
use jiff::tz::TimeZone;

/// What the owner decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Further names or addresses that a browser may call the hub by, beside its own addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Certificate and key, for HTTPS instead of HTTP.
    pub tls: Option<Tls>,
    /// Local interfaces, by name or address; empty is all that are up and not loopback.
    pub interfaces: Vec<String>,
    /// Take in every plug that is found.
    pub adopt: bool,
    /// How often a plug is metered, where it has no interval of its own.
    pub metering: Period,
    /// How often the network is asked who is there and how the relays stand.
    pub scan: Period,
    /// The state directory: the database, the admin token, and the lock that keeps a second hub out.
    pub state: PathBuf,
    /// The SQLite file.
    pub database: PathBuf,
    /// How long raw readings are kept.
    pub keep_readings: Period,
    /// How long minute means are kept. Quarter-hour sums are kept for ever.
    pub keep_minutes: Period,
    /// Where the sun rises and sets.
    pub place: Option<Place>,
    /// The local time of schedules, tariffs and days.
    pub timezone: TimeZone,
}

/// Files for HTTPS, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those that lead to its root.
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
    /// The defaults, with everything kept in this directory.
    pub fn in_state(state: impl Into<PathBuf>) -> Self {
        let state = state.into();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            hosts: Vec::new(),
            tls: None,
            interfaces: Vec::new(),
            adopt: false,
            metering: Period::seconds(10),
            scan: Period::seconds(5),
            database: state.join("mains.sqlite"),
            state,
            keep_readings: Period::seconds(7 * 24 * 3600),
            keep_minutes: Period::seconds(90 * 24 * 3600),
            place: None,
            timezone: TimeZone::system(),
        }
    }
}
