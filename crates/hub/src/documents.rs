//! Operations of the hub on groups, schedules, rules and tariffs.
//!
//! A [`Repository`] keeps documents of one kind. The functions here check what a document refers to, and publish every change.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{
    Document, DocumentView, Event, Group, Id, LogEntry, LogKind, NoStatus, RequestError, Rule,
    RuleStatus, Schedule, ScheduleStatus, Stored, SwitchTarget, Tariff, TariffStatus, When,
};
use hiflying::Mac;
use plugs::Capability;
use serde_json::{Map, Value};

use crate::automation::run_state::{RunState, schedule_status};
use crate::hub::Hub;
use crate::repository::Repository;
use crate::schedule::{Clock, next_due};

/// Maximum number of times an edit is repeated after losing to a concurrent edit.
const MAX_EDIT_RETRIES: usize = 5;

/// A document that the hub keeps.
pub trait HubDocument: Document {
    /// Returns the repository of documents of this kind.
    fn repository(hub: &Hub) -> &Repository<Self>;

    /// Checks a document against the others: everything that it refers to exists, and it contradicts none. `before` is the document
    /// that it replaces, of which plugs and groups that were removed may stay.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` or `conflict` at the field.
    fn check_references(&self, hub: &Hub, before: Option<&Self>) -> Result<(), RequestError>;

    /// Returns the fields that the hub adds to a document.
    fn status(hub: &Hub, stored: &Stored<Self>) -> Self::Status;

    /// Returns as much of the fields that a hub adds as its store tells.
    fn stored_status(all: &Repository<Self>, clock: &Clock, stored: &Stored<Self>) -> Self::Status;

    /// Returns the fields that the hub adds to the response of a change, from the documents before it.
    fn changed_status(
        hub: &Hub,
        stored: &Stored<Self>,
        before: &[Stored<Self>],
    ) -> impl Future<Output = Self::Status> + Send {
        let _ = before;
        std::future::ready(Self::status(hub, stored))
    }

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
        body.check_references(self, None)?;
        let stored = T::repository(self).create(body).await?;
        self.publish_document(&stored);
        self.log_document(&stored, "was created");
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
        let before = T::repository(self).one(id)?;
        body.check_references(self, Some(&before.body))?;
        let stored = T::repository(self).replace(id, body, if_match).await?;
        self.publish_document(&stored);
        if stored.revision != before.revision {
            self.log_document(&stored, &changes(&before.body, &stored.body));
        }
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
    pub async fn remove_document<T: HubDocument>(
        &self,
        id: &Id,
        if_match: Option<u64>,
    ) -> Result<(), RequestError> {
        let before = T::repository(self).one(id)?;
        T::repository(self).remove(id, if_match).await?;
        self.log_document(&before, "was removed");
        let removed = Event::DocumentRemoved(T::COLLECTION, id.clone());
        self.bus().publish(removed);
        Ok(())
    }

    pub(crate) fn publish_document<T: HubDocument>(&self, stored: &Stored<T>) {
        self.bus().publish(T::event(Arc::new(self.view(stored))));
    }

    fn log_document<T: HubDocument>(&self, stored: &Stored<T>, what: &str) {
        let (collection, name) = (T::COLLECTION.singular(), stored.body.name());
        let text = format!("the {collection} \u{2018}{name}\u{2019} {what}");
        let kind = LogKind::from(T::COLLECTION);
        self.bus().log(LogEntry::new(plugs::now(), kind, text));
    }

    /// Checks that plugs are adopted, except for those that a document named before.
    fn check_plugs(
        &self,
        plugs: impl IntoIterator<Item = (&'static str, Mac)>,
        before: &[Mac],
    ) -> Result<(), RequestError> {
        let unknown = plugs
            .into_iter()
            .find(|(_, plug)| !before.contains(plug) && self.registry().view(*plug).is_none());
        match unknown {
            None => Ok(()),
            Some((field, plug)) => Err(RequestError::usage(format!("no plug {plug} is adopted"))
                .at(field)
                .hint("adopt it first; `GET /api/v1/plugs` lists those that are")),
        }
    }
}

/// Returns the difference between two versions of a document, in words.
fn changes<T: Document>(before: &T, after: &T) -> String {
    let fields = |body: &T| match serde_json::to_value(body) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (old, new) = (fields(before), fields(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    let (mut words, mut others) = (Vec::new(), Vec::new());
    for name in changed {
        match (name.as_str(), new.get(name)) {
            ("name", _) => words.push(format!(
                "was called \u{2018}{}\u{2019} before",
                before.name()
            )),
            ("enabled", Some(Value::Bool(true))) => words.push("was enabled".to_owned()),
            ("enabled", Some(Value::Bool(false))) => words.push("was disabled".to_owned()),
            _ => others.push(name.replace('_', " ")),
        }
    }
    if !others.is_empty() {
        words.push(format!("was changed ({})", others.join(", ")));
    }
    if words.is_empty() {
        // What the hub stopped runs again after it.
        words.push("was saved again, unchanged".to_owned());
    }
    words.join(", ")
}

impl HubDocument for Group {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.groups()
    }

    /// Also checks that no plug has its name.
    fn check_references(&self, hub: &Hub, before: Option<&Self>) -> Result<(), RequestError> {
        let known = before.map_or(&[][..], |before| &before.plugs);
        hub.check_plugs(self.plugs.iter().map(|plug| ("plugs", *plug)), known)?;
        if before.is_some_and(|before| before.name == self.name) {
            return Ok(());
        }
        let folded = self.name.to_lowercase();
        let views = hub.registry().views();
        let plug = views.iter().map(|view| &view.plug).find(|plug| {
            let name = plug.name.as_ref();
            name.is_some_and(|name| name.to_lowercase() == folded)
        });
        plug.map_or(Ok(()), |plug| {
            let message = format!("plug {} is called \u{2018}{}\u{2019}", plug.mac, self.name);
            Err(RequestError::conflict(message)
                .hint("a name belongs to one plug or group")
                .at("name"))
        })
    }

    fn status(_: &Hub, _: &Stored<Self>) -> NoStatus {
        NoStatus {}
    }

    fn stored_status(_: &Repository<Self>, _: &Clock, _: &Stored<Self>) -> NoStatus {
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

    /// Also checks that the times of the schedule can be computed, and that a new one for a single time lies ahead.
    fn check_references(&self, hub: &Hub, before: Option<&Self>) -> Result<(), RequestError> {
        let known = before.map_or(&[][..], |before| &before.targets);
        for target in self.targets.iter().filter(|target| !known.contains(target)) {
            match target {
                SwitchTarget::Plug(plug) => hub.check_plugs([("targets", *plug)], &[])?,
                SwitchTarget::Group(id) => {
                    let group = hub.groups().one(id);
                    group.map_err(|error| RequestError::usage(error.message()).at("targets"))?;
                }
            }
        }
        let now = plugs::now();
        // Any id will do: only whether there is a time or an error matters.
        let next = next_due(self, hub.clock(), now, &Id::random('s'))?;
        let is_new = before.is_none_or(|before| before.when != self.when);
        match &self.when {
            When::Once { once } if next.is_none() && self.enabled && is_new => {
                let message = format!("the time {once} is past");
                Err(RequestError::usage(message)
                    .hint("it is in the time zone of the hub")
                    .at("when.once"))
            }
            _ => Ok(()),
        }
    }

    /// Also marks targets that were removed. If none is left, there is no next run.
    fn status(hub: &Hub, stored: &Stored<Self>) -> ScheduleStatus {
        let mut status = Self::stored_status(hub.schedules(), hub.clock(), stored);
        let targets = &stored.body.targets;
        let is_missing = |target: &&SwitchTarget| match target {
            SwitchTarget::Plug(plug) => hub.registry().view(*plug).is_none(),
            SwitchTarget::Group(id) => hub.groups().one(id).is_err(),
        };
        status.missing = targets.iter().filter(is_missing).cloned().collect();
        if status.missing.len() == targets.len() {
            (status.next, status.upcoming) = (None, Vec::new());
        }
        status
    }

    fn stored_status(
        all: &Repository<Self>,
        clock: &Clock,
        stored: &Stored<Self>,
    ) -> ScheduleStatus {
        schedule_status(all, clock, stored, plugs::now())
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Schedule(view)
    }
}

impl HubDocument for Rule {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.rules()
    }

    fn check_references(&self, hub: &Hub, before: Option<&Self>) -> Result<(), RequestError> {
        let known: Vec<Mac> = before
            .into_iter()
            .flat_map(|before| before.plugs().map(|(_, plug)| plug))
            .collect();
        hub.check_plugs(self.plugs(), &known)?;
        match self.metered_plug() {
            Some((field, plug))
                if hub.registry().view(plug).is_some()
                    && !hub.registry().can(plug, Capability::Meter) =>
            {
                let message = format!("plug {plug} has no meter, which this rule needs");
                Err(RequestError::usage(message)
                    .at(field)
                    .hint("choose a plug with a meter, or another kind of rule"))
            }
            _ => Ok(()),
        }
    }

    /// The state that the automation has recorded, and plugs that were removed. An edit ends a halt, even before the automation has
    /// read it.
    fn status(hub: &Hub, stored: &Stored<Self>) -> RuleStatus {
        let plugs = stored.body.plugs().map(|(_, plug)| plug);
        let metering = hub.registry().metering_interval(stored.body.plug);
        RuleStatus {
            missing: plugs
                .filter(|plug| hub.registry().view(*plug).is_none())
                .collect(),
            reacts_within_s: metering.and_then(|interval| stored.body.reacts_within_s(interval)),
            ..Self::stored_status(hub.rules(), hub.clock(), stored)
        }
    }

    fn stored_status(all: &Repository<Self>, _: &Clock, stored: &Stored<Self>) -> RuleStatus {
        let record = RunState::<Value>::read(&all.state(&stored.id), stored.revision);
        RuleStatus {
            last: record.last,
            halted: record.halted,
            missing: Vec::new(),
            reacts_within_s: None,
        }
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Rule(view)
    }
}

impl HubDocument for Tariff {
    fn repository(hub: &Hub) -> &Repository<Self> {
        hub.tariffs()
    }

    /// Also checks that no other tariff is valid for the same plugs from the same day on: then nothing would tell which one holds.
    fn check_references(&self, hub: &Hub, before: Option<&Self>) -> Result<(), RequestError> {
        let known = before.map_or(&[][..], |before| &before.plugs);
        hub.check_plugs(self.plugs.iter().map(|plug| ("plugs", *plug)), known)?;
        let is_unchanged =
            |before: &Self| (&before.plugs, before.valid_from) == (&self.plugs, self.valid_from);
        if before.is_some_and(is_unchanged) {
            return Ok(());
        }
        let others = hub.tariffs().all().into_iter().map(|other| other.body);
        let others = others.filter(|other| {
            // Its name being taken is another error.
            let same_name = other.name.to_lowercase() == self.name.to_lowercase();
            !same_name && before.is_none_or(|before| before.name != other.name)
        });
        check_rivals(self, others)
    }

    fn status(_: &Hub, _: &Stored<Self>) -> TariffStatus {
        TariffStatus::default()
    }

    fn stored_status(_: &Repository<Self>, _: &Clock, _: &Stored<Self>) -> TariffStatus {
        TariffStatus::default()
    }

    async fn changed_status(hub: &Hub, _: &Stored<Self>, before: &[Stored<Self>]) -> TariffStatus {
        let after = hub.tariffs().all();
        let repriced = hub.repriced(before, &after).await;
        let repriced = repriced.unwrap_or_else(|error| {
            tracing::warn!(%error, "the effect of a tariff on past costs is unknown");
            None
        });
        TariffStatus { repriced }
    }

    fn event(view: Arc<DocumentView<Self>>) -> Event {
        Event::Tariff(view)
    }
}

/// Checks that no other tariff is valid for the same plugs from the same day on.
pub(crate) fn check_rivals(
    tariff: &Tariff,
    others: impl IntoIterator<Item = Tariff>,
) -> Result<(), RequestError> {
    let rival = others.into_iter().find(|other| {
        let shares = |plugs: &[Mac]| plugs.iter().any(|plug| tariff.plugs.contains(plug));
        let is_for_same = tariff.plugs.is_empty() && other.plugs.is_empty() || shares(&other.plugs);
        is_for_same && other.valid_from == tariff.valid_from
    });
    rival.map_or(Ok(()), |rival| {
        let name = &rival.name;
        let since = match rival.valid_from {
            Some(day) => format!("from {day} on"),
            None => "at all times".to_owned(),
        };
        let message =
            format!("the tariff \u{2018}{name}\u{2019} is valid {since} for the same plugs");
        Err(RequestError::conflict(message)
            .hint("give the day from which the new one is valid, or change the other")
            .at("valid_from"))
    })
}
