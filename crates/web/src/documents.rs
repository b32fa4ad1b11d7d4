//! Lists and editors of groups, schedules and rules: the same requests for all of them.
//!
//! A form carries the names of the JSON. What is refused comes back with the message at its field, and what a person typed stays.

use std::str::FromStr;

use api::{Document, ErrorKind, Id, RequestError, Stored};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hub::HubDocument;
use jiff::Timestamp;
use serde_json::Value;

use crate::PagesState;
use crate::fields::Fields;
use crate::frame::NavItem;
use crate::note::FormNote;
use crate::page_error::{PageError, sentence, status};
use crate::removal::RemovalQuestion;
use crate::visit::Visit;

/// A document with a page of its own.
pub(crate) trait DocumentPage: HubDocument {
    /// Place of its pages in the navigation.
    const PLACE: NavItem;

    /// Returns the JSON of the document that a form stands for.
    fn json(fields: &Fields) -> Result<Value, RequestError>;

    /// Returns the document with another `enabled`; `None` if it has no such field.
    fn with_enabled(&self, enabled: bool) -> Option<Self> {
        let _ = enabled;
        None
    }

    /// Returns the document of a form with the parts of the present one that the form does not show.
    #[must_use]
    fn keeping(self, present: &Self) -> Self {
        let _ = present;
        self
    }

    /// Returns the document as a sentence.
    fn words(&self, state: &PagesState) -> String;

    /// Returns the effects of its removal, as sentences.
    fn effects(
        state: &PagesState,
        stored: &Stored<Self>,
    ) -> impl Future<Output = Vec<String>> + Send {
        let _ = (state, stored);
        std::future::ready(Vec::new())
    }

    /// Returns the time from which costs are different since these were the documents; `None` if they are the same.
    fn repriced_since(
        state: &PagesState,
        before: &[Stored<Self>],
    ) -> impl Future<Output = Option<Timestamp>> + Send {
        let _ = (state, before);
        std::future::ready(None)
    }

    /// Draws the list of all documents, with an editor.
    fn page(state: &PagesState, visit: &Visit, editor: Option<Editor>) -> Response;
}

/// The form of one document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Editor {
    /// Id of the document; `None` for a new one.
    pub(crate) id: Option<Id>,
    /// Revision on which the form is based.
    pub(crate) revision: Option<u64>,
    fields: Fields,
    problem: Option<FormProblem>,
}

/// The reason why a form was refused.
#[derive(Debug, Clone)]
struct FormProblem {
    field: Option<String>,
    message: String,
    is_stale: bool,
    /// True if the form was kept over a login.
    is_kept: bool,
}

impl Editor {
    /// Returns the form of a new document, with these fields.
    pub(crate) fn blank(fields: Fields) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }

    /// Returns the form of a document as it is.
    pub(crate) fn of<T: Document>(stored: &Stored<T>) -> Self {
        Self {
            id: Some(stored.id.clone()),
            revision: Some(stored.revision),
            fields: fields_of(&stored.body),
            problem: None,
        }
    }

    /// Returns the form with the reason why it was refused.
    pub(crate) fn refused(mut self, error: &RequestError) -> Self {
        let message = match (error.field(), error.hint_text()) {
            // The name of the field stands beside it.
            (Some(field), _) => {
                let message = error.message();
                let of_field = message.strip_prefix(&format!("{field}: "));
                sentence(of_field.unwrap_or(message))
            }
            (None, Some(hint)) => format!("{} {}", sentence(error.message()), sentence(hint)),
            (None, None) => sentence(error.message()),
        };
        self.problem = Some(FormProblem {
            field: error.field().map(|path| form_field(path).to_owned()),
            message,
            is_stale: error.is_stale(),
            is_kept: error.kind() == ErrorKind::Unauthenticated,
        });
        self
    }

    /// Returns the fields as they are in the form.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the text of a field; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// Returns true if a field has this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.fields.all(name).contains(&value)
    }

    /// Returns the message at a field.
    pub(crate) fn error(&self, name: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        (problem.field.as_deref() == Some(name)).then_some(problem.message.as_str())
    }

    /// Returns the message that stands above the form, unless it stands at one of these fields.
    pub(crate) fn error_above(&self, shown: impl AsRef<[&'static str]>) -> Option<&str> {
        let problem = self.problem.as_ref().filter(|problem| !problem.is_stale)?;
        let field = problem.field.as_deref();
        let is_below = field.is_some_and(|field| shown.as_ref().contains(&field));
        (!is_below).then_some(problem.message.as_str())
    }

    /// Returns true if the form was refused or is previewed, and holds what a person has typed.
    pub(crate) fn holds_text(&self) -> bool {
        self.problem.is_some() || self.fields.get("preview").is_some()
    }

    /// Returns true if the form was kept over a login.
    pub(crate) fn is_kept(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.is_kept)
    }

    /// Returns true if the document was changed elsewhere meanwhile.
    pub(crate) fn is_stale(&self) -> bool {
        self.problem
            .as_ref()
            .is_some_and(|problem| problem.is_stale)
    }

    /// Returns the path below which its form is sent.
    pub(crate) fn path(&self, collection: &str) -> String {
        match &self.id {
            Some(id) => format!("/{collection}/{id}"),
            None => format!("/{collection}"),
        }
    }

    /// Reads the document of the form.
    pub(crate) fn read<T: DocumentPage>(&self) -> Result<T, RequestError> {
        self.fields.check_sent()?;
        read(&self.fields)
    }
}

/// Returns the routes of a collection.
pub(crate) fn routes<T: DocumentPage>() -> Router<PagesState> {
    let path = format!("/{}", T::COLLECTION.as_str());
    Router::new()
        .route(&path, get(list::<T>).post(create::<T>))
        .route(&format!("{path}/{{id}}"), get(edit::<T>).post(save::<T>))
        .route(
            &format!("{path}/{{id}}/delete"),
            get(ask_removal::<T>).post(remove::<T>),
        )
        .route(&format!("{path}/{{id}}/enabled"), post(enable::<T>))
}

async fn list<T: DocumentPage>(
    State(state): State<PagesState>,
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let query = Fields::from(query);
    match (query.get("edit"), query.get("new")) {
        (Some(id), _) => edit::<T>(State(state), Path(id.to_owned()), visit).await,
        (None, Some(_)) if visit.can_change() => {
            Ok(T::page(&state, &visit, Some(Editor::blank(query))))
        }
        _ => Ok(T::page(&state, &visit, None)),
    }
}

/// Shows the editor of a document, where the visitor may change it.
async fn edit<T: DocumentPage>(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let stored = T::repository(&state.hub).one(&document_id::<T>(&id)?)?;
    let editor = visit.can_change().then(|| Editor::of(&stored));
    Ok(T::page(&state, &visit, editor))
}

async fn create<T: DocumentPage>(
    State(state): State<PagesState>,
    visit: Visit,
    fields: Fields,
) -> Response {
    let editor = Editor::blank(fields);
    if editor.fields.get("preview").is_some() {
        return T::page(&state, &visit, Some(editor));
    }
    let before = T::repository(&state.hub).all();
    let read = editor.fields.check_sent().and_then(|()| editor.read::<T>());
    let created = match read {
        Ok(document) => state.hub.create_document(document).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(_) => changed::<T>(&state, &visit, &before).await,
        Err(error) => refused::<T>(&state, &visit, editor, &error),
    }
}

async fn save<T: DocumentPage>(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let id = document_id::<T>(&id)?;
    let revision = fields.get("revision").and_then(|text| text.parse().ok());
    let mut editor = Editor {
        id: Some(id.clone()),
        revision,
        fields,
        problem: None,
    };
    let before = T::repository(&state.hub).all();
    let Some(present) = before.iter().find(|stored| stored.id == id) else {
        (editor.id, editor.revision) = (None, None);
        let what = T::COLLECTION.singular();
        let message = format!(
            "this {what} was removed elsewhere meanwhile. Your text is still here, and Save makes it again"
        );
        let error = RequestError::not_found(message);
        return Ok(refused::<T>(&state, &visit, editor, &error));
    };
    if editor.fields.get("preview").is_some() {
        return Ok(T::page(&state, &visit, Some(editor)));
    }
    let read = editor.fields.check_sent().and_then(|()| editor.read::<T>());
    let replaced = match read {
        Ok(document) => {
            let document = document.keeping(&present.body);
            state.hub.replace_document(&id, document, revision).await
        }
        Err(error) => Err(error),
    };
    Ok(match replaced {
        Ok(_) => changed::<T>(&state, &visit, &before).await,
        Err(error) => {
            if error.is_stale() {
                // The next time it is meant.
                editor.revision = Some(present.revision);
            }
            refused::<T>(&state, &visit, editor, &error)
        }
    })
}

/// Asks whether a document is to be removed, and says what that changes.
async fn ask_removal<T: DocumentPage>(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let stored = T::repository(&state.hub).one(&document_id::<T>(&id)?)?;
    let collection = T::COLLECTION.as_str();
    let question = RemovalQuestion {
        title: stored.body.name().to_owned(),
        words: stored.body.words(&state),
        effects: T::effects(&state, &stored).await,
        action: format!("/{collection}/{id}/delete"),
        back: format!("/{collection}"),
        asks_current: false,
        verb: "Delete",
    };
    Ok(question.page(&visit, T::PLACE))
}

async fn remove<T: DocumentPage>(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let id = document_id::<T>(&id)?;
    let before = T::repository(&state.hub).all();
    state.hub.remove_document::<T>(&id, None).await?;
    Ok(changed::<T>(&state, &visit, &before).await)
}

/// Leads to the list, which says that the change is saved, and since when it has changed costs of the past.
pub(crate) async fn changed<T: DocumentPage>(
    state: &PagesState,
    visit: &Visit,
    before: &[Stored<T>],
) -> Response {
    let note = match T::repriced_since(state, before).await {
        Some(since) => FormNote::Repriced { since },
        None => FormNote::Saved,
    };
    let page = format!("/{}", T::COLLECTION.as_str());
    visit.redirect(&page, note.cookie(&visit.prefix))
}

/// Starts or pauses a document, and returns to the list.
async fn enable<T: DocumentPage>(
    State(state): State<PagesState>,
    Path(id): Path<String>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, PageError> {
    let id = document_id::<T>(&id)?;
    let enabled: bool = fields.parse("enabled")?;
    let edit = |document: &T| {
        let edited = document.with_enabled(enabled);
        edited.ok_or_else(|| RequestError::usage("it cannot be paused"))
    };
    state.hub.edit_document(&id, None, edit).await?;
    let collection = T::COLLECTION.as_str();
    Ok(visit.prefix.redirect(&format!("/{collection}#{id}")))
}

/// Returns the id of a document in a path.
pub(crate) fn document_id<T: Document>(text: &str) -> Result<Id, RequestError> {
    let what = T::COLLECTION.singular();
    text.parse()
        .map_err(|_| RequestError::not_found(format!("there is no such {what}")))
}

fn refused<T: DocumentPage>(
    state: &PagesState,
    visit: &Visit,
    editor: Editor,
    error: &RequestError,
) -> Response {
    let page = T::page(state, visit, Some(editor.refused(error)));
    (status(error), page).into_response()
}

/// Leads to a page that says that the input is saved.
pub(crate) fn saved(visit: &Visit, page: &str) -> Response {
    visit.redirect(&format!("/{page}"), FormNote::Saved.cookie(&visit.prefix))
}

/// Returns the field of the form in which a part of a document stands: `days` of `when.days[0]`.
fn form_field(path: &str) -> &str {
    let field = path.strip_prefix("when.").unwrap_or(path);
    field.split('[').next().unwrap_or(field)
}

fn read<T: DocumentPage>(fields: &Fields) -> Result<T, RequestError> {
    let json = T::json(fields)?;
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let usage = RequestError::usage(error.into_inner().to_string());
        match path.rsplit(['.', '[']).next_back() {
            Some(_) if path != "." => usage.at(path),
            _ => usage,
        }
    })
}

/// Returns a document as the fields of a form.
fn fields_of<T: Document>(document: &T) -> Fields {
    let mut fields = Vec::new();
    if let Ok(Value::Object(object)) = serde_json::to_value(document) {
        for (name, value) in object {
            flatten(&name, value, &mut fields);
        }
    }
    Fields::from(fields)
}

fn flatten(name: &str, value: Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        // They can be many, and no form shows them.
        Value::Array(_) if name == "prices" => {}
        Value::String(text) => fields.push((name.to_owned(), text)),
        Value::Array(items) => {
            for item in items {
                flatten(name, item, fields);
            }
        }
        Value::Object(object) => {
            for (inner, value) in object {
                // The time of a schedule stands directly in its form.
                match name {
                    "when" => flatten(&inner, value, fields),
                    _ => flatten(&format!("{name}.{inner}"), value, fields),
                }
            }
        }
        other => fields.push((name.to_owned(), other.to_string())),
    }
}

/// Returns the number of a field, which may be empty.
pub(crate) fn number(fields: &Fields, name: &str) -> Result<Option<f64>, RequestError> {
    let Some(text) = filled(fields, name) else {
        return Ok(None);
    };
    let number = text.replace(',', ".").parse::<f64>();
    let number = number.ok().filter(|number| number.is_finite());
    let missing = || RequestError::usage(format!("{name}: must be a number")).at(name);
    number.map(Some).ok_or_else(missing)
}

/// Parses the text of a field, which may be empty, and returns it as it is.
pub(crate) fn checked<'f, T: FromStr>(
    fields: &'f Fields,
    name: &str,
) -> Result<Option<&'f str>, RequestError>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = filled(fields, name) else {
        return Ok(None);
    };
    let parsed = text.parse::<T>().map(|_| Some(text));
    parsed.map_err(|error| RequestError::usage(error.to_string()).at(name))
}

/// Returns the text of a field that is not empty.
pub(crate) fn filled<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    let text = fields.get(name)?.trim();
    (!text.is_empty()).then_some(text)
}
