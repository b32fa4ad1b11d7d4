//! All sites in the hub's database, and what is known of another one. They are read, and changed by their own hubs alone.

use std::collections::BTreeMap;

use api::{PlugView, SiteName, SiteView, TariffCost};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hub::Hub;
use hub::sites::{OtherSite, SiteSelection};
use jiff::Timestamp;
use plugs::RelayState;

use crate::PagesState;
use crate::format::{self, DASH};
use crate::frame::{Frame, SITES};
use crate::page_error::PageError;
use crate::visit::Visit;

/// Maximum number of plugs of a site that are named because they do not answer.
const MAX_MISSING: usize = 50;

#[derive(Template)]
#[template(path = "sites.html")]
struct SitesPage {
    frame: Frame,
    choices: Vec<SiteChoice>,
    /// The site that is shown; `None` for all.
    one: Option<OneSite>,
    power: Option<String>,
    energy: String,
    plugs: u64,
    gone: u64,
    stale: Vec<StaleSite>,
    rows: Vec<SiteRow>,
    missing: Vec<MissingRow>,
    further_missing: usize,
    costs: Vec<CostRow>,
}

/// A link of the switch between sites.
struct SiteChoice {
    path: String,
    title: String,
    is_here: bool,
}

/// Another site.
struct OneSite {
    title: String,
    url: Option<String>,
    plugs: Vec<OtherPlug>,
}

/// A site of which nothing new is heard.
struct StaleSite {
    title: String,
    text: String,
}

struct SiteRow {
    path: String,
    title: String,
    plugs: String,
    power: String,
    energy: String,
    cost: String,
    month: String,
}

struct MissingRow {
    site: String,
    /// Page of the plug, at the hub's own site.
    path: Option<String>,
    title: String,
    room: Option<String>,
    since: String,
}

struct CostRow {
    site: String,
    /// `None` for energy without a price.
    tariff: Option<String>,
    energy: String,
    cost: String,
    charge: String,
}

struct OtherPlug {
    title: String,
    room: Option<String>,
    state: String,
    power: String,
    energy: String,
}

/// Returns the name of a site in words.
fn title(site: &SiteName) -> String {
    match site.is_empty() {
        true => "Unnamed".to_owned(),
        false => site.to_string(),
    }
}

/// Shows all sites, or one that is not the hub's own.
pub(crate) async fn sites(
    State(state): State<PagesState>,
    visit: Visit,
    selection: SiteSelection,
) -> Result<Response, PageError> {
    let (hub, now) = (&state.hub, plugs::now());
    let one = match (selection.is_named(), selection.others.first()) {
        (true, Some(other)) => Some(one_site(other).await?),
        // All other pages are those of the hub's own site.
        (true, None) => return Ok(visit.prefix.redirect("/")),
        (false, _) => None,
    };
    let mut views = Vec::new();
    if selection.has_own {
        views.push(hub.own_site().await);
    }
    views.extend(selection.others.iter().map(|other| other.view()));
    let mut missing = missing(hub, &selection, now).await;
    let further_missing = missing.len().saturating_sub(MAX_MISSING);
    missing.truncate(MAX_MISSING);
    let powers: Vec<f64> = views.iter().filter_map(|view| view.power_w).collect();
    let energies: Vec<f64> = views
        .iter()
        .filter_map(|view| view.energy_today_wh)
        .collect();
    let frame = Frame::new(&visit, SITES, "Sites");
    let page = SitesPage {
        choices: choices(hub, &visit, &selection),
        power: (!powers.is_empty()).then(|| format::watts_number(powers.iter().sum())),
        energy: match energies.is_empty() {
            true => DASH.to_owned(),
            false => format::kwh(energies.iter().sum()),
        },
        plugs: views.iter().map(|view| view.plugs).sum(),
        gone: views.iter().map(|view| view.unavailable).sum(),
        stale: views
            .iter()
            .filter_map(|view| stale(hub, view, now))
            .collect(),
        rows: views.iter().map(|view| SiteRow::new(hub, view)).collect(),
        missing,
        further_missing,
        costs: views.iter().flat_map(CostRow::all).collect(),
        one,
        frame,
    };
    Ok(page.frame.send(&page))
}

/// Returns the links of the switch: all sites, and each that the visitor may see.
fn choices(hub: &Hub, visit: &Visit, selection: &SiteSelection) -> Vec<SiteChoice> {
    let others = hub.sites().others();
    let names = std::iter::once(&hub.config().site).chain(others.iter().map(|other| other.name()));
    let sees = |site: &&SiteName| {
        let caller = visit.caller.as_ref();
        caller.is_none_or(|caller| caller.sees(site))
    };
    let here = selection.others.first().filter(|_| selection.is_named());
    let of_site = |site: &SiteName| SiteChoice {
        path: path(hub, site),
        title: title(site),
        is_here: here.is_some_and(|other| other.name() == site),
    };
    let all = SiteChoice {
        path: "/sites".to_owned(),
        title: "All".to_owned(),
        is_here: here.is_none(),
    };
    std::iter::once(all)
        .chain(names.filter(sees).map(of_site))
        .collect()
}

/// Returns the path of the page of a site.
fn path(hub: &Hub, site: &SiteName) -> String {
    match hub.config().site == *site {
        true => "/".to_owned(),
        false => format!("/sites?site={site}"),
    }
}

async fn one_site(other: &OtherSite) -> Result<OneSite, PageError> {
    let mut plugs: Vec<OtherPlug> = other.plugs().await?.iter().map(OtherPlug::new).collect();
    plugs.sort_by_cached_key(|plug| {
        (
            plug.room.as_ref().map(|room| room.to_lowercase()),
            plug.title.to_lowercase(),
        )
    });
    Ok(OneSite {
        title: title(other.name()),
        url: other.url().map(str::to_owned),
        plugs,
    })
}

/// Returns a note about a site whose hub has not reported lately.
fn stale(hub: &Hub, view: &SiteView, now: Timestamp) -> Option<StaleSite> {
    let zone = &hub.clock().timezone;
    view.is_stale.then(|| StaleSite {
        title: title(&view.site),
        text: match view.seen {
            Some(seen) => format!(
                "nothing heard since {}. It may be cut off; its hub goes on by itself.",
                format::since(seen, now, zone)
            ),
            None => "its hub has not reported yet.".to_owned(),
        },
    })
}

/// Returns the plugs of the selected sites that do not answer, those of stale sites left out: nothing is known of them.
async fn missing(hub: &Hub, selection: &SiteSelection, now: Timestamp) -> Vec<MissingRow> {
    let zone = &hub.clock().timezone;
    let mut rows = Vec::new();
    if selection.has_own {
        let views = hub.registry().views();
        let gone = views
            .iter()
            .filter(|view| !view.available && !view.often_unplugged);
        rows.extend(gone.map(|view| MissingRow {
            site: title(&hub.config().site),
            path: Some(format!("/plugs/{:x}", view.plug.mac)),
            title: format::title(view),
            room: view.room.clone(),
            since: format::since(view.plug.seen, now, zone),
        }));
    }
    for other in selection.others.iter().filter(|other| !other.is_stale()) {
        let missing = other.missing().await.unwrap_or_else(|error| {
            tracing::warn!(site = %other.name(), %error, "its plugs cannot be read");
            Vec::new()
        });
        rows.extend(missing.into_iter().map(|plug| MissingRow {
            site: title(other.name()),
            path: None,
            title: plug.name.unwrap_or_else(|| plug.mac.to_string()),
            room: plug.room,
            since: format::since(plug.seen, now, zone),
        }));
    }
    rows
}

impl SiteRow {
    fn new(hub: &Hub, view: &SiteView) -> Self {
        Self {
            path: path(hub, &view.site),
            title: title(&view.site),
            plugs: match view.unavailable {
                0 => view.plugs.to_string(),
                gone => format!("{} of {}", view.plugs.saturating_sub(gone), view.plugs),
            },
            power: view.power_w.map_or_else(|| DASH.to_owned(), format::watts),
            energy: view
                .energy_today_wh
                .map_or_else(|| DASH.to_owned(), format::kwh),
            cost: amounts(&view.today),
            month: amounts(&view.month),
        }
    }
}

/// Returns the whole cost by currency.
fn amounts(costs: &[TariffCost]) -> String {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for row in costs {
        if let Some(currency) = &row.currency {
            let whole: f64 = [row.cost, row.standing_charge].into_iter().flatten().sum();
            *sums.entry(currency).or_default() += whole;
        }
    }
    format::amounts(sums)
}

impl CostRow {
    /// Returns the costs of the month of a site, one row a tariff.
    fn all(view: &SiteView) -> Vec<Self> {
        let row = |cost: &TariffCost| {
            let money = |amount: Option<f64>| match (amount, &cost.currency) {
                (Some(amount), Some(currency)) => format::money(amount, currency),
                _ => DASH.to_owned(),
            };
            Self {
                site: title(&view.site),
                tariff: cost.tariff.clone(),
                energy: format::kwh_number(cost.energy_wh),
                cost: money(cost.cost),
                charge: money(cost.standing_charge),
            }
        };
        view.month.iter().map(row).collect()
    }
}

impl OtherPlug {
    fn new(view: &PlugView) -> Self {
        let power = view.reading.as_ref().and_then(|reading| reading.power_w);
        Self {
            title: format::title(view),
            room: view.room.clone(),
            state: match (view.available, view.plug.relay) {
                (false, _) => "Not answering".to_owned(),
                (true, Some(RelayState::On)) => "On".to_owned(),
                (true, Some(RelayState::Off)) => "Off".to_owned(),
                (true, None) => DASH.to_owned(),
            },
            power: power
                .filter(|_| view.available)
                .map_or_else(|| DASH.to_owned(), format::watts),
            energy: view
                .energy_total_wh
                .map_or_else(|| DASH.to_owned(), |wh| format::kwh(wh as f64)),
        }
    }
}
