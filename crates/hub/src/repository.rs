//! Collections of documents: read from memory; changes are visible after they are persisted.
//!
//! A repository enforces unique names and the revisions of edits; it knows nothing of the meaning of its documents. References to
//! plugs and groups are checked by the hub's handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{
    Collection, Document, ErrorChain, ErrorKind, Id, Name, RequestError, Stored, unknown_field,
};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::store::{DocumentStore, StoreError, StoredDocument};

/// Maximum number of documents in a collection.
const MAX_DOCUMENTS: usize = 2_000;

/// A collection of documents. Clones share their state.
#[derive(Debug, Clone)]
pub struct Repository<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    store: Arc<dyn DocumentStore>,
    initial_state: InitialState,
    entries: RwLock<BTreeMap<Id, Entry<T>>>,
    /// Held from the start of a change until it is persisted, so that concurrent edits cannot both succeed.
    changing: Mutex<()>,
    /// Held while a state is persisted.
    saving: Mutex<()>,
    changes: watch::Sender<u64>,
}

/// Returns the state that a document has from an edit on, by the state before and the new revision.
pub type InitialState = fn(Value, u64) -> Value;

#[derive(Debug, Clone)]
struct Entry<T> {
    revision: u64,
    body: T,
    state: Value,
}

impl<T: Document> Repository<T> {
    /// Loads the collection. A document that cannot be read is logged and left in the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub async fn load(store: Arc<dyn DocumentStore>) -> Result<Self, StoreError> {
        Self::load_with(store, |state, _| state).await
    }

    /// Loads the collection. Each edit is written together with the initial state.
    pub async fn load_with(
        store: Arc<dyn DocumentStore>,
        initial_state: InitialState,
    ) -> Result<Self, StoreError> {
        let mut entries = BTreeMap::new();
        for document in store.documents(T::COLLECTION).await? {
            match read(document.body) {
                Ok(body) => {
                    let entry = Entry {
                        revision: document.revision,
                        body,
                        state: document.state,
                    };
                    entries.insert(document.id, entry);
                }
                Err(error) => {
                    let what = T::COLLECTION.singular();
                    tracing::error!(id = %document.id, %error, "a {what} cannot be understood and is left alone");
                }
            }
        }
        Ok(Self(Arc::new(Inner {
            store,
            initial_state,
            entries: RwLock::new(entries),
            changing: Mutex::default(),
            saving: Mutex::default(),
            changes: watch::Sender::new(0),
        })))
    }

    /// Returns all documents, sorted by name.
    pub fn all(&self) -> Vec<Stored<T>> {
        let mut all: Vec<Stored<T>> = self
            .0
            .entries
            .read()
            .iter()
            .map(|(id, entry)| entry.stored(id))
            .collect();
        all.sort_by(|a, b| (a.body.name(), &a.id).cmp(&(b.body.name(), &b.id)));
        all
    }

    /// Returns one document.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn one(&self, id: &Id) -> Result<Stored<T>, RequestError> {
        let entries = self.0.entries.read();
        let entry = entries.get(id).ok_or_else(|| unknown::<T>(id))?;
        Ok(entry.stored(id))
    }

    /// Returns the document with this name, ignoring case.
    pub fn named(&self, name: &str) -> Option<Stored<T>> {
        let folded = name.to_lowercase();
        self.0
            .entries
            .read()
            .iter()
            .find(|(_, entry)| entry.body.name().to_lowercase() == folded)
            .map(|(id, entry)| entry.stored(id))
    }

    /// Creates a document. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `usage` if it is invalid, `conflict` if the name is taken or the collection is full, `unavailable` if
    /// it cannot be written.
    pub async fn create(&self, body: T) -> Result<Stored<T>, RequestError> {
        body.check()?;
        let _changing = self.0.changing.lock().await;
        let what = T::COLLECTION.singular();
        if self.0.entries.read().len() >= MAX_DOCUMENTS {
            let message = format!(
                "there are {MAX_DOCUMENTS} {} already",
                T::COLLECTION.as_str()
            );
            return Err(RequestError::conflict(message).hint(format!("remove a {what} first")));
        }
        self.check_name(&body, None)?;
        let id = self.fresh_id();
        let entry = Entry {
            revision: 1,
            body,
            state: (self.0.initial_state)(Value::Null, 1),
        };
        self.keep(&id, entry).await
    }

    /// Replaces the body of a document. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// As [`Repository::create`], and `not_found`; `conflict` that [is stale](RequestError::is_stale) if `if_match` is not the
    /// document's revision.
    pub async fn replace(
        &self,
        id: &Id,
        body: T,
        if_match: Option<u64>,
    ) -> Result<Stored<T>, RequestError> {
        body.check()?;
        let _changing = self.0.changing.lock().await;
        let old = self.current(id, if_match)?;
        self.check_name(&body, Some(id))?;
        let revision = old.revision + 1;
        let entry = Entry {
            revision,
            body,
            state: (self.0.initial_state)(old.state, revision),
        };
        self.keep(id, entry).await
    }

    /// Removes a document.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, stale, or `unavailable` if it cannot be removed from the disk.
    pub async fn remove(&self, id: &Id, if_match: Option<u64>) -> Result<(), RequestError> {
        let _changing = self.0.changing.lock().await;
        self.current(id, if_match)?;
        let deleted = self.0.store.delete_document(T::COLLECTION, id).await;
        deleted.map_err(|error| RequestError::from(&error))?;
        self.0.entries.write().remove(id);
        self.changed();
        Ok(())
    }

    /// Returns the recorded state of a document; `Null` if there is none.
    pub fn state(&self, id: &Id) -> Value {
        self.0
            .entries
            .read()
            .get(id)
            .map_or(Value::Null, |entry| entry.state.clone())
    }

    /// Records the state of a document in memory; [`Repository::keep_state`] persists it.
    pub fn note(&self, id: &Id, state: Value) {
        if let Some(entry) = self.0.entries.write().get_mut(id) {
            entry.state = state;
        }
    }

    /// Persists the recorded state of a document. A failure of the store is logged; automation continues without it.
    pub async fn keep_state(&self, id: &Id) {
        // One after the other, so that what is newer is never followed by what is older.
        let _saving = self.0.saving.lock().await;
        let Some(state) = self
            .0
            .entries
            .read()
            .get(id)
            .map(|entry| entry.state.clone())
        else {
            return;
        };
        if let Err(error) = self.0.store.save_state(T::COLLECTION, id, &state).await {
            let what = T::COLLECTION.singular();
            tracing::warn!(%id, %error, "what the hub remembers of a {what} is not kept");
        }
    }

    /// Reports documents that are created, changed or removed, but not changes of their state.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Edits every document for which `change` returns true. The caller writes them, and then [applies](PreparedEdit::apply) the edit.
    pub(crate) async fn prepare(&self, change: impl Fn(&mut T) -> bool) -> PreparedEdit<'_, T> {
        let changing = self.0.changing.lock().await;
        let edit = |(id, entry): (&Id, &Entry<T>)| {
            let mut entry = entry.clone();
            entry.revision += 1;
            entry.state = (self.0.initial_state)(entry.state, entry.revision);
            change(&mut entry.body).then(|| (id.clone(), entry))
        };
        let edited = self.0.entries.read().iter().filter_map(edit).collect();
        PreparedEdit {
            repository: self,
            edited,
            _changing: changing,
        }
    }

    async fn keep(&self, id: &Id, entry: Entry<T>) -> Result<Stored<T>, RequestError> {
        let document = entry.document(id)?;
        let saved = self.0.store.save_document(T::COLLECTION, &document).await;
        saved.map_err(|error| RequestError::from(&error))?;
        let stored = self.show(id.clone(), entry);
        self.changed();
        Ok(stored)
    }

    /// Puts what is on the disk into memory.
    fn show(&self, id: Id, entry: Entry<T>) -> Stored<T> {
        let stored = entry.stored(&id);
        let mut entries = self.0.entries.write();
        // What was remembered while the disk was busy stays.
        let state = entries.get(&id).map(|newer| newer.state.clone());
        let state = state.unwrap_or(entry.state);
        entries.insert(id, Entry { state, ..entry });
        stored
    }

    fn current(&self, id: &Id, if_match: Option<u64>) -> Result<Entry<T>, RequestError> {
        let entry = self.0.entries.read().get(id).cloned();
        let entry = entry.ok_or_else(|| unknown::<T>(id))?;
        if if_match.is_some_and(|revision| revision != entry.revision) {
            let (what, name) = (T::COLLECTION.singular(), entry.body.name());
            return Err(RequestError::stale(format!(
                "the {what} \u{2018}{name}\u{2019} has changed since it was read"
            )));
        }
        Ok(entry)
    }

    fn check_name(&self, body: &T, own: Option<&Id>) -> Result<(), RequestError> {
        let before = own.and_then(|id| self.one(id).ok());
        if before.is_none_or(|before| before.body.name() != body.name()) {
            Name::check_new(body.name())?;
        }
        match self.named(body.name()) {
            Some(other) if Some(&other.id) != own => {
                let (what, name) = (T::COLLECTION.singular(), other.body.name());
                let message = format!("there is a {what} \u{2018}{name}\u{2019} already");
                Err(RequestError::conflict(message).at("name"))
            }
            _ => Ok(()),
        }
    }

    fn fresh_id(&self) -> Id {
        let entries = self.0.entries.read();
        loop {
            let id = Id::random(T::COLLECTION.letter());
            if !entries.contains_key(&id) {
                return id;
            }
        }
    }

    fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }
}

/// An edit of several documents that is not written yet. Until it is dropped, no other change of the collection is possible.
pub(crate) struct PreparedEdit<'a, T> {
    repository: &'a Repository<T>,
    edited: Vec<(Id, Entry<T>)>,
    _changing: MutexGuard<'a, ()>,
}

impl<T: Document> PreparedEdit<'_, T> {
    /// Returns the edited documents.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &T> {
        self.edited.iter().map(|(_, entry)| &entry.body)
    }

    /// Returns the edited documents as they are to be written.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `conflict` for one that is invalid after the edit.
    pub(crate) fn documents(&self) -> Result<Vec<(Collection, StoredDocument)>, RequestError> {
        let document = |(id, entry): &(Id, Entry<T>)| {
            entry.body.check().map_err(|error| {
                let (what, name) = (T::COLLECTION.singular(), entry.body.name());
                let message = format!("the {what} \u{2018}{name}\u{2019}: {}", error.message());
                RequestError::conflict(message).hint("change or delete it first")
            })?;
            Ok((T::COLLECTION, entry.document(id)?))
        };
        self.edited.iter().map(document).collect()
    }

    /// Puts the edited documents, which are written, into memory. Returns them.
    pub(crate) fn apply(self) -> Vec<Stored<T>> {
        let show = |(id, entry)| self.repository.show(id, entry);
        let stored = self.edited.into_iter().map(show).collect();
        self.repository.changed();
        stored
    }
}

impl<T: Document> Entry<T> {
    fn document(&self, id: &Id) -> Result<StoredDocument, RequestError> {
        let body = serde_json::to_value(&self.body).map_err(|error| {
            let what = T::COLLECTION.singular();
            let message = format!("the {what} cannot be written: {error}");
            RequestError::new(ErrorKind::Failed, message)
        })?;
        Ok(StoredDocument {
            id: id.clone(),
            revision: self.revision,
            body,
            state: self.state.clone(),
        })
    }
}

impl<T: Clone> Entry<T> {
    fn stored(&self, id: &Id) -> Stored<T> {
        Stored {
            id: id.clone(),
            revision: self.revision,
            body: self.body.clone(),
        }
    }
}

/// Deserialises a document. A field unknown to this version is an error, because it may change the meaning.
fn read<T: Document>(json: Value) -> Result<T, String> {
    let fields: Vec<String> = json
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let body = T::deserialize(json).map_err(|error| error.to_string())?;
    match unknown_field(&body, &fields) {
        Some(field) => Err(format!("unknown field `{field}`")),
        None => Ok(body),
    }
}

/// Returns the error for an unknown id.
fn unknown<T: Document>(id: &Id) -> RequestError {
    let what = T::COLLECTION.singular();
    RequestError::not_found(format!("there is no {what} {id}"))
}

impl From<&StoreError> for RequestError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict(message) => Self::conflict(message.clone()),
            StoreError::File { what, .. } => Self::usage(what.clone()),
            StoreError::Unsupported(message) => Self::usage(*message),
            StoreError::Newer { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Damaged { .. } => {
                // The full error names files, which is nothing for the network.
                tracing::error!(error = %ErrorChain(error), "the store failed");
                Self::unavailable("the database cannot be reached just now")
                    .hint("switching goes on; the hub's log says what is wrong with the database")
            }
        }
    }
}
