//! Hue bridges that were paired with, and the bulbs that they take over.
//!
//! Nothing here polls: a bridge is spoken to when somebody asks for something. The keys are in the key ring of the state
//! directory, which the command line uses, too; it is read again each time. A takeover is a job: it goes on when whoever began
//! it has gone, tells its steps as events, and ends with the hub.

mod error;
mod job;
mod jobs;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::{Id, RequestError};
use hiflying::net::select;
use hue::flow::{self, PairOptions, TakeoverOptions};
use hue::keyring::{Entry, KeyRing};
use hue::net::{self, Accept, Found, Lan, Opened, Search, Trust};
use hue::{Address, BridgeId, BridgeName, Fingerprint, Guide, HueError, Light, Progress, Question};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::event::{EventBus, News};
pub(crate) use error::bridge_error;
pub use job::{Job, JobState, Step};
use jobs::Jobs;

/// Who has answered a search and does not say within this who it is, is left out: somebody waits for the page.
const ANSWER: Duration = Duration::from_secs(5);
/// What bridges list this program as.
const DEVICE: &str = "hub";

/// The bridges of a hub. A clone is the same.
#[derive(Debug, Clone)]
pub struct Bridges(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ring: KeyRing,
    /// As the owner named them; which they are is asked at each search.
    interfaces: Vec<String>,
    bus: EventBus,
    cancel: CancellationToken,
    tracker: TaskTracker,
    jobs: Mutex<Jobs>,
}

/// How a bulb is to be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The way; without one, what model and firmware can do.
    pub via: Option<hue::Via>,
    /// The serial number of the bulb. With it there is no touchlink.
    pub serial: Option<hue::Serial>,
}

impl Bridges {
    /// Begins to look after bridges; nothing is read or asked yet. Takeovers run on `tracker` and end with `cancel`.
    pub fn new(
        config: &Config,
        bus: EventBus,
        cancel: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        Self(Arc::new(Inner {
            ring: KeyRing::new(&config.state),
            interfaces: config.interfaces.clone(),
            bus,
            cancel,
            tracker,
            jobs: Mutex::default(),
        }))
    }

    /// Returns the bridges that were paired with, by id.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when the key ring cannot be read.
    pub fn all(&self) -> Result<Vec<Entry>, RequestError> {
        self.0
            .ring
            .entries()
            .map_err(|error| bridge_error(error.into()))
    }

    /// Returns one of them.
    ///
    /// # Errors
    ///
    /// As [`Bridges::all`], and `not_found`.
    pub fn one(&self, id: &BridgeId) -> Result<Entry, RequestError> {
        let entry = self
            .0
            .ring
            .entry(id)
            .map_err(|error| bridge_error(error.into()))?;
        entry.ok_or_else(|| {
            RequestError::not_found(format!("there is no bridge {id} that was paired with"))
                .hint("POST its address to `/api/v1/bridges` first, or use `mains hue pair`")
        })
    }

    /// Searches the network for bridges, for so long.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `local` when an interface cannot be used.
    pub async fn discover(&self, wait: Duration) -> Result<Vec<Found>, RequestError> {
        let search = Search {
            wait,
            at_most: wait.saturating_add(ANSWER),
            ..Search::default()
        };
        let lan = self.lan().map_err(bridge_error)?;
        net::discover(&lan, &search, |_| ())
            .await
            .map_err(bridge_error)
    }

    /// Pairs with the bridge at an address, whose button was pressed just now. Returns whether it is new; a bridge whose key
    /// still opens it is left as it is.
    ///
    /// # Errors
    ///
    /// [`HueError`]: error 101 when the button was not pressed; [`CertificateProblem::Unknown`](hue::CertificateProblem::Unknown)
    /// for a certificate of the bridge's own that nobody has agreed to yet.
    pub async fn pair(
        &self,
        address: Address,
        certificate: Option<Fingerprint>,
    ) -> Result<(Entry, bool), HueError> {
        let ring = &self.0.ring;
        let trust = Trust {
            accept: certificate.map_or(Accept::None, Accept::This),
            pairing: true,
        };
        let name = BridgeName::Address(address);
        let connection = net::reach(&self.lan()?, ring, &name, &trust).await?;
        let known = connection.kept_in(ring)?;
        if let Some(known) = &known
            // Whatever else comes of it: pairing again is what was asked for, and tells it.
            && let Ok(true) = connection.still_takes(known).await
        {
            net::remember(ring, &known.id, &connection);
            return Ok((connection.entry(known.key.clone(), known.paired_at)?, false));
        }
        let options = PairOptions {
            device_type: flow::device_type("mains", DEVICE),
            wait: Duration::ZERO,
        };
        let paired = flow::pair(&connection.bridge(None), &Alone, &options).await?;
        let entry = connection.entry(paired.key, Timestamp::now())?;
        ring.keep(entry.clone())?;
        tracing::info!(bridge = %entry.id, "paired");
        Ok((entry, known.is_none()))
    }

    /// Forgets a bridge and the key for it. The bridge keeps the key until its owner removes it there.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `conflict` while it takes over a bulb, `local`.
    pub fn forget(&self, id: &BridgeId) -> Result<(), RequestError> {
        self.one(id)?;
        if let Some(job) = self.jobs().running(id) {
            return Err(busy(id, job));
        }
        self.0
            .ring
            .forget(id)
            .map_err(|error| bridge_error(error.into()))?;
        self.jobs().forget(id);
        tracing::info!(bridge = %id, "forgotten");
        Ok(())
    }

    /// Lists the lights of a bridge.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, and what came of asking the bridge.
    pub async fn lights(&self, id: &BridgeId) -> Result<Vec<Light>, RequestError> {
        let opened = self.open(id).await?;
        flow::lights(&opened.bridge()).await.map_err(bridge_error)
    }

    /// Begins to take over a bulb. The answer comes at once; how it goes is told by [`News::Takeover`] and by the job.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: `not_found`, `conflict` while another takeover runs at that bridge.
    pub fn take_over(&self, id: &BridgeId, order: Order) -> Result<Job, RequestError> {
        self.one(id)?;
        let job = self.jobs().begin(id, Timestamp::now());
        let job = job.map_err(|running| busy(id, &running))?;
        self.publish(&job);
        let (bridges, work) = (self.clone(), job.id.clone());
        let id = id.clone();
        self.0.tracker.spawn(async move {
            bridges.carry_out(&work, &id, order).await;
        });
        Ok(job)
    }

    /// Returns the latest takeovers of a bridge, the newest first.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn takeovers(&self, id: &BridgeId) -> Result<Vec<Job>, RequestError> {
        self.one(id)?;
        Ok(self.jobs().of(id))
    }

    /// Returns one takeover of a bridge.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `not_found`.
    pub fn takeover(&self, id: &BridgeId, job: &Id) -> Result<Job, RequestError> {
        let found = self.jobs().one(id, job);
        found.ok_or_else(|| {
            RequestError::not_found(format!("there is no takeover {job} of bridge {id}"))
                .hint("the hub remembers the latest takeovers until it ends")
        })
    }

    async fn carry_out(&self, job: &Id, id: &BridgeId, order: Order) {
        let guide = JobGuide { bridges: self, job };
        let done = tokio::select! {
            done = self.work(id, order, &guide) => done,
            () = self.0.cancel.cancelled() => Err(ended_early()),
        };
        if let Err(error) = &done {
            tracing::warn!(bridge = %id, takeover = %job, "a takeover came to nothing: {error}");
        }
        self.change(job, |job| job.end(done, Timestamp::now()));
    }

    async fn work(
        &self,
        id: &BridgeId,
        order: Order,
        guide: &JobGuide<'_>,
    ) -> Result<flow::Takeover, RequestError> {
        let opened = self.open(id).await?;
        let bridge = opened.bridge();
        let options = TakeoverOptions {
            via: order.via,
            serial: order.serial,
            ..TakeoverOptions::default()
        };
        flow::takeover(&bridge, guide, &options)
            .await
            .map_err(bridge_error)
    }

    async fn open(&self, id: &BridgeId) -> Result<Opened, RequestError> {
        self.one(id)?;
        let name = BridgeName::Id(id.clone());
        let lan = self.lan().map_err(bridge_error)?;
        net::open(&lan, &self.0.ring, &name, None, &Trust::default())
            .await
            .map_err(bridge_error)
    }

    fn change(&self, job: &Id, change: impl FnOnce(&mut Job)) {
        let changed = self.jobs().change(job, change);
        if let Some(job) = changed {
            self.publish(&job);
        }
    }

    fn publish(&self, job: &Job) {
        // A tree with text keys can always be written.
        let json = serde_json::to_value(job).unwrap_or_default();
        self.0.bus.publish(News::Takeover(json.into()));
    }

    fn lan(&self) -> Result<Lan, HueError> {
        let interfaces = select(&self.0.interfaces).map_err(|error| HueError::Local {
            what: "the network interfaces cannot be used".to_owned(),
            source: io::Error::other(error),
        })?;
        let interfaces = interfaces.into_iter();
        Ok(Lan {
            interfaces: interfaces
                .map(|interface| (interface.name, interface.address))
                .collect(),
            ..Lan::default()
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy(id: &BridgeId, job: &Id) -> RequestError {
    RequestError::conflict(format!("bridge {id} is taking over a bulb already: {job}"))
        .hint("wait until that is done")
}

fn ended_early() -> RequestError {
    RequestError::unavailable("the hub ended before the takeover did")
        .hint("look whether the bulb blinked, then search for lights")
}

/// Nobody watches, and nobody is there to be asked.
struct Alone;

impl Guide for Alone {
    fn tell(&self, _: Progress) {}

    async fn agree(&self, _: Question) -> bool {
        false
    }
}

/// Tells the steps of a job. What a touchlink asks was agreed to by whoever began it; all else would need somebody there.
struct JobGuide<'a> {
    bridges: &'a Bridges,
    job: &'a Id,
}

impl Guide for JobGuide<'_> {
    fn tell(&self, progress: Progress) {
        let step = Step::new(&progress, Timestamp::now());
        self.bridges.change(self.job, |job| job.tell(step));
    }

    async fn agree(&self, question: Question) -> bool {
        matches!(question, Question::NearAndFresh { .. })
    }
}
