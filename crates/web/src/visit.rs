//! A request for a page: the prefix of its links, the theme, and the note that the last form left.

use std::convert::Infallible;

use api::Scope;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hub::auth::{AccessControl, Caller, PathPrefix, StandbyNote};
use hub::log::EventLog;
use hub::sites::Sites;
use jiff::tz::TimeZone;

use crate::cookie::{cookie, set_cookie};
use crate::format;
use crate::note::FormNote;

/// Name of the cookie of the theme.
const THEME_COOKIE: &str = "mains_theme";
/// Age at which the cookie of the theme expires, in seconds: a year.
const THEME_MAX_AGE: u32 = 365 * 24 * 3600;

/// Header of a request by the script, which renews a page that is open.
const RENEWAL_HEADER: &str = "x-renewal";

/// Colours of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Those of the device.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme with its value in forms.
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::Auto, "auto"),
        (Self::Light, "light"),
        (Self::Dark, "dark"),
    ];

    /// Reads the value of a form or cookie.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, value)| *value == text);
        found.map(|(theme, _)| theme)
    }

    /// Returns the value in forms and cookies.
    pub(crate) fn as_str(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(theme, _)| *theme == self);
        found.map_or("auto", |(_, value)| value)
    }

    /// Reads the theme of a browser.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME_COOKIE)
            .and_then(Self::parse)
            .unwrap_or(Self::Auto)
    }

    /// Returns the cookie that keeps it.
    pub(crate) fn cookie(self, prefix: &PathPrefix) -> Option<HeaderValue> {
        set_cookie(THEME_COOKIE, self.as_str(), prefix, THEME_MAX_AGE)
    }
}

/// A request for a page.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Prefix of all links.
    pub(crate) prefix: PathPrefix,
    /// Colours.
    pub(crate) theme: Theme,
    /// Extent of the visitor's access.
    pub(crate) scope: Scope,
    /// Result of the form that led here.
    pub(crate) note: Option<FormNote>,
    /// Number of problems that were not seen yet.
    pub(crate) unread: u64,
    /// Name of the time zone of the hub.
    pub(crate) timezone: String,
    /// The hub's plugs are emulated.
    pub(crate) is_simulated: bool,
    /// Sentence about a hub on standby.
    pub(crate) standby: Option<String>,
    /// There is more than one site in the database of the hub.
    pub(crate) has_sites: bool,
    /// A browser opens the page; otherwise a script or a program reads it.
    pub(crate) is_opened: bool,
    /// The visitor; `None` without a login.
    pub(crate) caller: Option<Caller>,
    /// Passwords and tokens.
    pub(crate) auth: Option<AccessControl>,
}

/// An extension of requests to a hub whose plugs are emulated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimulatedHome;

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let prefix = PathPrefix::of(&parts.extensions);
        let caller: Option<Caller> = parts.extensions.get().cloned();
        let scope = caller.as_ref().map_or(Scope::Read, Caller::scope);
        Ok(Self {
            note: match is_renewal(&parts.headers) {
                true => None,
                false => FormNote::of(&parts.headers),
            },
            unread: parts.extensions.get().map_or(0, EventLog::unread),
            timezone: format::zone(parts.extensions.get().unwrap_or(&TimeZone::UTC)),
            has_sites: parts
                .extensions
                .get::<Sites>()
                .is_some_and(|sites| !sites.others().is_empty()),
            is_simulated: parts.extensions.get::<SimulatedHome>().is_some(),
            standby: parts
                .extensions
                .get()
                .map(|StandbyNote(sentence)| sentence.clone()),
            auth: parts.extensions.get().cloned(),
            caller,
            ..Self::without_login(prefix, &parts.headers, scope)
        })
    }
}

/// Returns true for a request by the script of a page that is open.
fn is_renewal(headers: &HeaderMap) -> bool {
    headers.contains_key(RENEWAL_HEADER)
}

impl Visit {
    /// Returns true if a change of a password asks for the current one.
    pub(crate) fn asks_current_password(&self) -> bool {
        let caller = self.caller.as_ref();
        caller.is_some_and(Caller::has_logged_in_with_password)
    }

    /// Returns true if the browser has a session of the hub, which it can end.
    pub(crate) fn can_log_out(&self) -> bool {
        self.caller.as_ref().is_some_and(Caller::is_browser)
    }

    /// Returns the visit of a page that is drawn before or without a login.
    pub(crate) fn without_login(prefix: PathPrefix, headers: &HeaderMap, scope: Scope) -> Self {
        Self {
            prefix,
            theme: Theme::of(headers),
            scope,
            note: None,
            unread: 0,
            // It shows no time.
            timezone: String::new(),
            is_simulated: false,
            standby: None,
            has_sites: false,
            is_opened: headers
                .get(header::ACCEPT)
                .is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"))
                && !is_renewal(headers),
            caller: None,
            auth: None,
        }
    }

    /// Returns true if the visitor may change settings.
    pub(crate) fn can_change(&self) -> bool {
        self.scope >= Scope::Admin
    }

    /// Leads to a page, with a cookie.
    pub(crate) fn redirect(&self, path: &str, cookie: Option<HeaderValue>) -> Response {
        let mut response = self.prefix.redirect(path);
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}
