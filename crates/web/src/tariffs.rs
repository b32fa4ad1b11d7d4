//! Tariffs: prices of a kilowatt-hour, and their import.

use api::text::{LocalClock, Names as _};
use api::{HourPrices, Id, LocalDate, RequestError, Stored, Tariff, TariffKind};
use askama::Template;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::PagesState;
use crate::documents::{DocumentPage, Editor, changed, checked, document_id, filled, number};
use crate::fields::Fields;
use crate::format;
use crate::frame::{Frame, NavItem, SETTINGS};
use crate::groups::{PlugChoice, WEEKDAYS, plug_choices};
use crate::names::KnownNames;
use crate::note::FormNote;
use crate::page_error::{PageError, sentence, status};
use crate::visit::Visit;

/// Maximum size in bytes of a form with prices.
pub(crate) const MAX_PRICES_BYTES: usize = 16 * 1024 * 1024;
/// The kinds of tariffs: their word in JSON and their name.
const KINDS: [(&str, &str); 3] = [
    ("flat", "One price"),
    ("day_night", "Day and night"),
    ("hourly", "By the hour"),
];
/// Fields of the editor that show what is wrong with them.
const SHOWN: [&str; 12] = [
    "name",
    "currency",
    "price",
    "day",
    "night",
    "day_begins",
    "night_begins",
    "days",
    "otherwise",
    "valid_from",
    "plugs",
    "standing_charge.price",
];

#[derive(Template)]
#[template(path = "tariffs.html")]
struct TariffsPage {
    frame: Frame,
    rows: Vec<TariffRow>,
    plugs: Vec<PlugChoice>,
    editor: Option<Editor>,
    repriced: Option<String>,
    /// The tariff by the hour that is edited, whose prices can be imported.
    import: Option<PriceImport>,
    kinds: [(&'static str, &'static str); 3],
    days: [(&'static str, &'static str); 7],
    timezone: String,
}

/// A tariff in a list.
pub(crate) struct TariffRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) sentence: String,
}

/// The form that imports prices.
struct PriceImport {
    known: String,
    text: String,
    problem: Option<String>,
}

impl DocumentPage for Tariff {
    const PLACE: NavItem = SETTINGS;

    fn json(fields: &Fields) -> Result<Value, RequestError> {
        let mut tariff = Map::new();
        let kind = filled(fields, "kind").unwrap_or("flat");
        let (prices, texts): (&[&str], &[&str]) = match kind {
            "day_night" => (&["day", "night"], &["day_begins", "night_begins"]),
            "hourly" => (&["otherwise"], &[]),
            _ => (&["price"], &[]),
        };
        for name in ["name", "currency"] {
            tariff.insert(name.to_owned(), fields.needed(name)?.trim().into());
        }
        tariff.insert("kind".to_owned(), kind.into());
        tariff.insert("plugs".to_owned(), fields.all("plugs").into());
        for name in prices {
            match number(fields, name)? {
                Some(price) => tariff.insert((*name).to_owned(), price.into()),
                None if *name == "otherwise" => None,
                None => {
                    return Err(
                        RequestError::usage(format!("{name}: a price is missing")).at(*name)
                    );
                }
            };
        }
        for name in texts {
            tariff.insert((*name).to_owned(), fields.needed(name)?.into());
        }
        if let Some(day) = checked::<LocalDate>(fields, "valid_from")? {
            tariff.insert("valid_from".to_owned(), day.into());
        }
        let days = fields.all("days");
        if kind == "day_night" && !days.is_empty() {
            tariff.insert("days".to_owned(), days.into());
        }
        if let Some(price) = number(fields, "standing_charge.price")? {
            let per = filled(fields, "standing_charge.per").unwrap_or("month");
            tariff.insert(
                "standing_charge".to_owned(),
                json!({"price": price, "per": per}),
            );
        }
        Ok(tariff.into())
    }

    fn keeping(mut self, present: &Self) -> Self {
        if let (TariffKind::Hourly { prices, .. }, TariffKind::Hourly { prices: known, .. }) =
            (&mut self.kind, &present.kind)
        {
            prices.clone_from(known);
        }
        self
    }

    fn words(&self, state: &PagesState) -> String {
        let price = sentence(&self.sentence());
        let plugs = match self.plugs.as_slice() {
            [] => "For all plugs".to_owned(),
            plugs => format!("For {}", KnownNames(&state.hub).plugs(plugs)),
        };
        match self.valid_from {
            Some(day) => format!("{price} {plugs}, from {day} on."),
            None => format!("{price} {plugs}."),
        }
    }

    async fn effects(state: &PagesState, stored: &Stored<Self>) -> Vec<String> {
        let before = state.hub.tariffs().all();
        let rest = before.iter().filter(|other| other.id != stored.id);
        let rest: Vec<_> = rest.cloned().collect();
        let clock = LocalClock::at(plugs::now(), state.hub.clock().timezone.clone());
        match state.hub.repriced(&before, &rest).await {
            Ok(Some(repriced)) => {
                let costs = repriced.sentence(&clock);
                vec![format!(
                    "Costs of the past are then calculated without it: {costs}."
                )]
            }
            Ok(None) => vec!["Costs of the past stay as they are.".to_owned()],
            Err(_) => vec!["Costs of the past may change.".to_owned()],
        }
    }

    async fn repriced_since(state: &PagesState, before: &[Stored<Self>]) -> Option<Timestamp> {
        let after = state.hub.tariffs().all();
        let repriced = state.hub.repriced(before, &after).await;
        repriced.ok().flatten().map(|repriced| repriced.from)
    }

    fn page(state: &PagesState, visit: &Visit, editor: Option<Editor>) -> Response {
        page(state, visit, editor, None)
    }
}

/// Returns the tariffs for a list.
pub(crate) fn rows(state: &PagesState) -> Vec<TariffRow> {
    let tariffs = state.hub.tariffs().all().into_iter();
    let row = |stored: Stored<Tariff>| TariffRow {
        id: stored.id.to_string(),
        name: stored.body.name.to_string(),
        sentence: stored.body.words(state),
    };
    tariffs.map(row).collect()
}

fn page(
    state: &PagesState,
    visit: &Visit,
    editor: Option<Editor>,
    import: Option<PriceImport>,
) -> Response {
    let hub = &state.hub;
    let clock = LocalClock::at(plugs::now(), hub.clock().timezone.clone());
    let id = editor.as_ref().and_then(|editor| editor.id.as_ref());
    let known = id.and_then(|id| known_prices(&hub.tariffs().one(id).ok()?.body));
    let page = TariffsPage {
        frame: Frame::new(visit, SETTINGS, "Tariffs"),
        rows: rows(state),
        plugs: plug_choices(state),
        repriced: match visit.note {
            Some(FormNote::Repriced { since }) if since == Timestamp::UNIX_EPOCH => {
                Some("Costs of the past are different now.".to_owned())
            }
            Some(FormNote::Repriced { since }) => {
                let since = clock.moment(since);
                Some(format!("Costs since {since} are different now."))
            }
            _ => None,
        },
        import: import.or_else(|| {
            Some(PriceImport {
                known: known?,
                text: String::new(),
                problem: None,
            })
        }),
        editor,
        kinds: KINDS,
        days: WEEKDAYS,
        timezone: format::zone(&hub.clock().timezone),
    };
    page.frame.send(&page)
}

/// Returns the known prices of a tariff by the hour in words; `None` for another kind.
fn known_prices(tariff: &Tariff) -> Option<String> {
    let TariffKind::Hourly { prices, .. } = &tariff.kind else {
        return None;
    };
    let count = prices.len();
    Some(match prices.iter().last() {
        None => "No prices yet.".to_owned(),
        Some(last) => format!("{count} prices, the last from {}.", last.t),
    })
}

/// The prices of a form, as a file or as a text.
#[derive(Debug, Default)]
struct GivenPrices {
    text: String,
    replace: bool,
}

impl GivenPrices {
    async fn read(form: Result<Multipart, MultipartRejection>) -> Result<Self, RequestError> {
        let usage = |text: String| RequestError::usage(text).at("prices");
        let mut form = form.map_err(|error| usage(error.body_text()))?;
        let mut given = Self::default();
        while let Some(field) = form
            .next_field()
            .await
            .map_err(|error| usage(error.body_text()))?
        {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field
                .bytes()
                .await
                .map_err(|error| usage(error.body_text()))?;
            match name.as_str() {
                "replace" => given.replace = true,
                "prices" | "file" if !bytes.trim_ascii().is_empty() => {
                    let text = String::from_utf8(bytes.into());
                    given.text = text.map_err(|_| usage("a price file is a text".to_owned()))?;
                }
                _ => {}
            }
        }
        Ok(given)
    }

    fn parse(&self, state: &PagesState) -> Result<HourPrices, RequestError> {
        let text = self.text.trim();
        if text.is_empty() {
            return Err(RequestError::usage("choose a file, or paste its text").at("prices"));
        }
        if text.starts_with('[') {
            let prices = serde_json::from_str(text);
            return prices.map_err(|error| RequestError::usage(error.to_string()).at("prices"));
        }
        HourPrices::from_csv(text.as_bytes(), &state.hub.clock().timezone)
    }
}

/// Adds the prices of a file or of a text to a tariff by the hour.
pub(crate) async fn import(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, PageError> {
    let id: Id = document_id::<Tariff>(&id)?;
    let before = state.hub.tariffs().all();
    let given = GivenPrices::read(form).await;
    let (given, parsed) = match given {
        Ok(given) => {
            let parsed = given.parse(&state);
            (given, parsed)
        }
        Err(error) => (GivenPrices::default(), Err(error)),
    };
    let imported = match parsed {
        Ok(prices) => {
            let edit = |tariff: &Tariff| tariff.with_prices(&prices, given.replace);
            state.hub.edit_document(&id, None, edit).await.map(drop)
        }
        Err(error) => Err(error),
    };
    let Err(error) = imported else {
        return Ok(changed::<Tariff>(&state, &visit, &before).await);
    };
    let stored = state.hub.tariffs().one(&id)?;
    let import = PriceImport {
        known: known_prices(&stored.body).unwrap_or_default(),
        text: given.text,
        problem: Some(sentence(error.message())),
    };
    let editor = Editor::of(&stored);
    let page = page(&state, &visit, Some(editor), Some(import));
    Ok((status(&error), page).into_response())
}
