//! Adding a plug: those that were heard and are not adopted yet.

use std::net::Ipv4Addr;
use std::time::Duration;

use api::{Name, PlugSettings, RequestError, SiteName};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hiflying::Mac;
use hub::Registry;
use plugs::{FamilyId, Plug};

use crate::PagesState;
use crate::documents::{filled, saved};
use crate::fields::Fields;
use crate::format;
use crate::frame::{ADD, Frame};
use crate::naming::unnamed;
use crate::page_error::{PageError, sentence, status};
use crate::visit::Visit;

/// Duration of a search that a person starts.
const SEARCH_DURATION: Duration = Duration::from_secs(4);

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage {
    frame: Frame,
    offered: Vec<OfferedPlug>,
    adopted: Vec<(String, String, String)>,
    /// Number of adopted plugs without a name.
    unnamed: usize,
    problem: Option<String>,
    /// The fields of a form that was refused.
    fields: Fields,
}

/// A plug that can be added.
struct OfferedPlug {
    mac: String,
    title: String,
    address: String,
    details: String,
    /// The other site that has adopted it, so that it cannot be added here.
    site: Option<SiteName>,
}

impl AddPage {
    /// Returns the number of plugs that can be added.
    fn new_plugs(&self) -> usize {
        let new = self.offered.iter().filter(|plug| plug.site.is_none());
        new.count()
    }
}

/// Shows the plugs that can be added.
pub(crate) async fn add(State(state): State<PagesState>, visit: Visit) -> Response {
    page(&state, &visit, None, Fields::default())
}

/// Searches for plugs, and shows what was found.
pub(crate) async fn search(
    State(state): State<PagesState>,
    visit: Visit,
) -> Result<Response, PageError> {
    state.hub.registry().discover(SEARCH_DURATION).await?;
    Ok(visit.prefix.redirect("/add"))
}

/// Adopts the plug at an address, and names it.
pub(crate) async fn adopt(
    State(state): State<PagesState>,
    visit: Visit,
    fields: Fields,
) -> Response {
    match adopted(&state, &fields).await {
        Ok(mac) => saved(&visit, &format!("#plug-{mac:x}")),
        Err(error) => {
            let problem = match error.hint_text() {
                Some(hint) => format!("{} {}", sentence(error.message()), sentence(hint)),
                None => sentence(error.message()),
            };
            let page = page(&state, &visit, Some(problem), fields);
            (status(&error), page).into_response()
        }
    }
}

/// Adopts all plugs that can be added, and leads to their naming.
pub(crate) async fn adopt_all(
    State(state): State<PagesState>,
    visit: Visit,
) -> Result<Response, PageError> {
    let registry = state.hub.registry();
    let mut failed = None;
    for plug in registry.offered() {
        if registry.foreign_site(plug.mac).is_some() {
            continue;
        }
        if let Err(error) = registry.adopt(plug.address).await {
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(visit.prefix.redirect("/add/names")),
    }
}

async fn adopted(state: &PagesState, fields: &Fields) -> Result<Mac, RequestError> {
    fields.check_sent()?;
    let address: Ipv4Addr = fields.parse("address")?;
    // Before the plug is adopted, which a wrong name would not undo.
    let text = |name| filled(fields, name).map(str::parse::<Name>).transpose();
    let wrong = |field: &'static str| move |problem| RequestError::usage(problem).at(field);
    let name = text("name").map_err(wrong("name"))?.map(String::from);
    let room = text("room").map_err(wrong("room"))?.map(String::from);
    let registry = state.hub.registry();
    let (view, _) = registry.adopt(address).await?;
    let mac = view.plug.mac;
    if name.is_some() || room.is_some() {
        let edit = |settings: &PlugSettings| {
            Ok(PlugSettings {
                name: name.or_else(|| settings.name.clone()),
                room: room.or_else(|| settings.room.clone()),
                ..settings.clone()
            })
        };
        state.hub.change_plug(mac, None, edit).await?;
    }
    Ok(mac)
}

fn page(state: &PagesState, visit: &Visit, problem: Option<String>, fields: Fields) -> Response {
    let registry = state.hub.registry();
    let mut adopted: Vec<_> = registry
        .views()
        .iter()
        .map(|view| {
            let mac = format!("{:x}", view.plug.mac);
            (mac, format::title(view), view.plug.address.to_string())
        })
        .collect();
    adopted.sort_by_cached_key(|(_, title, _)| title.to_lowercase());
    let page = AddPage {
        frame: Frame::new(visit, ADD, "Add a plug"),
        offered: registry
            .offered()
            .iter()
            .map(|plug| offered(registry, plug))
            .collect(),
        adopted,
        unnamed: unnamed(state).len(),
        problem,
        fields,
    };
    page.frame.send(&page)
}

fn offered(registry: &Registry, plug: &Plug) -> OfferedPlug {
    let title = match (&plug.serial, plug.family) {
        (Some(serial), _) => format!("Plug {serial}"),
        (None, FamilyId::MODULE) => format!("Module {}", plug.mac),
        (None, _) => format!("Plug {}", plug.mac),
    };
    let relay = plug.relay.map(|relay| relay.to_string());
    let parts = [plug.model.clone(), relay];
    let details: Vec<String> = parts.into_iter().flatten().collect();
    OfferedPlug {
        mac: format!("{:x}", plug.mac),
        title,
        address: plug.address.to_string(),
        details: details.join(" · "),
        site: registry.foreign_site(plug.mac),
    }
}
