//! The messages to publish: for each topic the newest payload, and the topics whose payload the broker does not have yet.
//!
//! A payload that is replaced before it was sent is never sent. Nothing outlasts a connection: each begins with all topics due.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// The messages of one connection.
#[derive(Debug, Default)]
pub(crate) struct MqttOutbox {
    topics: BTreeMap<Arc<str>, OutboxEntry>,
    due: VecDeque<DueMessage>,
    in_flight: HashMap<u16, Arc<str>>,
}

#[derive(Debug, Default)]
struct OutboxEntry {
    /// The payload; `None` for a topic that is to be emptied.
    payload: Option<Arc<str>>,
    /// True while the topic waits to be sent.
    is_due: bool,
}

#[derive(Debug)]
enum DueMessage {
    /// The newest payload of a topic, retained.
    Newest(Arc<str>),
    /// This payload once, not retained.
    Once(Arc<str>, &'static str),
}

/// A message to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutgoingMessage {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Arc<str>,
    pub(crate) retain: bool,
}

impl MqttOutbox {
    /// Sets the payload of a topic, which becomes due unless it has this payload.
    pub(crate) fn set(&mut self, topic: &str, payload: impl AsRef<str>) {
        let payload = payload.as_ref();
        let known = self.topics.get(topic);
        if known.and_then(|entry| entry.payload.as_deref()) == Some(payload) {
            return;
        }
        self.put(topic, Some(payload.into()));
    }

    /// Empties a topic.
    pub(crate) fn empty(&mut self, topic: &str) {
        if self
            .topics
            .get(topic)
            .is_none_or(|entry| entry.payload.is_some())
        {
            self.put(topic, None);
        }
    }

    /// Forgets topics that were never filled.
    pub(crate) fn forget(&mut self, is_unwanted: impl Fn(&str) -> bool) {
        self.topics.retain(|topic, _| !is_unwanted(topic));
        self.due.retain(|message| match message {
            DueMessage::Newest(topic) => !is_unwanted(topic),
            DueMessage::Once(..) => true,
        });
    }

    /// Makes a topic due again, e.g. because a client that published to its command topic assumes another state.
    pub(crate) fn repeat(&mut self, topic: &str) {
        if let Some((topic, _)) = self.topics.get_key_value(topic) {
            self.make_due(&Arc::clone(topic));
        }
    }

    /// Makes the topics of `which` due again.
    pub(crate) fn repeat_all(&mut self, which: impl Fn(&str) -> bool) {
        let topics: Vec<Arc<str>> = self
            .topics
            .iter()
            .filter(|(topic, entry)| entry.payload.is_some() && which(topic))
            .map(|(topic, _)| Arc::clone(topic))
            .collect();
        topics.iter().for_each(|topic| self.make_due(topic));
    }

    /// Publishes a payload once, without keeping it at the broker.
    pub(crate) fn once(&mut self, topic: &str, payload: &'static str) {
        self.due.push_back(DueMessage::Once(topic.into(), payload));
    }

    /// Returns the topics with a payload.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics
            .iter()
            .filter(|(_, entry)| entry.payload.is_some())
            .map(|(topic, _)| topic)
    }

    /// Returns the payload of a topic.
    #[cfg(test)]
    pub(crate) fn payload(&self, topic: &str) -> Option<&str> {
        self.topics.get(topic)?.payload.as_deref()
    }

    /// Returns true while a message waits to be sent or acknowledged.
    pub(crate) fn is_busy(&self) -> bool {
        !self.due.is_empty() || !self.in_flight.is_empty()
    }

    /// Returns the topic that the next message fills, if it does.
    pub(crate) fn next_to_fill(&self) -> Option<&Arc<str>> {
        match self.due.front()? {
            DueMessage::Newest(topic) => {
                let entry = self.topics.get(topic)?;
                entry.payload.as_ref().map(|_| topic)
            }
            DueMessage::Once(..) => None,
        }
    }

    /// Takes the next message.
    pub(crate) fn take(&mut self) -> Option<OutgoingMessage> {
        Some(match self.due.pop_front()? {
            DueMessage::Once(topic, payload) => OutgoingMessage {
                topic,
                payload: payload.into(),
                retain: false,
            },
            DueMessage::Newest(topic) => {
                let entry = self.topics.get_mut(&topic).expect("a due topic is known");
                entry.is_due = false;
                OutgoingMessage {
                    payload: entry.payload.clone().unwrap_or_else(|| "".into()),
                    topic,
                    retain: true,
                }
            }
        })
    }

    /// Records that a message was sent with this identifier.
    pub(crate) fn sent(&mut self, id: u16, topic: Arc<str>) {
        self.in_flight.insert(id, topic);
    }

    /// Records that the broker has received a message. Returns its topic, and true if the topic is now empty.
    pub(crate) fn received(&mut self, id: u16) -> Option<(Arc<str>, bool)> {
        let topic = self.in_flight.remove(&id)?;
        let is_empty = self
            .topics
            .get(&topic)
            .is_some_and(|entry| entry.payload.is_none() && !entry.is_due);
        if is_empty {
            self.topics.remove(&topic);
        }
        Some((topic, is_empty))
    }

    fn put(&mut self, topic: &str, payload: Option<Arc<str>>) {
        let topic: Arc<str> = match self.topics.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => topic.into(),
        };
        self.topics.entry(Arc::clone(&topic)).or_default().payload = payload;
        self.make_due(&topic);
    }

    fn make_due(&mut self, topic: &Arc<str>) {
        let entry = self.topics.entry(Arc::clone(topic)).or_default();
        if !std::mem::replace(&mut entry.is_due, true) {
            self.due.push_back(DueMessage::Newest(Arc::clone(topic)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbox: &mut MqttOutbox) -> Vec<(String, String)> {
        std::iter::from_fn(|| outbox.take())
            .map(|message| (message.topic.to_string(), message.payload.to_string()))
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(topic, payload)| ((*topic).to_owned(), (*payload).to_owned()))
            .collect()
    }

    #[test]
    fn only_the_newest_payload_is_sent() {
        let mut outbox = MqttOutbox::default();
        outbox.set("a", "1");
        outbox.set("b", "1");
        outbox.set("a", "2");
        assert_eq!(taken(&mut outbox), pairs(&[("a", "2"), ("b", "1")]));
        outbox.set("a", "2");
        assert_eq!(taken(&mut outbox), []);
        outbox.repeat("a");
        outbox.repeat("unknown");
        assert_eq!(taken(&mut outbox), pairs(&[("a", "2")]));
    }

    #[test]
    fn a_change_while_a_message_is_under_way_is_sent_after_it() {
        let mut outbox = MqttOutbox::default();
        outbox.set("a", "1");
        let first = outbox.take().unwrap();
        outbox.sent(7, first.topic);
        outbox.set("a", "2");
        assert_eq!(outbox.received(7), Some(("a".into(), false)));
        assert_eq!(outbox.received(7), None);
        assert_eq!(taken(&mut outbox), pairs(&[("a", "2")]));
    }

    #[test]
    fn a_topic_is_empty_once_the_broker_has_received_that() {
        let mut outbox = MqttOutbox::default();
        outbox.empty("a");
        outbox.empty("a");
        assert_eq!(outbox.next_to_fill(), None);
        let message = outbox.take().unwrap();
        assert_eq!((&*message.payload, message.retain), ("", true));
        outbox.sent(1, message.topic);
        assert!(outbox.is_busy());
        assert_eq!(outbox.received(1), Some(("a".into(), true)));
        assert!(!outbox.is_busy());
        // It is filled again before that.
        outbox.set("a", "1");
        outbox.empty("a");
        let message = outbox.take().unwrap();
        outbox.sent(2, message.topic);
        outbox.set("a", "2");
        assert_eq!(outbox.next_to_fill(), Some(&"a".into()));
        assert_eq!(outbox.received(2), Some(("a".into(), false)));
        assert_eq!(outbox.payload("a"), Some("2"));
    }

    #[test]
    fn messages_keep_their_order() {
        let mut outbox = MqttOutbox::default();
        outbox.once("old", "m");
        outbox.set("new", "1");
        outbox.empty("old");
        let expected = pairs(&[("old", "m"), ("new", "1"), ("old", "")]);
        assert_eq!(taken(&mut outbox), expected);
        outbox.repeat_all(|topic| topic == "new");
        assert_eq!(taken(&mut outbox), pairs(&[("new", "1")]));
    }
}
