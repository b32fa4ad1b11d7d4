//! The state of the connection, for `GET /api/v1/hub` and `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use hub::guest::{GuestMetric, MetricKind};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

/// A phase of the connection to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionPhase {
    /// The first connection is being made.
    Connecting,
    /// Connected.
    Connected,
    /// There is no connection; it is tried again.
    Disconnected,
    /// The hub ends.
    Ended,
}

/// The state of the connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MqttStatus {
    /// The phase.
    pub state: ConnectionPhase,
    /// Address of the broker.
    pub broker: String,
    /// The client id; null before the first connection.
    pub client_id: Option<String>,
    /// Version of MQTT; null while there is no connection.
    pub version: Option<&'static str>,
    /// Time since which it is in this phase.
    pub since: Timestamp,
    /// The latest error, or a limit of the present connection; null if there is none.
    pub error: Option<String>,
    /// The next step for the user; null if there is none.
    pub hint: Option<&'static str>,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct MqttCounter(AtomicU64);

impl MqttCounter {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: MqttCounter,
    pub(crate) published: MqttCounter,
    pub(crate) commands: MqttCounter,
    pub(crate) failed_commands: MqttCounter,
    pub(crate) ignored_messages: MqttCounter,
}

/// The state of the connection, shared between the connection and its readers.
#[derive(Debug)]
pub(crate) struct SharedStatus(Mutex<MqttStatus>);

impl SharedStatus {
    pub(crate) fn new(broker: String) -> Self {
        Self(Mutex::new(MqttStatus {
            state: ConnectionPhase::Connecting,
            broker,
            client_id: None,
            version: None,
            since: now(),
            error: None,
            hint: None,
        }))
    }

    pub(crate) fn get(&self) -> MqttStatus {
        self.0.lock().clone()
    }

    /// Changes the status; a new phase begins now.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut MqttStatus)) {
        let mut status = self.0.lock();
        let before = status.state;
        edit(&mut status);
        if status.state != before {
            status.since = now();
        }
    }
}

/// Returns the time without its fraction of a second.
fn now() -> Timestamp {
    let now = plugs::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Returns the metrics.
pub(crate) fn metrics(counters: &Counters, phase: ConnectionPhase) -> Vec<GuestMetric> {
    let counter = |name, help, counter: &MqttCounter| GuestMetric {
        name,
        help,
        kind: MetricKind::Counter,
        value: counter.get(),
    };
    vec![
        GuestMetric {
            name: "mains_mqtt_connected",
            help: "1 while the hub is connected to the MQTT broker.",
            kind: MetricKind::Gauge,
            value: u64::from(phase == ConnectionPhase::Connected),
        },
        counter(
            "mains_mqtt_connections_total",
            "Connections to the MQTT broker.",
            &counters.connections,
        ),
        counter(
            "mains_mqtt_published_total",
            "Messages that the MQTT broker has received.",
            &counters.published,
        ),
        counter(
            "mains_mqtt_commands_total",
            "Commands over MQTT that were carried out or failed.",
            &counters.commands,
        ),
        counter(
            "mains_mqtt_failed_commands_total",
            "Commands over MQTT that failed.",
            &counters.failed_commands,
        ),
        counter(
            "mains_mqtt_ignored_messages_total",
            "Messages on command topics that are no command.",
            &counters.ignored_messages,
        ),
    ]
}
