//! The web pages of the hub.
//!
//! [`Pages`] is a guest of the hub's handle: it reads the same snapshots and calls the same functions as the API, and the hub does
//! not know it. Pages are rendered by the server and need no script; a small module adds what is live. Styles, script and icons are
//! in the binary, and no page asks another host for anything.
//!
//! * `assets`: styles, script and icons with their hashed names; the manifest.
//! * `visit`: what a page needs of a request. `frame`: the frame around a page.
//! * `cookie`: cookies. `fields`: the fields of a form. `note`: its result on the page that follows. `page_error`: errors as pages.
//! * `format`: numbers, amounts and times. `chart`: charts as SVG. `plug_card`: a plug in words.
//! * `span`: ranges of charts. `power_chart`: the power of a plug over time.
//! * `problems`: what is wrong at present.
//! * `recent`: energy of yesterday and today, read in the background. `past_days`: this month, and standby.
//! * `documents`: lists and editors of `groups`, `schedules`, `rules` and `tariffs`. `removal`: the question before something is
//!   removed. `names`: names of plugs and groups.
//! * `kept`: forms that outlive a session. `refusal`: requests that were refused before they reached a page.
//! * `login`, `home`, `energy_page`, `plug_page`, `plug_forms`, `switch`, `theme`, `add`, `naming`, `events`, `settings`,
//!   `access_forms`, `hue_page`: the pages and their forms.
//!
//! # A further page
//!
//! 1. A template in `templates/` that extends `layout.html` and fills the block `main`. Signs and switches are macros of
//!    `parts.html`. Text is escaped by askama; `|safe` is for markup that this crate has made. Names stand in `<bdi>`.
//! 2. A struct with `#[derive(Template)]` and a field `frame: Frame`, and a handler that takes `State<PagesState>` and `Visit`
//!    and ends with `page.frame.send(&page)`. All links are made by `frame.url("/path")`, because of the prefix.
//! 3. Forms `POST` and take `Fields`; they return `visit.prefix.redirect("/path")` (303), with a `FormNote` in a cookie where there is
//!    something to say, or a `PageError`.
//!    A form that holds text calls `Fields::check_sent` before it changes anything, and its path stands in `kept`; a control that
//!    changes something is shown only if `frame.can_change()`.
//! 4. The route here in `router`, and the path in `page_of`.
//!
//! A page with `frame.with_style` holds its style, so that a phone waits for one request; the policy allows it by its hash.
//!
//! The script replaces what has changed in `main` by the same page of the server, element by element: an element that comes and
//! goes needs an `id`, and one that only the browser changes, or that holds a refused form, `data-keep`.

mod access_forms;
mod add;
mod assets;
mod chart;
mod cookie;
mod documents;
mod energy_page;
mod energy_view;
mod events;
mod fields;
mod format;
mod frame;
mod groups;
mod home;
mod hue_page;
mod kept;
mod login;
mod names;
mod naming;
mod note;
mod page_error;
mod past_days;
mod plug_card;
mod plug_forms;
mod plug_page;
mod power_chart;
mod problems;
mod recent;
mod refusal;
mod removal;
mod rules;
mod schedules;
mod settings;
mod sites;
mod span;
mod switch;
mod tariffs;
mod theme;
mod visit;

use std::sync::Arc;

use api::{Group, Rule, Schedule, Tariff};
use async_trait::async_trait;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use hub::{Guest, Hub, LoginPage, PathAccess, RefusalPage};
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::kept::KeptForms;
use crate::recent::RecentEnergy;
use crate::visit::SimulatedHome;

/// Maximum size of a form in bytes.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// Level of compression: a page is made for one request, and further levels cost more time than they save.
const PAGE_COMPRESSION: CompressionLevel = CompressionLevel::Precise(4);

/// The pages.
#[derive(Debug, Default)]
pub struct Pages {
    recent: RecentEnergy,
    kept: KeptForms,
}

/// State of all handlers.
#[derive(Debug, Clone)]
pub(crate) struct PagesState {
    hub: Hub,
    recent: RecentEnergy,
}

impl FromRef<PagesState> for Hub {
    fn from_ref(state: &PagesState) -> Self {
        state.hub.clone()
    }
}

#[async_trait]
impl Guest for Pages {
    fn router(&self, hub: &Hub) -> Router {
        let state = PagesState {
            hub: hub.clone(),
            recent: self.recent.clone(),
        };
        router(state, self.kept.clone())
    }

    fn access<'p>(&self, path: &'p str) -> PathAccess<'p> {
        if path.starts_with("/assets/") || path == "/manifest.webmanifest" {
            return PathAccess::Public;
        }
        page_of(path).map_or(PathAccess::Protected, PathAccess::Page)
    }

    fn login_page(&self, login: &LoginPage<'_>) -> Option<Response> {
        Some(login::page(login))
    }

    fn refusal_page(&self, refusal: &RefusalPage<'_>) -> Option<Response> {
        Some(refusal::page(refusal))
    }

    fn keep_form(&self, path: &str, body: &[u8]) -> Option<String> {
        self.kept.keep(path, page_of(path)?, body)
    }

    async fn run(self: Arc<Self>, hub: Hub, cancel: CancellationToken) {
        self.recent.run(hub, cancel).await;
    }
}

fn router(state: PagesState, kept: KeptForms) -> Router {
    let pages = Router::new()
        .route("/", get(home::home))
        .route("/sites", get(sites::sites))
        .route("/energy", get(energy_page::energy_page))
        .route("/energy.csv", get(energy_page::energy_csv))
        .route(
            "/plugs/{mac}",
            get(plug_page::plug_page).post(plug_forms::change),
        )
        .route("/plugs/{mac}/relay", post(switch::plug))
        .route("/plugs/{mac}/delay", post(plug_forms::delay))
        .route("/plugs/{mac}/harden", post(plug_forms::check_open))
        .route(
            "/plugs/{mac}/remove",
            get(plug_forms::ask_removal).post(plug_forms::remove),
        )
        .route("/groups/{id}/relay", post(switch::group))
        .route("/settings/theme", post(theme::choose))
        .route("/settings", get(settings::settings))
        .route("/settings/backup", post(settings::back_up))
        .merge(access_forms::routes())
        .route(
            "/tariffs/{id}/prices",
            post(tariffs::import).layer(DefaultBodyLimit::max(tariffs::MAX_PRICES_BYTES)),
        )
        .merge(hue_page::routes())
        .route("/add", get(add::add).post(add::adopt))
        .route("/add/search", post(add::search))
        .route("/add/all", post(add::adopt_all))
        .route("/add/names", get(naming::walk).post(naming::name))
        .route(
            "/plugs/{mac}/identify",
            get(naming::ask_identify).post(naming::identify),
        )
        .route("/events", get(events::events))
        .route("/manifest.webmanifest", get(assets::manifest))
        .merge(documents::routes::<Group>())
        .merge(documents::routes::<Schedule>())
        .merge(documents::routes::<Rule>())
        .merge(documents::routes::<Tariff>())
        .layer(from_fn(page_error::show))
        .layer(Extension(state.hub.sites().clone()))
        .layer(Extension(state.hub.log().clone()))
        .layer(Extension(state.hub.clock().timezone.clone()))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES));
    let pages = match state.hub.config().is_simulated {
        true => pages.layer(Extension(SimulatedHome)),
        false => pages,
    };
    let shown_again = (kept, pages.clone().with_state(state.clone()));
    pages
        .layer(from_fn_with_state(shown_again, kept::show_again))
        .layer(CompressionLayer::new().quality(PAGE_COMPRESSION))
        .route("/assets/{file}", get(assets::asset))
        .with_state(state)
}

/// Returns the page to which a path belongs: itself, or the page of a form.
fn page_of(path: &str) -> Option<&str> {
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    match (parts.next()?, parts.next(), parts.next()) {
        ("" | "logout", None, None) => Some("/"),
        ("schedules", Some(_), _) => Some("/schedules"),
        ("rules", Some(_), _) => Some("/rules"),
        ("settings", Some(_), _) => Some("/settings"),
        ("tariffs", Some(_), _) => Some("/tariffs"),
        ("tariffs", None, None) => Some(path),
        ("add", Some("names"), None) => Some(path),
        ("add", Some(_), _) => Some("/add"),
        ("hue", Some("search"), _) | ("hue", Some(_), Some("takeovers")) => Some("/hue"),
        ("sites", None, None) => Some(path),
        ("energy" | "schedules" | "rules" | "add" | "events" | "settings" | "hue", _, _) => {
            Some(path)
        }
        ("plugs", Some(_), None) => Some(path),
        ("plugs", Some(_), Some("remove" | "identify")) => Some(path),
        ("plugs", Some(_), Some("relay")) => path.strip_suffix("/relay"),
        ("plugs", Some(_), Some("delay")) => path.strip_suffix("/delay"),
        ("plugs", Some(_), Some("harden")) => path.strip_suffix("/harden"),
        ("groups", Some(_), Some("relay")) => Some("/"),
        ("groups", Some(_), _) => Some("/groups"),
        ("groups", None, None) => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_their_forms() {
        for (path, page) in [
            ("/", Some("/")),
            ("/sites", Some("/sites")),
            ("/energy", Some("/energy")),
            ("/plugs/accf23123456", Some("/plugs/accf23123456")),
            ("/plugs/accf23123456/relay", Some("/plugs/accf23123456")),
            ("/plugs/accf23123456/delay", Some("/plugs/accf23123456")),
            ("/plugs/accf23123456/harden", Some("/plugs/accf23123456")),
            (
                "/plugs/accf23123456/remove",
                Some("/plugs/accf23123456/remove"),
            ),
            ("/groups/g-00000001/relay", Some("/")),
            ("/groups", Some("/groups")),
            ("/groups/g-00000001", Some("/groups")),
            ("/schedules/s-00000001/delete", Some("/schedules")),
            ("/rules/r-00000001/enabled", Some("/rules")),
            ("/plugs", None),
            ("/metrics", None),
            ("/api/v1/plugs", None),
            ("/nowhere", None),
        ] {
            assert_eq!(page_of(path), page, "{path}");
        }
        let pages = Pages::default();
        assert_eq!(pages.access("/assets/mains.css"), PathAccess::Public);
        assert_eq!(pages.access("/assets"), PathAccess::Protected);
        assert_eq!(pages.access("/api/v1/plugs"), PathAccess::Protected);
    }
}
