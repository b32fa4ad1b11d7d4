//! Groups: plugs that are switched together.

use api::text::Names as _;
use api::{Group, RequestError, Stored, SwitchTarget};
use askama::Template;
use axum::response::Response;
use hiflying::Mac;
use plugs::RelayState;
use serde_json::{Value, json};

use crate::PagesState;
use crate::documents::{DocumentPage, Editor};
use crate::fields::Fields;
use crate::format;
use crate::frame::{Frame, NavItem, SCHEDULES};
use crate::names::KnownNames;
use crate::page_error::sentence;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    frame: Frame,
    rows: Vec<GroupRow>,
    plugs: Vec<PlugChoice>,
    editor: Option<Editor>,
}

/// A group in the list.
struct GroupRow {
    id: String,
    name: String,
    members: String,
    state: String,
}

/// The days of a week: their words in JSON and their names.
pub(crate) const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "Mon"),
    ("tue", "Tue"),
    ("wed", "Wed"),
    ("thu", "Thu"),
    ("fri", "Fri"),
    ("sat", "Sat"),
    ("sun", "Sun"),
];

/// A plug that can be chosen in a form.
#[derive(Debug, Clone)]
pub(crate) struct PlugChoice {
    /// Its MAC as in JSON.
    pub(crate) value: String,
    /// Its name, else its MAC.
    pub(crate) title: String,
    /// True if it has a meter.
    pub(crate) has_meter: bool,
}

/// Returns all plugs by name, for a form.
pub(crate) fn plug_choices(state: &PagesState) -> Vec<PlugChoice> {
    let registry = state.hub.registry();
    let mut plugs: Vec<_> = registry
        .views()
        .iter()
        .map(|view| PlugChoice {
            value: view.plug.mac.to_string(),
            title: format::title(view),
            has_meter: registry.can(view.plug.mac, plugs::Capability::Meter),
        })
        .collect();
    plugs.sort_by_cached_key(|plug| (plug.title.to_lowercase(), plug.value.clone()));
    plugs
}

impl DocumentPage for Group {
    // They have no place of their own in the navigation.
    const PLACE: NavItem = SCHEDULES;

    fn json(fields: &Fields) -> Result<Value, RequestError> {
        Ok(json!({"name": fields.needed("name")?.trim(), "plugs": fields.all("plugs")}))
    }

    fn words(&self, state: &PagesState) -> String {
        match self.plugs.as_slice() {
            [] => "No plugs.".to_owned(),
            plugs => sentence(&KnownNames(&state.hub).plugs(plugs)),
        }
    }

    async fn effects(state: &PagesState, group: &Stored<Self>) -> Vec<String> {
        let target = SwitchTarget::Group(group.id.clone());
        let schedules = state.hub.schedules().all().into_iter();
        let users = schedules.filter(|stored| stored.body.targets.contains(&target));
        let names: Vec<String> = users.map(|stored| stored.body.name.to_string()).collect();
        let mut effects = vec!["Its plugs stay as they are.".to_owned()];
        if !names.is_empty() {
            let names = names.join(", ");
            effects.push(format!("Schedules that switch it no longer will: {names}."));
        }
        effects
    }

    fn page(state: &PagesState, visit: &Visit, editor: Option<Editor>) -> Response {
        let names = KnownNames(&state.hub);
        let row = |group: Stored<Self>| GroupRow {
            id: group.id.to_string(),
            name: group.body.name.to_string(),
            members: match group.body.plugs.as_slice() {
                [] => "No plugs".to_owned(),
                plugs => names.plugs(plugs),
            },
            state: on_words(state, &group.body.plugs),
        };
        let page = GroupsPage {
            frame: Frame::new(visit, Self::PLACE, "Groups"),
            rows: state.hub.groups().all().into_iter().map(row).collect(),
            plugs: plug_choices(state),
            editor,
        };
        page.frame.send(&page)
    }
}

/// Returns how many of these plugs are on.
fn on_words(state: &PagesState, plugs: &[Mac]) -> String {
    let is_on = |plug: &&Mac| {
        let view = state.hub.registry().view(**plug);
        view.is_some_and(|view| view.available && view.plug.relay == Some(RelayState::On))
    };
    format!(
        "{} of {} on",
        plugs.iter().filter(is_on).count(),
        plugs.len()
    )
}
