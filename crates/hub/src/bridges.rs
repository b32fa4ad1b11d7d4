//! Paired Hue bridges, and the bulbs that they take over.
//!
//! Nothing here polls: a bridge is contacted on request only. The keys are in the key ring of the state directory, shared with the
//! command line and read anew each time. A takeover is a job: it continues without its requester, reports its steps as events, and
//! ends with the hub.

mod error;
mod jobs;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::{Event, Id, LogEntry, LogKind, RequestError, TakeoverJob, TakeoverStep};
use hiflying::net::select;
use hue::flow;
use hue::net::{
    self, AcceptCertificate, CertificateTrust, DiscoveryOptions, FoundBridge, LocalInterface,
    NetworkConfig, PairedConnection,
};
use hue::{
    Address, BridgeId, BridgeName, Fingerprint, FlowProgress, FlowQuestion, HueError, KeyRing,
    Light, Operator, PairOptions, PairedBridge, TakeoverOptions, TakeoverResult,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::event::EventBus;

pub use error::bridge_error;
use jobs::TakeoverJobs;

/// Maximum time after a search during which bridges that replied are still identified.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(5);
/// The device name under which bridges list this program.
const DEVICE: &str = "hub";

/// The bridges of a hub. Clones share their state.
#[derive(Debug, Clone)]
pub struct HueBridges(Arc<SharedBridges>);

#[derive(Debug)]
struct SharedBridges {
    ring: KeyRing,
    /// The configured interfaces; their addresses are looked up for each search.
    interfaces: Vec<String>,
    bus: EventBus,
    cancel: CancellationToken,
    tracker: TaskTracker,
    jobs: Mutex<TakeoverJobs>,
}

impl HueBridges {
    /// Creates the bridges without reading or contacting anything. Takeovers run on `tracker` and end with `cancel`.
    pub fn new(
        config: &Config,
        bus: EventBus,
        cancel: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        Self(Arc::new(SharedBridges {
            ring: KeyRing::new(&config.state),
            interfaces: config.interfaces.clone(),
            bus,
            cancel,
            tracker,
            jobs: Mutex::default(),
        }))
    }

    /// Returns the paired bridges, sorted by id.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` if the key ring cannot be read.
    pub fn all(&self) -> Result<Vec<PairedBridge>, RequestError> {
        self.0.ring.bridges().map_err(bridge_error)
    }

    /// Returns one paired bridge.
    ///
    /// # Errors
    ///
    /// As [`HueBridges::all`], and `not_found`.
    pub fn one(&self, id: &BridgeId) -> Result<PairedBridge, RequestError> {
        let bridge = self.0.ring.bridge(id).map_err(bridge_error)?;
        bridge.ok_or_else(|| {
            RequestError::not_found(format!("not paired with a bridge {id}"))
                .hint("POST its address to `/api/v1/bridges` first, or run `mains hue pair`")
        })
    }

    /// Searches the network for bridges during `wait`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` if an interface cannot be used.
    pub async fn discover(&self, wait: Duration) -> Result<Vec<FoundBridge>, RequestError> {
        let options = DiscoveryOptions {
            wait,
            timeout: wait.saturating_add(IDENTIFY_TIMEOUT),
            ..DiscoveryOptions::default()
        };
        let network = self.network().map_err(bridge_error)?;
        let found = net::discover(&network, &options, |_| ()).await;
        found.map(|(bridges, _)| bridges).map_err(bridge_error)
    }

    /// Pairs with the bridge at an address, whose button was just pressed. Returns whether it is new; a bridge that still accepts its
    /// key keeps it.
    ///
    /// # Errors
    ///
    /// [`HueError`]: error 101 if the button was not pressed; [`CertificateProblem::Unknown`](hue::CertificateProblem::Unknown) for a
    /// self-signed certificate that was not accepted yet.
    pub async fn pair(
        &self,
        address: Address,
        certificate: Option<Fingerprint>,
    ) -> Result<(PairedBridge, bool), HueError> {
        let ring = &self.0.ring;
        let trust = CertificateTrust {
            accept: certificate.map_or(AcceptCertificate::None, AcceptCertificate::Only),
            pairing: true,
        };
        let name = BridgeName::Address(address);
        let connection = net::connect(&self.network()?, ring, &name, &trust).await?;
        let known = connection.paired_bridge(ring)?;
        if let Some(known) = &known
            // A failure of this check shows again while pairing.
            && let Ok(true) = connection.still_accepts(known).await
        {
            net::remember(ring, &known.id, &connection);
            let paired = connection.to_paired(known.key.clone(), known.paired_at)?;
            return Ok((paired, false));
        }
        let options = PairOptions {
            device_type: flow::device_type("mains", DEVICE),
            wait: Duration::ZERO,
        };
        let key = flow::pair(&connection.client(None), &Unattended, &options).await?;
        let paired = connection.to_paired(key, plugs::now())?;
        ring.save(paired.clone())?;
        tracing::info!(bridge = %paired.id, "paired");
        Ok((paired, known.is_none()))
    }

    /// Forgets a bridge and its key. The bridge keeps the key until its owner removes it there.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `conflict` while the bridge takes over a bulb, `local`.
    pub fn forget(&self, id: &BridgeId) -> Result<(), RequestError> {
        self.one(id)?;
        if let Some(job) = self.0.jobs.lock().running(id) {
            return Err(busy(id, job));
        }
        self.0.ring.remove(id).map_err(bridge_error)?;
        self.0.jobs.lock().remove_all(id);
        tracing::info!(bridge = %id, "forgotten");
        Ok(())
    }

    /// Lists the lights of a bridge.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, and the errors of the bridge.
    pub async fn lights(&self, id: &BridgeId) -> Result<Vec<Light>, RequestError> {
        let opened = self.open(id).await?;
        flow::lights(&opened.client()).await.map_err(bridge_error)
    }

    /// Starts to take over a bulb and returns at once. The progress is reported by [`Event::Takeover`] and by the job.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `conflict` while another takeover runs on this bridge.
    pub fn take_over(
        &self,
        id: &BridgeId,
        options: TakeoverOptions,
    ) -> Result<TakeoverJob, RequestError> {
        self.one(id)?;
        let job = self.0.jobs.lock().begin(id, plugs::now());
        let job = job.map_err(|running| busy(id, &running))?;
        self.publish(&job);
        let (bridges, job_id, id) = (self.clone(), job.id.clone(), id.clone());
        self.0.tracker.spawn(async move {
            bridges.run_takeover(&job_id, &id, &options).await;
        });
        Ok(job)
    }

    /// Returns the latest takeovers of a bridge, newest first.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn takeovers(&self, id: &BridgeId) -> Result<Vec<TakeoverJob>, RequestError> {
        self.one(id)?;
        Ok(self.0.jobs.lock().of(id))
    }

    /// Returns one takeover of a bridge.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn takeover(&self, id: &BridgeId, job: &Id) -> Result<TakeoverJob, RequestError> {
        let found = self.0.jobs.lock().one(id, job);
        found.ok_or_else(|| {
            RequestError::not_found(format!("bridge {id} has no takeover {job}"))
                .hint("list the takeovers; the latest are kept until the hub ends")
        })
    }

    async fn run_takeover(&self, job: &Id, id: &BridgeId, options: &TakeoverOptions) {
        let operator = TakeoverOperator { bridges: self, job };
        let takeover = async {
            let opened = self.open(id).await?;
            let result = flow::takeover(&opened.client(), &operator, options).await;
            result.map_err(bridge_error)
        };
        let result: Result<TakeoverResult, RequestError> = tokio::select! {
            result = takeover => result,
            () = self.0.cancel.cancelled() => Err(ended_early()),
        };
        if let Err(error) = &result {
            tracing::warn!(bridge = %id, takeover = %job, "takeover failed: {error}");
        }
        let now = plugs::now();
        let text = match &result {
            Ok(_) => format!("the bridge {id} took over a bulb"),
            Err(error) => format!("the bridge {id} did not take over a bulb: {error}"),
        };
        let entry = LogEntry::new(now, LogKind::Takeover, text).as_problem(result.is_err());
        self.0.bus.log(entry);
        self.change(job, |job| job.end(result, now));
    }

    async fn open(&self, id: &BridgeId) -> Result<PairedConnection, RequestError> {
        self.one(id)?;
        let name = BridgeName::Id(id.clone());
        let network = self.network().map_err(bridge_error)?;
        let trust = CertificateTrust::default();
        let opened = net::open(&network, &self.0.ring, &name, None, &trust).await;
        opened.map_err(bridge_error)
    }

    fn change(&self, job: &Id, change: impl FnOnce(&mut TakeoverJob)) {
        let changed = self.0.jobs.lock().change(job, change);
        if let Some(job) = changed {
            self.publish(&job);
        }
    }

    fn publish(&self, job: &TakeoverJob) {
        self.0.bus.publish(Event::Takeover(Arc::new(job.clone())));
    }

    fn network(&self) -> Result<NetworkConfig, HueError> {
        let interfaces = select(&self.0.interfaces).map_err(|error| HueError::Local {
            what: "the network interfaces cannot be used".to_owned(),
            source: io::Error::other(error),
        })?;
        let interfaces = interfaces.into_iter();
        Ok(NetworkConfig {
            interfaces: interfaces
                .map(|interface| LocalInterface {
                    device: interface.device().to_owned(),
                    address: interface.address,
                    prefix: interface.prefix,
                })
                .collect(),
            ..NetworkConfig::default()
        })
    }
}

fn busy(id: &BridgeId, job: &Id) -> RequestError {
    RequestError::conflict(format!("bridge {id} is already taking over a bulb: {job}"))
        .hint("wait until that takeover has ended")
}

fn ended_early() -> RequestError {
    RequestError::unavailable("the hub ended before the takeover did")
        .hint("check whether the bulb blinked, then search for lights")
}

/// An operator without a user: it ignores progress and declines every question.
struct Unattended;

impl Operator for Unattended {
    fn report(&self, _: FlowProgress) {}

    async fn confirm(&self, _: FlowQuestion) -> bool {
        false
    }
}

/// Records the progress of a job. The request itself answers the question before a touchlink; all other questions need a person.
struct TakeoverOperator<'a> {
    bridges: &'a HueBridges,
    job: &'a Id,
}

impl Operator for TakeoverOperator<'_> {
    fn report(&self, progress: FlowProgress) {
        let step = TakeoverStep::new(&progress, plugs::now());
        self.bridges.change(self.job, |job| job.add_step(step));
    }

    async fn confirm(&self, question: FlowQuestion) -> bool {
        matches!(question, FlowQuestion::NearAndFresh { .. })
    }
}
