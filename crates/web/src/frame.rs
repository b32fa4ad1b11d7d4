//! The frame around every page: head, navigation, live state.

use api::Scope;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use hub::InlineStyle;
use hub::auth::PathPrefix;

use crate::assets;
use crate::note::FormNote;
use crate::visit::{Theme, Visit};

/// A place of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NavItem {
    /// Path of its page.
    pub(crate) path: &'static str,
    /// Its words.
    pub(crate) words: &'static str,
    pub(crate) icon: &'static str,
    /// On phones it stands in the top bar.
    pub(crate) is_desk: bool,
}

/// The home page, to which the plugs belong.
pub(crate) const HOME: NavItem = NavItem {
    path: "/",
    words: "Home",
    icon: "home",
    is_desk: false,
};
/// Energy of all plugs.
pub(crate) const ENERGY: NavItem = NavItem {
    path: "/energy",
    words: "Energy",
    icon: "energy",
    is_desk: false,
};
/// Schedules.
pub(crate) const SCHEDULES: NavItem = NavItem {
    path: "/schedules",
    words: "Schedules",
    icon: "clock",
    is_desk: false,
};
/// Rules.
pub(crate) const RULES: NavItem = NavItem {
    path: "/rules",
    words: "Rules",
    icon: "rules",
    is_desk: false,
};
/// Past events.
pub(crate) const EVENTS: NavItem = NavItem {
    path: "/events",
    words: "Events",
    icon: "bell",
    is_desk: true,
};
/// Discovery.
pub(crate) const ADD: NavItem = NavItem {
    path: "/add",
    words: "Add a plug",
    icon: "plus",
    is_desk: true,
};
/// Settings.
pub(crate) const SETTINGS: NavItem = NavItem {
    path: "/settings",
    words: "Settings",
    icon: "settings",
    is_desk: false,
};

/// All sites in the database of the hub, where there is more than one.
pub(crate) const SITES: NavItem = NavItem {
    path: "/sites",
    words: "Sites",
    icon: "sites",
    is_desk: true,
};

const PLACES: [NavItem; 8] = [HOME, SITES, ENERGY, SCHEDULES, RULES, EVENTS, ADD, SETTINGS];

/// The frame around a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Title of the page.
    pub(crate) title: String,
    /// NavItem of the navigation to which the page belongs.
    here: NavItem,
    /// Number of problems that were not seen yet.
    pub(crate) attention: u64,
    /// Result of the form that led here.
    pub(crate) note: Option<FormNote>,
    /// Name of the time zone of the hub.
    pub(crate) timezone: String,
    prefix: PathPrefix,
    theme: Theme,
    scope: Scope,
    /// There is more than one site in the database of the hub.
    pub(crate) has_sites: bool,
    /// The hub's plugs are emulated, which each page mentions.
    pub(crate) is_simulated: bool,
    /// Sentence about a hub on standby.
    pub(crate) standby: Option<String>,
    /// The page holds its style, and does not wait for a second request.
    pub(crate) holds_style: bool,
}

impl Frame {
    /// Makes the frame of a page.
    pub(crate) fn new(visit: &Visit, here: NavItem, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            here,
            attention: visit.unread,
            note: visit.note,
            timezone: visit.timezone.clone(),
            prefix: visit.prefix.clone(),
            theme: visit.theme,
            scope: visit.scope,
            has_sites: visit.has_sites,
            is_simulated: visit.is_simulated,
            standby: visit.standby.clone(),
            holds_style: false,
        }
    }

    /// Lets the page hold its style, if a browser opens it; the script, which fetches it again, needs none.
    pub(crate) fn with_style(self, visit: &Visit) -> Self {
        Self {
            holds_style: visit.is_opened,
            ..self
        }
    }

    /// Sends a page in its frame.
    pub(crate) fn send(&self, page: &impl Template) -> Response {
        let mut response = draw(page);
        if self.note.is_some()
            && let Some(cookie) = FormNote::shown(&self.prefix)
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        if self.holds_style {
            let style = InlineStyle(assets::MAINS_CSS_SHA256);
            response.extensions_mut().insert(style);
        }
        response
    }

    /// Returns the note about the form that led here, unless the page writes it.
    pub(crate) fn note_words(&self) -> Option<&'static str> {
        match self.note? {
            FormNote::Saved => Some("Saved."),
            FormNote::Clicked => Some("It has clicked twice, and is as before."),
            FormNote::Repriced { .. }
            | FormNote::TimerSet { .. }
            | FormNote::NotSwitched { .. } => None,
        }
    }

    /// Returns the extent of the visitor's access.
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Returns true if the visitor may switch.
    pub(crate) fn can_switch(&self) -> bool {
        self.scope >= Scope::Switch
    }

    /// Returns true if the visitor may change settings.
    pub(crate) fn can_change(&self) -> bool {
        self.scope >= Scope::Admin
    }

    /// Returns the link to a path of the hub.
    pub(crate) fn url(&self, path: impl AsRef<str>) -> String {
        format!("{}{}", self.prefix.as_str(), path.as_ref())
    }

    /// Returns the time of the hub in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        plugs::now().as_second()
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &'static NavItem> {
        let has_sites = self.has_sites;
        PLACES
            .iter()
            .filter(move |place| has_sites || **place != SITES)
    }

    pub(crate) fn is_here(&self, place: &NavItem) -> bool {
        self.here == *place
    }

    /// Returns the value of `data-theme`, if it is not that of the device.
    pub(crate) fn data_theme(&self) -> Option<&'static str> {
        (self.theme != Theme::Auto).then(|| self.theme.as_str())
    }

    /// Returns the link to a sign of the sprite.
    pub(crate) fn icon(&self, name: &str) -> String {
        format!("{}#{name}", self.url(assets::ICONS_SVG))
    }
}

/// Renders a page.
pub(crate) fn draw(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "this page cannot be rendered",
            )
                .into_response()
        }
    }
}
