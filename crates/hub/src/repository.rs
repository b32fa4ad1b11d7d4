//! A collection of documents: in memory for everybody to read, in the store before anybody is told that it is kept.
//!
//! A shelf knows that names are unique, that edits need the revision they were made on, and nothing of what the documents
//! mean. What a document names (plugs, groups) is checked by the hub's handle, which knows them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use api::{Document, ErrorChain, Id, RequestError, Stored, unknown_field};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};

use crate::store::{DocumentStore, StoreError, StoredDocument};

/// So many documents fit into one collection.
const MOST: usize = 2_000;

/// A collection of documents. A clone is the same shelf.
#[derive(Debug, Clone)]
pub struct Repository<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    store: Arc<dyn DocumentStore>,
    entries: RwLock<BTreeMap<Id, Entry<T>>>,
    /// Held over a change and its way to the disk, so that two edits cannot both think that they came first.
    changing: Mutex<()>,
    /// Held while a state goes to the disk.
    saving: Mutex<()>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    revision: u64,
    body: T,
    state: Value,
}

impl<T: Document> Repository<T> {
    /// Reads the collection. A document that cannot be understood is logged and left where it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn load(store: Arc<dyn DocumentStore>) -> Result<Self, StoreError> {
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
            entries: RwLock::new(entries),
            changing: Mutex::default(),
            saving: Mutex::default(),
            changes: watch::Sender::new(0),
        })))
    }

    /// Returns all documents, by name.
    pub fn all(&self) -> Vec<Stored<T>> {
        let mut all: Vec<Stored<T>> = self
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
        let entries = self.read();
        let entry = entries.get(id).ok_or_else(|| unknown::<T>(id))?;
        Ok(entry.stored(id))
    }

    /// Returns the document of this name, whatever the case.
    pub fn named(&self, name: &str) -> Option<Stored<T>> {
        let folded = name.to_lowercase();
        self.read()
            .iter()
            .find(|(_, entry)| entry.body.name().to_lowercase() == folded)
            .map(|(id, entry)| entry.stored(id))
    }

    /// Takes in a new document. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `usage` when it makes no sense, `conflict` when the name is taken or the shelf full, `unavailable`
    /// when it cannot be written.
    pub async fn create(&self, body: T) -> Result<Stored<T>, RequestError> {
        body.check()?;
        let _changing = self.0.changing.lock().await;
        let what = T::COLLECTION.singular();
        if self.read().len() >= MOST {
            let message = format!("there are {MOST} {} already", T::COLLECTION.as_str());
            return Err(RequestError::conflict(message).hint(format!("remove a {what} first")));
        }
        self.check_name(&body, None)?;
        let id = self.fresh_id();
        let entry = Entry {
            revision: 1,
            body,
            state: Value::Null,
        };
        self.keep(&id, entry).await
    }

    /// Puts another body in place of a document's. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// As [`Repository::create`], and `not_found`; `conflict` that [is stale](RequestError::is_stale) when `if_match` is not the
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
        let entry = Entry {
            revision: old.revision + 1,
            body,
            state: old.state,
        };
        self.keep(id, entry).await
    }

    /// Removes a document.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, stale, or `unavailable` when it cannot be removed from the disk.
    pub async fn remove(&self, id: &Id, if_match: Option<u64>) -> Result<(), RequestError> {
        let _changing = self.0.changing.lock().await;
        self.current(id, if_match)?;
        let deleted = self.0.store.delete_document(T::COLLECTION, id).await;
        deleted.map_err(|error| RequestError::from(&error))?;
        self.write().remove(id);
        self.changed();
        Ok(())
    }

    /// Returns what the hub remembers of a document; `Null` when there is nothing.
    pub fn state(&self, id: &Id) -> Value {
        self.read()
            .get(id)
            .map_or(Value::Null, |entry| entry.state.clone())
    }

    /// Remembers something of a document for everybody here; the disk has it after [`Repository::keep_state`].
    pub fn note(&self, id: &Id, state: Value) {
        if let Some(entry) = self.write().get_mut(id) {
            entry.state = state;
        }
    }

    /// Writes what is remembered of a document to the disk. A store that fails is logged: automation goes on without it.
    pub async fn keep_state(&self, id: &Id) {
        // One after the other, so that what is newer is never followed by what is older.
        let _saving = self.0.saving.lock().await;
        let Some(state) = self.read().get(id).map(|entry| entry.state.clone()) else {
            return;
        };
        if let Err(error) = self.0.store.save_state(T::COLLECTION, id, &state).await {
            let what = T::COLLECTION.singular();
            tracing::warn!(%id, %error, "what the hub remembers of a {what} is not kept");
        }
    }

    /// Tells when documents come, change or go; not when their state does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    async fn keep(&self, id: &Id, entry: Entry<T>) -> Result<Stored<T>, RequestError> {
        let body = serde_json::to_value(&entry.body).map_err(|error| {
            RequestError::new(
                api::ErrorKind::Failed,
                format!(
                    "the {} cannot be written: {error}",
                    T::COLLECTION.singular()
                ),
            )
        })?;
        let document = StoredDocument {
            id: id.clone(),
            revision: entry.revision,
            body,
            state: entry.state.clone(),
        };
        let saved = self.0.store.save_document(T::COLLECTION, &document).await;
        saved.map_err(|error| RequestError::from(&error))?;
        let stored = entry.stored(id);
        {
            let mut entries = self.write();
            // What was remembered while the disk was busy stays.
            let state = entries.get(id).map(|newer| newer.state.clone());
            let state = state.unwrap_or(entry.state);
            entries.insert(id.clone(), Entry { state, ..entry });
        }
        self.changed();
        Ok(stored)
    }

    fn current(&self, id: &Id, if_match: Option<u64>) -> Result<Entry<T>, RequestError> {
        let entry = self.read().get(id).cloned();
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
        let entries = self.read();
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

    // Nothing panics under these locks, and even then the map is whole.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Id, Entry<T>>> {
        self.0
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Id, Entry<T>>> {
        self.0
            .entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
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

/// Reads a document. A field that this version does not know may change its meaning, so it is an error.
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

/// The error of an id that no document has.
fn unknown<T: Document>(id: &Id) -> RequestError {
    let what = T::COLLECTION.singular();
    RequestError::not_found(format!("there is no {what} {id}"))
}

impl From<&StoreError> for RequestError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict(message) => Self::conflict(message.clone()),
            StoreError::File { what, .. } => Self::usage(what.clone()),
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
