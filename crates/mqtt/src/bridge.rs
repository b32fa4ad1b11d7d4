//! The guest: keeps a connection to the broker, with a backoff between connections.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use api::SwitchTarget;
use api::running::RunningHub;
use async_trait::async_trait;
use futures_util::future::Either;
use hub::guest::GuestMetric;
use hub::{Guest, Hub};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::command::MqttCommand;
use crate::config::MqttConfig;
use crate::connection::{BridgeContext, Connection};
use crate::error::MqttError;
use crate::executor;
use crate::firmware::FirmwareReader;
use crate::home::HomeHub;
use crate::ledger::Ledger;
use crate::link::{self, OpenSession};
use crate::mirror::OFFLINE;
use crate::protocol::packet::MqttVersion;
use crate::status::{ConnectionPhase, Counters, SharedStatus, metrics};

/// Maximum number of commands that have failed and whose targets are not corrected yet.
const MAX_FAILED: usize = 1_024;
/// Name of MQTT in problems.
const PART: &str = "mqtt";
/// Minimum interval between entries of the log about outages.
const OUTAGE_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// A connection that ends sooner, without a reason, may be that of another client with the same client id.
const SHORT_CONNECTION: Duration = Duration::from_secs(30);

/// Publishes the plugs of a hub over MQTT, and obeys commands.
pub struct MqttBridge {
    config: MqttConfig,
    status: SharedStatus,
    counters: Counters,
    firmware: FirmwareReader,
}

impl fmt::Debug for MqttBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttBridge")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl MqttBridge {
    /// Makes a bridge to the broker of the configuration.
    pub fn new(config: MqttConfig) -> Self {
        Self {
            status: SharedStatus::new(config.url.to_string()),
            counters: Counters::default(),
            firmware: FirmwareReader::default(),
            config,
        }
    }
}

#[async_trait]
impl Guest for MqttBridge {
    fn status(&self) -> Option<(&'static str, Value)> {
        let status = serde_json::to_value(self.status.get());
        Some(("mqtt", status.expect("a status is a tree with text keys")))
    }

    fn metrics(&self) -> Vec<GuestMetric> {
        metrics(&self.counters, self.status.get().state)
    }

    async fn run(self: Arc<Self>, hub: Hub, cancel: CancellationToken) {
        let broker = self.config.url.to_string();
        let mut ledger = match Ledger::load(&self.config.state, &broker) {
            Ok(ledger) => ledger,
            Err(error) => {
                let error = format!("the state of MQTT cannot be kept on the disk: {error}");
                tracing::error!("{error}; there is no MQTT until the hub starts again");
                self.status.edit(|status| {
                    status.state = ConnectionPhase::Disconnected;
                    status.error = Some(error);
                });
                return;
            }
        };
        let sharing = match hub.store().shared() {
            Some(_) => Either::Left(ledger.share(Arc::clone(hub.store())).await),
            None => Either::Right(std::future::ready(())),
        };
        let sharing = cancel.run_until_cancelled(sharing);
        let (commands, incoming) = mpsc::channel(executor::MAX_COMMANDS);
        let (failed, corrections) = mpsc::channel(MAX_FAILED);
        let executing = executor::run(&hub, incoming, failed, &self.counters, &cancel);
        let keeping = BridgeTask {
            client_id: client_id(&self.config, ledger.id()),
            bridge: &self,
            hub: &hub,
            ledger,
            commands,
            corrections,
            backoff: Backoff::default(),
            last_error: None,
            outage: OutageLog::default(),
        };
        let reading = cancel.run_until_cancelled(self.firmware.run(&hub));
        tokio::join!(executing, reading, sharing, keeping.run(&cancel));
        self.status
            .edit(|status| status.state = ConnectionPhase::Ended);
    }
}

/// Returns a client id that stays the same: of the base topic and the id of the ledger. At most 23 letters and digits, which every
/// broker accepts. Hubs that share a database have the same one, so that the broker closes the connection of a hub that was paused
/// or cut off when another one takes over.
pub(crate) fn client_id(config: &MqttConfig, id: &str) -> String {
    let base = config.topics.base().as_str();
    let readable: String = base
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(10)
        .collect();
    format!("{readable}-{id}")
}

/// Keeps the connection.
struct BridgeTask<'a> {
    bridge: &'a MqttBridge,
    hub: &'a Hub,
    client_id: String,
    ledger: Ledger,
    commands: mpsc::Sender<MqttCommand>,
    corrections: mpsc::Receiver<SwitchTarget>,
    backoff: Backoff,
    /// The error that was logged last, so that a broker that is away for a day is one line.
    last_error: Option<MqttError>,
    outage: OutageLog,
}

impl BridgeTask<'_> {
    async fn run(mut self, cancel: &CancellationToken) {
        let mut version = MqttVersion::V5;
        loop {
            let Some(opened) = cancel.run_until_cancelled(self.open(version)).await else {
                return;
            };
            let lasted = match opened {
                Ok(open) => {
                    version = open.version;
                    let since = Instant::now();
                    let Some(error) = self.connected(open, cancel).await else {
                        return;
                    };
                    self.lost(error, since.elapsed());
                    Some(since.elapsed())
                }
                Err(error) => {
                    // Another broker may be there now.
                    version = MqttVersion::V5;
                    self.failed(error);
                    None
                }
            };
            let delay = self.backoff.next(lasted, fastrand::f64());
            tracing::debug!(?delay, "no connection to the MQTT broker");
            let waiting = cancel.run_until_cancelled(tokio::time::sleep(delay));
            if waiting.await.is_none() {
                return;
            }
        }
    }

    async fn open(&self, version: MqttVersion) -> Result<OpenSession, MqttError> {
        let config = &self.bridge.config;
        let mut login = link::login(config, &self.client_id)?;
        login.will = Some((config.topics.bridge_state(), OFFLINE));
        let opened = link::open(config, &login, version, &mut |_, _| {}).await;
        opened.map_err(|(_, error)| error)
    }

    /// Publishes and obeys until the connection ends. Returns the reason, or `None` when the hub ends.
    async fn connected(
        &mut self,
        open: OpenSession,
        cancel: &CancellationToken,
    ) -> Option<MqttError> {
        let bridge = self.bridge;
        let warning = link::exposed_password(&bridge.config);
        bridge.status.edit(|status| {
            status.state = ConnectionPhase::Connected;
            status.client_id = Some(self.client_id.clone());
            status.version = Some(open.version.as_str());
            status.error = warning.as_ref().map(ToString::to_string);
            status.hint = warning.as_ref().and_then(MqttError::hint);
        });
        bridge.counters.connections.up();
        let (broker, version) = (&bridge.config.url, open.version.as_str());
        tracing::info!(%broker, version, client_id = self.client_id, "connected to the MQTT broker");
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        self.last_error = None;
        if self.outage.ends() {
            let message = format!("the MQTT broker {broker} is connected again");
            self.hub.bus().problem(PART, None, true, message);
        }
        // What failed before is published with everything else.
        while self.corrections.try_recv().is_ok() {}
        let context = BridgeContext {
            config: &bridge.config,
            status: &bridge.status,
            counters: &bridge.counters,
            firmware: &bridge.firmware,
            hub: self.hub,
            home: self.home_hub(open.own_address),
            client_id: &self.client_id,
            commands: &self.commands,
        };
        let connection = Connection::new(
            context,
            &mut self.ledger,
            &mut self.corrections,
            open.session,
        );
        connection.run(cancel).await.err()
    }

    fn home_hub(&self, own_address: Option<IpAddr>) -> HomeHub {
        let url = RunningHub::find(&self.bridge.config.state)
            .unwrap_or(None)
            .map_or_else(|| "http://127.0.0.1:8480".to_owned(), |hub| hub.url);
        // The hub's own link begins with loopback if it listens on all addresses; others reach it where they see the broker's client.
        let listens_on_all = self.hub.config().listen.ip().is_unspecified();
        let others = own_address.filter(|own| listens_on_all && !own.is_loopback());
        let site = self.bridge.config.site.clone();
        HomeHub {
            id: match site.is_empty() {
                true => self.ledger.id().to_owned(),
                false => site.to_string(),
            },
            site,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: others
                .and_then(|own| reachable_url(&url, own))
                .unwrap_or(url),
        }
    }

    fn lost(&mut self, error: MqttError, lasted: Duration) {
        let error = match error {
            // MQTT 3.1.1 has no word for it, and mosquitto says none in MQTT 5 either.
            MqttError::Lost(reason) if lasted < SHORT_CONNECTION => {
                let id = &self.client_id;
                MqttError::Lost(format!(
                    "{reason} soon after the login; another client may use the client id `{id}`"
                ))
            }
            other => other,
        };
        if matches!(error, MqttError::TakenOver { .. }) {
            self.backoff.slow_down();
        }
        self.failed(error);
    }

    fn failed(&mut self, error: MqttError) {
        let broker = &self.bridge.config.url;
        let hint = error.hint();
        if self.last_error.as_ref() == Some(&error) {
            tracing::debug!(%broker, "no connection to the MQTT broker: {error}");
        } else {
            tracing::warn!(%broker, hint, "no connection to the MQTT broker: {error}");
        }
        self.bridge.status.edit(|status| {
            status.state = ConnectionPhase::Disconnected;
            status.version = None;
            status.error = Some(error.to_string());
            status.hint = hint;
        });
        if self.outage.is_due(Instant::now()) {
            let message = format!("no connection to the MQTT broker {broker}: {error}");
            self.hub.bus().problem(PART, None, false, message);
        }
        self.last_error = Some(error);
    }
}

/// Decides which outages are logged: those of a broker that comes and goes do not fill the log.
#[derive(Debug, Default)]
struct OutageLog {
    /// Time at which the last outage was logged.
    logged: Option<Instant>,
    is_logged: bool,
}

impl OutageLog {
    /// Returns true if the present outage is to be logged.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_early = |logged: Instant| now.duration_since(logged) < OUTAGE_LOG_INTERVAL;
        if self.is_logged || self.logged.is_some_and(is_early) {
            return false;
        }
        self.is_logged = true;
        self.logged = Some(now);
        true
    }

    /// Ends the outage. Returns true if it was logged.
    fn ends(&mut self) -> bool {
        std::mem::take(&mut self.is_logged)
    }
}

/// Returns the URL with another address as its host; `None` if its host is a name.
fn reachable_url(url: &str, host: IpAddr) -> Option<String> {
    let (scheme, address) = url.split_once("://")?;
    let port = address.parse::<SocketAddr>().ok()?.port();
    Some(format!("{scheme}://{}", SocketAddr::new(host, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_once_and_not_each_of_many() {
        let (mut outage, start) = (OutageLog::default(), Instant::now());
        assert!(!outage.ends());
        assert!(outage.is_due(start));
        assert!(!outage.is_due(start + OUTAGE_LOG_INTERVAL * 100));
        assert!(outage.ends());
        // The next one soon after is logged when it lasts.
        let soon = start + OUTAGE_LOG_INTERVAL / 2;
        assert!(!outage.is_due(soon) && !outage.ends());
        assert!(!outage.is_due(soon));
        assert!(outage.is_due(start + OUTAGE_LOG_INTERVAL));
        assert!(outage.ends() && !outage.ends());
    }
}
