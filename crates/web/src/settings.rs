//! Settings: tariffs, colours, place, access, storage.

use api::text::Names as _;
use api::{Id, RequestError, Tariff};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use crate::PagesState;
use crate::documents::{filled, number, saved};
use crate::fields::Fields;
use crate::format;
use crate::frame::{Frame, SETTINGS};
use crate::home::damages;
use crate::names::KnownNames;
use crate::page_error::{PageError, sentence, status};
use crate::visit::{Theme, Visit};

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    damages: Vec<String>,
    theme: &'static str,
    tariffs: Vec<TariffRow>,
    problem: Option<String>,
    /// The fields of a form that was refused.
    fields: Fields,
    timezone: String,
    place: Option<(f64, f64)>,
    storage: Option<StorageSize>,
    keep_readings: String,
    keep_minutes: String,
    version: &'static str,
}

/// A tariff in the list.
struct TariffRow {
    id: String,
    name: String,
    sentence: String,
}

/// Size of the database.
struct StorageSize {
    megabytes: String,
}

/// Shows the settings.
pub(crate) async fn settings(State(state): State<PagesState>, visit: Visit) -> Response {
    page(&state, &visit, None, Fields::default()).await
}

/// Creates a tariff with one price, or with one for the day and one for the night.
pub(crate) async fn create_tariff(
    State(state): State<PagesState>,
    visit: Visit,
    fields: Fields,
) -> Response {
    let created = match tariff(&fields) {
        Ok(tariff) => state.hub.create_document(tariff).await.map(drop),
        Err(error) => Err(error),
    };
    match created {
        Ok(()) => saved(&visit, "settings"),
        Err(error) => {
            let problem = sentence(error.message());
            let mut response = page(&state, &visit, Some(problem), fields).await;
            *response.status_mut() = status(&error);
            response
        }
    }
}

/// Removes a tariff.
pub(crate) async fn remove_tariff(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let id: Id = id
        .parse()
        .map_err(|_| RequestError::not_found("there is no such tariff"))?;
    state.hub.remove_document::<Tariff>(&id, None).await?;
    Ok(saved(&visit, "settings"))
}

fn tariff(fields: &Fields) -> Result<Tariff, RequestError> {
    let price = |name: &str| {
        let missing = || RequestError::usage(format!("{name}: a price is missing")).at(name);
        number(fields, name)?.ok_or_else(missing)
    };
    let name = fields.needed("name")?.trim();
    let currency = fields.needed("currency")?;
    let json = if fields.get("kind") == Some("day_night") {
        json!({
            "name": name,
            "currency": currency,
            "kind": "day_night",
            "day": price("day")?,
            "night": price("night")?,
            "day_begins": filled(fields, "day_begins").unwrap_or("06:00"),
            "night_begins": filled(fields, "night_begins").unwrap_or("22:00"),
        })
    } else {
        json!({
            "name": name,
            "currency": currency,
            "kind": "flat",
            "price": price("price")?,
        })
    };
    serde_json::from_value(json).map_err(|error| RequestError::usage(error.to_string()))
}

async fn page(
    state: &PagesState,
    visit: &Visit,
    problem: Option<String>,
    fields: Fields,
) -> Response {
    let hub = &state.hub;
    let config = hub.config();
    let names = KnownNames(hub);
    let tariffs = hub.tariffs().all();
    let storage = hub.store().info().await.ok();
    let page = SettingsPage {
        damages: damages(hub),
        frame: Frame::new(visit, SETTINGS, "Settings"),
        theme: visit.theme.as_str(),
        tariffs: tariffs
            .iter()
            .map(|stored| {
                let price = sentence(&stored.body.sentence());
                let plugs = match stored.body.plugs.as_slice() {
                    [] => "For all plugs.".to_owned(),
                    plugs => format!("For {}.", names.plugs(plugs)),
                };
                TariffRow {
                    id: stored.id.to_string(),
                    name: stored.body.name.to_string(),
                    sentence: format!("{price} {plugs}"),
                }
            })
            .collect(),
        problem,
        fields,
        timezone: hub
            .clock()
            .timezone
            .iana_name()
            .unwrap_or("local time")
            .to_owned(),
        place: config.place.map(|place| (place.latitude, place.longitude)),
        storage: storage.map(|info| StorageSize {
            megabytes: format::number(info.bytes as f64 / 1e6, 1),
        }),
        keep_readings: config.keep_readings.to_string(),
        keep_minutes: config.keep_minutes.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.frame.send(&page)
}

impl SettingsPage {
    fn themes(&self) -> [(&'static str, &'static str); 3] {
        let words = ["Like the device", "Light", "Dark"];
        let [auto, light, dark] = Theme::ALL.map(|(_, value)| value);
        [(auto, words[0]), (light, words[1]), (dark, words[2])]
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }
}
