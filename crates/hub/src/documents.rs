//! Operations of the hub on groups, schedules, rules and tariffs.
//!
//! A [`Repository`] keeps documents of one kind. The functions here check what a document refers to, and publish every change.

use std::sync::Arc;

use api::{
    Document, DocumentView, Event, Group, Id, NoStatus, RequestError, Rule, RuleStatus, Schedule,
    ScheduleStatus, Stored, SwitchTarget, Tariff,
};
use hiflying::Mac;
use jiff::Timestamp;
use plugs::Capability;
use serde_json::Value;

use crate::automation::run_state::{RunState, schedule_status};
use crate::hub::Hub;
use crate::repository::Repository;
use crate::schedule::next_due;

/// Maximum number of times an edit is repeated after losing to a concurrent edit.
const MAX_EDIT_RETRIES: usize = 5;

/// A document that the hub keeps.
pub trait HubDocument: Document {
    /// Returns the repository of documents of this kind.
    fn repository(hub: &Hub) -> &Repository<Self>;

    /// Checks that everything the document refers to exists.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field.
    fn check_references(&self, hub: &Hub) -> Result<(), RequestError>;

    /// Returns the fields that the hub adds to a document.
    fn status(hub: &Hub, stored: &Stored<Self>) -> Self::Status;

    /// Returns the event about a created or changed document.
    fn event(view: Arc<DocumentView<Self>>) -> Event;
}

impl Hub {
    /// Returns a document as the API and events show it.
    pub fn view<T: HubDocument>(&self, stored: &Stored<T>) -> DocumentView<T> {
        stored.view(T::status(self, stored))
    }

    /// Creates a document. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// As [`Repository::create`], and `usage` at a field that refers to something unknown.
    pub async fn create_document<T: HubDocument>(
        &self,
        body: T,
    ) -> Result<Stored<T>, RequestError> {
        body.check_references(self)?;
        let stored = T::repository(self).create(body).await?;
        self.publish_document(&stored);
        Ok(stored)
    }

    /// Replaces the body of a document. It is on the disk on return.
    ///
    /// # Errors
    ///
    /// As [`Repository::replace`], and `usage` at a field that refers to something unknown.
    pub async fn replace_document<T: HubDocument>(
        &self,
        id: &Id,
        body: T,
        if_match: Option<u64>,
    ) -> Result<Stored<T>, RequestError> {
        body.check_references(self)?;
        let stored = T::repository(self).replace(id, body, if_match).await?;
        self.publish_document(&stored);
        Ok(stored)
    }

    /// Edits a document. Without `if_match` the edit is repeated if a concurrent edit came first.
    ///
    /// # Errors
    ///
    /// As [`Hub::replace_document`], and the errors of `edit`.
    pub async fn edit_document<T: HubDocument>(
        &self,
        id: &Id,
        if_match: Option<u64>,
        edit: impl Fn(&T) -> Result<T, RequestError>,
    ) -> Result<Stored<T>, RequestError> {
        let mut retries = MAX_EDIT_RETRIES;
        loop {
            let present = T::repository(self).one(id)?;
            let body = edit(&present.body)?;
            let revision = Some(if_match.unwrap_or(present.revision));
            match self.replace_document(id, body, revision).await {
                Err(error) if error.is_stale() && if_match.is_none() && retries > 0 => retries -= 1,
                edited => return edited,
            }
        }
    }

    /// Removes a document.
    ///
    /// # Errors
    ///
    /// As [`Repository::remove`].
    pub async fn remove_document<T: HubDocument>(
        &self,
        id: &Id,
        if_match: Option<u64>,
    ) -> Result<(), RequestError> {
        T::repository(self).remove(id, if_match).await?;
        let removed = Event::DocumentRemoved(T::COLLECTION, id.clone());
        self.bus().publish(removed);
        Ok(())
    }

    /// Edits every document for which `change` returns true.
    pub(crate) async fn edit_documents<T: HubDocument>(&self, change: impl Fn(&mut T) -> bool) {
        for mut document in T::repository(self).all() {
            if !change(&mut document.body) {
                continue;
            }
            let (id, revision) = (document.id, document.revision);
            let edited = self
                .replace_document(&id, document.body, Some(revision))
                .await;
            if let Err(error) = edited {
                let what = T::COLLECTION.singular();
                tracing::error!(%id, %error, "a {what} still refers to the plug that was replaced");
            }
        }
    }

    fn publish_document<T: HubDocument>(&self, stored: &Stored<T>) {
        self.bus().publish(T::event(Arc::new(self.view(stored))));
    }

    fn check_plugs(
        &self,
        plugs: impl IntoIterator<Item = (&'static str, Mac)>,
    ) -> Result<(), RequestError> {
        let unknown = plugs
            .into_iter()
            .find(|(_, plug)| self.registry().view(*plug).is_none());
        match unknown {
            None => Ok(()),
            Some((field, plug)) => Err(RequestError::usage(format!("no plug {plug} is adopted"))
                .at(field)
                .hint("adopt it first; `GET /api/v1/plugs` lists those that are")),
        }
    }
}

impl HubDocument for Group {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.groups()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_plugs(self.plugs.iter().map(|plug| ("plugs", *plug)))
    }

    fn status(_: &Hub, _: &Stored<Self>) -> NoStatus {
        NoStatus {}
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Group(view)
    }
}

impl HubDocument for Schedule {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.schedules()
    }

    /// Also checks that the times of the schedule can be computed.
    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        for target in &self.targets {
            match target {
                SwitchTarget::Plug(plug) => hub.check_plugs([("targets", *plug)])?,
                SwitchTarget::Group(id) => {
                    let group = hub.groups().one(id);
                    group.map_err(|error| RequestError::usage(error.message()).at("targets"))?;
                }
            }
        }
        // Any id will do: only whether there is an error matters.
        next_due(self, hub.clock(), Timestamp::now(), &Id::random('s')).map(drop)
    }

    fn status(hub: &Hub, stored: &Stored<Self>) -> ScheduleStatus {
        schedule_status(hub.schedules(), hub.clock(), stored, Timestamp::now())
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Schedule(view)
    }
}

impl HubDocument for Rule {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.rules()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_plugs(self.plugs())?;
        match self.metered_plug() {
            Some((field, plug)) if !hub.registry().can(plug, Capability::Meter) => {
                let message = format!("plug {plug} has no meter, which this rule needs");
                Err(RequestError::usage(message)
                    .at(field)
                    .hint("choose a plug with a meter, or another kind of rule"))
            }
            _ => Ok(()),
        }
    }

    fn status(hub: &Hub, stored: &Stored<Self>) -> RuleStatus {
        recorded(hub.rules(), stored)
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Rule(view)
    }
}

impl HubDocument for Tariff {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.tariffs()
    }

    fn check_references(&self, hub: &Hub) -> Result<(), RequestError> {
        hub.check_plugs(self.plugs.iter().map(|plug| ("plugs", *plug)))
    }

    fn status(_: &Hub, _: &Stored<Self>) -> NoStatus {
        NoStatus {}
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Tariff(view)
    }
}

/// Returns the state that the automation has recorded for a document. An edit ends a halt, even before the automation has read it.
fn recorded<T: Document>(repository: &Repository<T>, stored: &Stored<T>) -> RuleStatus {
    let state = repository.state(&stored.id);
    let record = RunState::<Value>::read(&state, stored.revision);
    RuleStatus {
        last: record.last,
        halted: record.halted,
    }
}
