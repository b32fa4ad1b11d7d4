//! Common parts of the verbs for groups, schedules, rules and tariffs: these documents live in a hub, have a name, and are
//! listed, shown, created, edited and removed in the same way.
//!
//! An edit is a JSON merge patch: it changes the fields that the options give and nothing else. The options of a document and
//! its table are beside its verb; its sentences are in [`api::text`].

use anstyle::Style;
use api::client::Client;
use api::text::{Details, LocalClock, PAST_COSTS, Tone, Toned};
use api::{Document, DocumentView};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::inventory::{folded, names_near};
use crate::ui::table::Cell;
use crate::ui::{BAD, BOLD, DIM, GOOD, ON, clean, paint};

pub(super) mod options;

use crate::hub_names::HubNames;

/// A JSON merge patch.
pub(super) type Patch = Map<String, Value>;

/// The document that a verb is for.
#[derive(Debug, clap::Args)]
pub(super) struct DocumentName {
    /// Name or id
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

/// Options of an `edit`.
#[derive(Debug, clap::Args)]
pub(super) struct EditArgs<C: clap::Args> {
    #[command(flatten)]
    document: DocumentName,
    /// New name
    #[arg(long = "name", value_name = "NAME")]
    new_name: Option<String>,
    #[command(flatten)]
    change: C,
}

/// The options of a document, as far as `edit` can change them.
pub(super) trait Change<D: Document> {
    /// Returns the patch of a document that is `current` so far; empty if no option is given.
    fn patch(&self, current: &DocumentView<D>, names: &HubNames) -> Result<Patch, Failure>;
}

/// A document that can be shown in a table.
pub(super) trait Listed: Details {
    /// Returns a table of documents.
    fn table(views: &[DocumentView<Self>], names: &HubNames, clock: &LocalClock) -> String;
}

/// The documents of a hub, and the names of its plugs and groups.
pub(super) struct Documents<'a> {
    context: &'a Context,
    pub(super) hub: Client,
    pub(super) names: HubNames,
}

impl<'a> Documents<'a> {
    /// Connects to the hub.
    pub(super) async fn open(context: &'a Context) -> Result<Self, Failure> {
        let hub = context.need_hub()?;
        let names = HubNames::load(&hub).await?;
        Ok(Self {
            context,
            hub,
            names,
        })
    }

    /// Finds a document by id or name.
    pub(super) async fn find<D: Document>(&self, text: &str) -> Result<DocumentView<D>, Failure> {
        let mut all = self.hub.documents::<D>().await?;
        match position(&all, text) {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(unknown::<D>(&all, text)),
        }
    }

    /// Runs `list`.
    pub(super) async fn list<D: Listed>(&self) -> Outcome {
        let all = self.hub.documents::<D>().await?;
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&all)?;
        } else if all.is_empty() {
            let one = D::COLLECTION.singular();
            ui.status(format_args!(
                "the hub has no {one} yet; see `mains help {one} add`"
            ));
        } else {
            ui.data(D::table(&all, &self.names, &self.names.clock()))?;
        }
        Ok(Exit::DONE)
    }

    /// Runs `show`.
    pub(super) async fn show<D: Listed>(&self, document: &DocumentName) -> Outcome {
        let view = self.find::<D>(&document.name).await?;
        self.print(&view)
    }

    /// Runs `add`.
    pub(super) async fn create<D: Listed>(&self, document: &D) -> Outcome {
        let view = self.hub.create(document).await?;
        self.print(&view)
    }

    /// Runs `edit`. A change that someone else makes at the same time is not overwritten.
    pub(super) async fn edit<D: Listed, C>(&self, args: &EditArgs<C>) -> Outcome
    where
        C: Change<D> + clap::Args,
    {
        let found = self.find::<D>(&args.document.name).await?;
        let current = self.hub.document::<D>(&found.id).await?;
        let mut patch = args.change.patch(&current.body, &self.names)?;
        if let Some(name) = &args.new_name {
            patch.insert("name".to_owned(), name.as_str().into());
        }
        if patch.is_empty() {
            return Err(nothing_to_change::<D>());
        }
        let etag = current.etag.as_deref();
        let view = self
            .hub
            .patch_document::<D>(&found.id, etag, &patch)
            .await?;
        self.print(&view)
    }

    /// Runs `enable` or `disable`.
    pub(super) async fn enable<D: Listed>(
        &self,
        document: &DocumentName,
        enabled: bool,
    ) -> Outcome {
        let found = self.find::<D>(&document.name).await?;
        let patch = json!({"enabled": enabled});
        let view = self
            .hub
            .patch_document::<D>(&found.id, None, &patch)
            .await?;
        self.print(&view)
    }

    /// Runs `remove`. Its JSON is the removed document, which can be created again from it.
    pub(super) async fn remove<D: Listed>(&self, document: &DocumentName) -> Outcome {
        let view = self.find::<D>(&document.name).await?;
        let repriced = self.hub.remove::<D>(&view.id).await?;
        let is_repriced = repriced.is_some();
        let view = repriced.unwrap_or(view);
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&view)?;
        } else {
            let name = paint(BOLD, clean(view.document.name()));
            ui.data(format_args!(
                "the {} {name} is removed",
                D::COLLECTION.singular()
            ))?;
            let mut details = D::details(&view, &self.names, &self.names.clock());
            details.retain(|(label, _)| is_repriced && *label == PAST_COSTS);
            if is_repriced {
                ui.data(lines(&details))?;
            }
        }
        Ok(Exit::DONE)
    }

    /// Prints a document, as JSON or as its details.
    pub(super) fn print<D: Details>(&self, view: &DocumentView<D>) -> Outcome {
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(view)?;
        } else {
            let details = D::details(view, &self.names, &self.names.clock());
            ui.data(lines(&details))?;
        }
        Ok(Exit::DONE)
    }
}

/// Returns the document that the options of `add` make.
pub(super) fn new_document<D: Document>(fields: Patch) -> Result<D, Failure> {
    let document: D =
        serde_json::from_value(fields.into()).map_err(|error| Failure::usage(error.to_string()))?;
    document.check()?;
    Ok(document)
}

/// Returns the place of a document in a list. An id is preferred to a name that reads like one.
fn position<D: Document>(all: &[DocumentView<D>], text: &str) -> Option<usize> {
    let wanted = folded(text);
    let by_id = all.iter().position(|view| view.id.as_str() == text);
    by_id.or_else(|| {
        all.iter()
            .position(|view| folded(view.document.name()) == wanted)
    })
}

fn unknown<D: Document>(all: &[DocumentView<D>], text: &str) -> Failure {
    let one = D::COLLECTION.singular();
    let message = format!("the hub has no {one} \u{2018}{text}\u{2019}");
    let failure = Failure::new(Kind::NotFound, message);
    match names_near(text, all.iter().map(|view| view.document.name())).as_slice() {
        [] => failure.hint(format!("`mains {one} list` shows them")),
        near => failure.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => BOLD,
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::On => ON,
        Tone::Dim => DIM,
    }
}

/// Returns a cell of a table.
pub(super) fn cell(toned: Toned) -> Cell {
    Cell::styled(style(toned.tone), toned.text)
}

/// Returns the details of a document, each value with a dim label before it.
fn lines(details: &[(&str, Toned)]) -> String {
    let width = details.iter().map(|(label, _)| label.len()).max();
    let width = width.unwrap_or_default();
    let lines: Vec<String> = details
        .iter()
        .map(|(label, value)| {
            let label = paint(DIM, format_args!("{label:<width$}"));
            let value = paint(style(value.tone), clean(&value.text));
            format!("{label}  {value}")
        })
        .collect();
    lines.join("\n")
}

fn nothing_to_change<D: Document>() -> Failure {
    let one = D::COLLECTION.singular();
    Failure::usage("nothing to change; pass at least one option")
        .hint(format!("`mains help {one} edit` lists them"))
}

#[cfg(test)]
pub(super) mod tests {
    use api::{Group, GroupView};
    use jiff::tz::TimeZone;

    use super::*;

    /// Sunday, 22 November 2026, noon in UTC.
    pub(crate) fn clock() -> LocalClock {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        LocalClock::at("2026-11-22T12:00:00Z".parse().unwrap(), zone)
    }

    pub(crate) fn views<D: Document>(json: Value) -> Vec<DocumentView<D>> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn labels_are_aligned() {
        let details = [
            ("name", Tone::Strong.of("evening\u{7}")),
            ("id", Toned::or_dash(None)),
        ];
        assert_eq!(
            anstream::adapter::strip_str(&lines(&details)).to_string(),
            "name  evening\\u{7}\nid    -"
        );
    }

    #[test]
    fn documents_are_found_by_id_and_by_name() {
        let all: Vec<GroupView> = serde_json::from_value(json!([
            {"id": "g-00000001", "name": "Evening", "plugs": []},
            {"id": "g-00000002", "name": "g-00000001", "plugs": []},
        ]))
        .unwrap();
        for (text, index) in [
            ("g-00000001", Some(0)),
            ("evening", Some(0)),
            (" Evening ", Some(0)),
            ("g-00000002", Some(1)),
            ("morning", None),
        ] {
            assert_eq!(position(&all, text), index, "{text}");
        }
        let failure = unknown::<Group>(&all, "evning");
        assert_eq!(failure.kind(), Kind::NotFound);
        assert_eq!(failure.hint_text(), Some("did you mean Evening?"));
    }
}
