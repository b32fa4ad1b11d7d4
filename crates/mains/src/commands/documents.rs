//! What groups, schedules, rules and tariffs have in common on the command line: they live in a hub, have a name, and are
//! listed, shown, made, edited and removed in the same way.
//!
//! A document stays the JSON that the hub sent. So an edit changes what it names and nothing else, also of a hub that is
//! newer and knows more. What a collection alone has (its options, its words for people) is beside its verb.

use api::Collection;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::hub_client::Client;
use crate::inventory::{folded, names_near};
use crate::ui::{BOLD, clean, paint};

pub(super) mod kinds;
pub(super) mod names;
pub(super) mod people;
pub(super) mod words;

use names::Names;
use people::{Clock, Line};

/// A document as the hub sends it: `id`, what people wrote, and what the hub adds (`next`, `last`, …).
pub(super) type Document = Map<String, Value>;

/// The one that a verb is for.
#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// Name or id
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

/// Options of an `edit`.
#[derive(Debug, clap::Args)]
pub(super) struct Edit<C: clap::Args> {
    #[command(flatten)]
    one: One,
    /// New name
    #[arg(long = "name", value_name = "NAME")]
    new_name: Option<String>,
    #[command(flatten)]
    change: C,
}

/// What an `edit` changes beside the name.
pub(super) trait Change {
    /// Tells whether nothing at all is given.
    fn is_empty(&self) -> bool;

    /// Returns what becomes of a document when it gets what is given here.
    fn apply(&self, document: Document, names: &Names) -> Result<Document, Failure>;
}

/// How a collection is shown to people.
pub(super) trait Shown {
    /// Which one.
    const COLLECTION: Collection;

    /// Returns a table of them.
    fn table(documents: &[Document], names: &Names, clock: &Clock) -> String;

    /// Returns all about one, as lines with a label.
    fn details(document: &Document, names: &Names, clock: &Clock) -> Vec<Line>;
}

/// A collection in a hub, and what its plugs and groups are called.
pub(super) struct Documents<'a> {
    context: &'a Context,
    pub(super) hub: Client,
    pub(super) names: Names,
}

impl<'a> Documents<'a> {
    /// Turns to the hub.
    pub(super) async fn open(context: &'a Context) -> Result<Self, Failure> {
        let hub = context.need_hub()?;
        let names = Names::load(&hub).await?;
        Ok(Self {
            context,
            hub,
            names,
        })
    }

    /// Returns all of them.
    async fn all(&self, collection: Collection) -> Result<Vec<Document>, Failure> {
        self.hub.get(collection.as_str()).answer().await
    }

    /// Finds the one that is meant, by id or name.
    pub(super) async fn find(
        &self,
        collection: Collection,
        text: &str,
    ) -> Result<Document, Failure> {
        let mut all = self.all(collection).await?;
        match position(&all, text) {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(unknown(&all, collection, text)),
        }
    }

    /// Prints all of them.
    pub(super) async fn list<S: Shown>(&self) -> Outcome {
        let all = self.all(S::COLLECTION).await?;
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&all)?;
        } else if all.is_empty() {
            let one = S::COLLECTION.singular();
            ui.status(format_args!(
                "the hub has no {one} yet; `mains help {one} add` tells how to make one"
            ));
        } else {
            ui.data(S::table(&all, &self.names, &Clock::system()))?;
        }
        Ok(Exit::DONE)
    }

    /// Prints one.
    pub(super) async fn show<S: Shown>(&self, text: &str) -> Outcome {
        let document = self.find(S::COLLECTION, text).await?;
        self.print::<S>(&document)
    }

    /// Makes a new one, and prints what came of it.
    pub(super) async fn create<S: Shown>(&self, body: &Document) -> Outcome {
        let path = S::COLLECTION.as_str();
        let created: Document = self.hub.post(path).json(body).answer().await?;
        self.print::<S>(&created)
    }

    /// Changes what the options name, and prints what came of it.
    pub(super) async fn edit<S: Shown>(&self, edit: &Edit<impl Change + clap::Args>) -> Outcome {
        if edit.change.is_empty() && edit.new_name.is_none() {
            return Err(nothing_to_change(S::COLLECTION));
        }
        let change = |mut document: Document| {
            if let Some(name) = &edit.new_name {
                document.insert("name".to_owned(), name.as_str().into());
            }
            edit.change.apply(document, &self.names)
        };
        self.change::<S>(&edit.one.name, change).await
    }

    /// Changes one, and prints what came of it. What somebody else changes at the same time is not overwritten.
    async fn change<S: Shown>(
        &self,
        text: &str,
        change: impl FnOnce(Document) -> Result<Document, Failure>,
    ) -> Outcome {
        let path = path_of(S::COLLECTION, &self.find(S::COLLECTION, text).await?)?;
        let before = self.hub.get(&path).versioned::<Document>().await?;
        let after = change(before.body)?;
        let call = self.hub.put(&path).if_match(before.etag.as_deref());
        let changed: Document = call.json(&after).answer().await?;
        self.print::<S>(&changed)
    }

    /// Lets one act, or stops it from acting.
    pub(super) async fn enable<S: Shown>(&self, text: &str, enabled: bool) -> Outcome {
        let set = |mut document: Document| {
            document.insert("enabled".to_owned(), enabled.into());
            Ok(document)
        };
        self.change::<S>(text, set).await
    }

    /// Removes one. As JSON, what is printed is what is gone: it can be made again from that.
    pub(super) async fn remove<S: Shown>(&self, text: &str) -> Outcome {
        let document = self.find(S::COLLECTION, text).await?;
        let path = path_of(S::COLLECTION, &document)?;
        self.hub.delete(&path).done().await?;
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&document)?;
        } else {
            let name = paint(BOLD, clean(people::text(&document, "name")));
            ui.data(format_args!(
                "the {} {name} is removed",
                S::COLLECTION.singular()
            ))?;
        }
        Ok(Exit::DONE)
    }

    /// Prints one, as JSON or for people.
    pub(super) fn print<S: Shown>(&self, document: &Document) -> Outcome {
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(document)?;
        } else {
            let details = S::details(document, &self.names, &Clock::system());
            ui.data(people::lines(&details))?;
        }
        Ok(Exit::DONE)
    }
}

/// Returns the path of a document.
pub(super) fn path_of(collection: Collection, document: &Document) -> Result<String, Failure> {
    match document.get("id").and_then(Value::as_str) {
        Some(id) => Ok(format!("{}/{id}", collection.as_str())),
        None => Err(Failure::new(
            Kind::BadAnswer,
            format!("the hub's {} has no id", collection.singular()),
        )),
    }
}

/// An id is meant before a name that reads like one.
fn position(all: &[Document], text: &str) -> Option<usize> {
    let wanted = folded(text);
    let by_id = all
        .iter()
        .position(|document| people::text(document, "id") == text);
    by_id.or_else(|| {
        all.iter()
            .position(|document| folded(people::text(document, "name")) == wanted)
    })
}

fn unknown(all: &[Document], collection: Collection, text: &str) -> Failure {
    let one = collection.singular();
    let message = format!("the hub has no {one} \u{2018}{text}\u{2019}");
    let names = all.iter().map(|document| people::text(document, "name"));
    let failure = Failure::new(Kind::NotFound, message);
    match names_near(text, names).as_slice() {
        [] => failure.hint(format!("`mains {one} list` shows them")),
        near => failure.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

/// The failure of an edit that names nothing to change.
fn nothing_to_change(collection: Collection) -> Failure {
    let one = collection.singular();
    Failure::usage("it is not said what to change")
        .hint(format!("`mains help {one} edit` tells what can be changed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn documents() -> Vec<Document> {
        let list = json!([
            {"id": "s-00000001", "name": "Evening"},
            {"id": "s-00000002", "name": "s-00000001"},
            {"id": "s-00000003"},
        ]);
        serde_json::from_value(list).unwrap()
    }

    #[test]
    fn found_by_id_and_by_name() {
        let all = documents();
        for (text, index) in [
            ("s-00000001", Some(0)),
            ("evening", Some(0)),
            (" Evening ", Some(0)),
            ("s-00000003", Some(2)),
            ("morning", None),
        ] {
            assert_eq!(position(&all, text), index, "{text}");
        }
        let failure = unknown(&all, Collection::Schedules, "evning");
        assert_eq!(failure.kind(), Kind::NotFound);
        assert_eq!(failure.hint_text(), Some("did you mean Evening?"));
    }

    #[test]
    fn paths_need_an_id() {
        let path = |index: usize| path_of(Collection::Schedules, &documents()[index]);
        assert_eq!(path(0).unwrap(), "schedules/s-00000001");
        let failure = path_of(Collection::Rules, &Document::new()).unwrap_err();
        assert_eq!(failure.kind(), Kind::BadAnswer);
    }
}
