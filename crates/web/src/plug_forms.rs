//! Forms of the page of a plug: settings, timer, removal.

use api::{HardenRequest, Metering, PlugSettings, PowerOn, RequestError, SwitchTarget};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hiflying::Mac;
use plugs::{Minutes, RelayState};

use crate::PagesState;
use crate::fields::Fields;
use crate::format;
use crate::frame::{Frame, HOME};
use crate::note::FormNote;
use crate::page_error::{PageError, sentence, status};
use crate::plug_page::{Edit, refused};
use crate::switch::plug_of;
use crate::visit::Visit;

/// Changes the settings whose fields the form has, and returns to the page. What is refused is shown again as it was entered.
pub(crate) async fn change(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let revision = fields
        .get("revision")
        .and_then(|revision| revision.parse().ok());
    let edit = |settings: &PlugSettings| edited(settings, &fields);
    let changed = match fields.check_sent() {
        Ok(()) => state.hub.change_plug(mac, revision, edit).await,
        Err(error) => Err(error),
    };
    let error = match changed {
        Ok(_) => {
            let cookie = FormNote::Saved.cookie(&visit.prefix);
            return Ok(visit.redirect(&format!("/plugs/{mac:x}"), cookie));
        }
        Err(error) => error,
    };
    let view = state.hub.registry().one(mac)?;
    // Saved once more, the form replaces what was changed elsewhere meanwhile.
    let present = state.hub.registry().revision(mac)?;
    let based_on = revision.filter(|_| fields.is_shown_again());
    let mut edit = Edit::new(&view, based_on.unwrap_or(present));
    for (name, value) in [
        ("name", &mut edit.name),
        ("room", &mut edit.room),
        ("metering", &mut edit.metering),
        ("power_on", &mut edit.power_on),
    ] {
        if let Some(entered) = fields.get(name) {
            entered.clone_into(value);
        }
    }
    edit.often_unplugged = often_unplugged(&fields).unwrap_or(edit.often_unplugged);
    let words = match error.is_stale() {
        true => "This was changed elsewhere meanwhile. Your text is still here.".to_owned(),
        false => sentence(error.message()),
    };
    edit.problem = Some((error.field().unwrap_or("").to_owned(), words));
    Ok(refused(&state, &visit, mac, edit, status(&error)).await?)
}

/// Returns settings with the fields of a form in place of their own. An empty field resets a setting.
fn edited(settings: &PlugSettings, fields: &Fields) -> Result<PlugSettings, RequestError> {
    let mut edited = settings.clone();
    let text = |value: &str| Some(value.trim().to_owned()).filter(|text| !text.is_empty());
    if let Some(name) = fields.get("name") {
        edited.name = text(name);
    }
    if let Some(room) = fields.get("room") {
        edited.room = text(room);
    }
    if let Some(metering) = fields.get("metering").map(str::trim) {
        edited.metering = match metering {
            "" => None,
            metering => Some(
                metering
                    .parse::<Metering>()
                    .map_err(|error| RequestError::usage(error).at("metering"))?,
            ),
        };
    }
    if let Some(power_on) = fields.get("power_on") {
        edited.power_on = match power_on {
            "" => None,
            "on" => Some(PowerOn::On),
            "off" => Some(PowerOn::Off),
            "last" => Some(PowerOn::Last),
            _ => {
                return Err(
                    RequestError::usage("it is `on`, `off`, `last` or empty").at("power_on")
                );
            }
        };
    }
    edited.often_unplugged = often_unplugged(fields).unwrap_or(edited.often_unplugged);
    Ok(edited)
}

/// Returns the checkbox of a form that has it. Unchecked it is not sent, but the hidden field before it is.
fn often_unplugged(fields: &Fields) -> Option<bool> {
    let values = fields.all("often_unplugged");
    (!values.is_empty()).then(|| values.contains(&"true"))
}

/// Sets the plug's own timer, and returns to the page.
pub(crate) async fn delay(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let relay: RelayState = fields.parse("state")?;
    let minutes: u16 = fields.parse("minutes")?;
    let minutes = Minutes::new(minutes)
        .map_err(|error| RequestError::usage(format!("minutes: {error}")).at("minutes"))?;
    let note = match state.hub.registry().delay(mac, relay, minutes).await {
        Ok(delayed) => FormNote::TimerSet {
            goal: relay,
            due: delayed.due,
        },
        Err(error) => FormNote::NotSwitched {
            plug: mac,
            goal: relay,
            kind: error.kind(),
        },
    };
    Ok(visit.redirect(&format!("/plugs/{mac:x}"), note.cookie(&visit.prefix)))
}

/// Looks at what the settings of a plug leave open, and returns to the page, which shows it.
pub(crate) async fn check_open(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let request = HardenRequest {
        dry_run: true,
        ..HardenRequest::default()
    };
    state.hub.harden(mac, request).await?;
    Ok(visit.redirect(&format!("/plugs/{mac:x}"), None))
}

#[derive(Template)]
#[template(path = "plug-remove.html")]
struct RemovePage {
    frame: Frame,
    mac: String,
    title: String,
    total: Option<String>,
    effects: Vec<String>,
}

/// Asks whether a plug is to be removed.
pub(crate) async fn ask_removal(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let view = state.hub.registry().one(mac)?;
    let title = format::title(&view);
    let page = RemovePage {
        frame: Frame::new(&visit, HOME, format!("Remove {title}")),
        mac: format!("{mac:x}"),
        total: view.energy_total_wh.map(|wh| format::kwh(wh as f64)),
        effects: removal_effects(&state, mac),
        title,
    };
    Ok(page.frame.send(&page))
}

/// Returns the effects of the removal of a plug on what names it, as sentences.
fn removal_effects(state: &PagesState, mac: Mac) -> Vec<String> {
    let hub = &state.hub;
    let target = SwitchTarget::Plug(mac);
    let names = |names: Vec<String>, words: &str| {
        (!names.is_empty()).then(|| format!("{words} {}.", names.join(", ")))
    };
    let schedules = hub.schedules().all().into_iter();
    let schedules = schedules.filter(|stored| stored.body.targets.contains(&target));
    let rules = hub.rules().all().into_iter();
    let rules = rules.filter(|stored| stored.body.plugs().any(|(_, plug)| plug == mac));
    let groups = hub.groups().all().into_iter();
    let groups = groups.filter(|stored| stored.body.plugs.contains(&mac));
    let effects = [
        names(
            schedules
                .map(|stored| stored.body.name.to_string())
                .collect(),
            "Schedules that no longer switch it:",
        ),
        names(
            rules.map(|stored| stored.body.name.to_string()).collect(),
            "Rules that no longer act:",
        ),
        names(
            groups.map(|stored| stored.body.name.to_string()).collect(),
            "Groups that miss it:",
        ),
    ];
    effects.into_iter().flatten().collect()
}

/// Removes a plug, and returns to the home page.
pub(crate) async fn remove(
    State(state): State<PagesState>,
    Path(mac): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let mac = plug_of(&state, &mac)?;
    let purge = match fields.needed("history")? {
        "keep" => false,
        "drop" => true,
        _ => {
            return Err(RequestError::usage("history: it is `keep` or `drop`")
                .at("history")
                .into());
        }
    };
    state.hub.registry().remove(mac, None, purge).await?;
    Ok(visit.prefix.redirect("/"))
}
