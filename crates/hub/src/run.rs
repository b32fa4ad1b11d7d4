//! Puts a hub together, runs it, and ends it in order.
//!
//! What can fail at the start fails here, before anything is promised to anybody: the state directory, the database, the
//! address. At the end those who make news stop first, then what they made is written, then the database is closed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{ErrorChain, RequestError, ErrorKind};
use hiflying::Mac;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bridges::Bridges;
use crate::config::Config;
use crate::event::EventBus;
use crate::hub::{Hub, Parts};
use crate::keeper::{Interfaces, Keeper, KeeperConfig, Surroundings};
use crate::recorder::Recorder;
use crate::repository::Repository;
use crate::state_lock::StateLock;
use crate::store::{OpenedStore, Retention, Sample, Sqlite, Store, StoreError};
use crate::trust::{self, Trust};
use crate::{automation, http, server};

/// Readings that may be on their way into history. The recorder keeps many more while the disk is slow.
const SAMPLES: usize = 16_384;
/// How long those who make news have to stop, and what they made has to be written. Together under the five seconds that
/// the whole may take.
const STOP_WITHIN: Duration = Duration::from_millis(2_000);
const WRITE_WITHIN: Duration = Duration::from_millis(2_500);

/// A hub that serves.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where, e.g. `http://127.0.0.1:8480`.
    pub url: String,
    /// A link that logs one browser in, once.
    pub login_url: String,
}

/// Runs a hub until it is cancelled. `names` are those that the owner gave to plugs before there was a hub.
///
/// # Errors
///
/// [`RequestError`] when it cannot start: `local` for what is taken or not allowed, `usage` for what the owner decided and cannot
/// be, `unavailable` for a database that cannot be used.
pub async fn run(
    config: Config,
    names: HashMap<Mac, String>,
    on_ready: impl FnOnce(Ready),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let lock = StateLock::acquire(&config.state)?;
    let tls = config.tls.as_ref().map(server::acceptor).transpose()?;
    let (listener, address) = listen(config.listen).await?;
    let sqlite = Arc::new(open_store(&config).await?);
    let outcome = with_store(
        config,
        names,
        &sqlite,
        Door {
            lock: &lock,
            listener,
            address,
            tls,
        },
        on_ready,
        shutdown,
    )
    .await;
    sqlite.close().await;
    // Only now may another hub have the directory.
    drop(lock);
    outcome
}

/// Where people come in.
struct Door<'a> {
    lock: &'a StateLock,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

async fn with_store(
    config: Config,
    names: HashMap<Mac, String>,
    sqlite: &Arc<Sqlite>,
    door: Door<'_>,
    on_ready: impl FnOnce(Ready),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let store: Arc<dyn Store> = Arc::clone(sqlite) as Arc<dyn Store>;
    let trust = Trust::load(store.clone(), &config, door.address).await?;
    let work = Crew::new();
    let writing = Crew::new();
    let (samples, waiting) = mpsc::channel(SAMPLES);
    let recorder = Recorder::start(
        store.clone(),
        waiting,
        writing.cancel.clone(),
        &writing.tracker,
    );
    let started = assemble(config, names, store, samples, recorder, &work).await;
    let result = match started {
        Ok(hub) => open_to_all(hub, trust, door, &work, on_ready, shutdown).await,
        Err(error) => Err(error),
    };
    work.end(STOP_WITHIN, "what keeps contact and serves").await;
    writing.end(WRITE_WITHIN, "what writes history").await;
    result
}

/// Lets everybody in, until the end.
async fn open_to_all(
    hub: Hub,
    trust: Trust,
    door: Door<'_>,
    work: &Crew,
    on_ready: impl FnOnce(Ready),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let url = trust.url().to_owned();
    let login_url = trust.login_url()?;
    door.lock.announce(&url)?;
    work.tracker.spawn(automation::run(hub.clone()));
    work.tracker.spawn(trust.clone().run(work.cancel.clone()));
    let router = trust::protect(http::router(hub), trust);
    let serving = server::serve(door.listener, router, door.tls, work.cancel.clone());
    work.tracker.spawn(serving);
    tracing::info!("serving at {url}");
    on_ready(Ready { url, login_url });
    shutdown.cancelled().await;
    tracing::info!("ending");
    Ok(())
}

async fn assemble(
    config: Config,
    names: HashMap<Mac, String>,
    store: Arc<dyn Store>,
    samples: mpsc::Sender<Sample>,
    recorder: Recorder,
    work: &Crew,
) -> Result<Hub, RequestError> {
    let records = store.plugs().await.map_err(|error| unreadable(&error))?;
    let energy = store.energy().await.map_err(|error| unreadable(&error))?;
    let groups = load(&store).await?;
    let schedules = load(&store).await?;
    let rules = load(&store).await?;
    let tariffs = load(&store).await?;
    let bus = EventBus::new();
    let (cancel, tracker) = (work.cancel.clone(), work.tracker.clone());
    let bridges = Bridges::new(&config, bus.clone(), cancel, tracker);
    let keeper_config = KeeperConfig {
        interfaces: Interfaces::Named(config.interfaces.clone()),
        families: plugs::families::all(),
        adopt: config.adopt,
        metering: config.metering,
        scan: config.scan,
        names,
    };
    let surroundings = Surroundings {
        bus: bus.clone(),
        samples,
        store: store.clone(),
        cancel: work.cancel.clone(),
        tracker: work.tracker.clone(),
    };
    let keeper = Keeper::start(keeper_config, records, energy, surroundings).await?;
    Ok(Hub::new(Parts {
        config,
        store,
        bus,
        keeper,
        recorder,
        groups,
        schedules,
        rules,
        tariffs,
        bridges,
        cancel: work.cancel.clone(),
    }))
}

async fn load<T: api::Document>(store: &Arc<dyn Store>) -> Result<Repository<T>, RequestError> {
    let shelf = Repository::load(store.clone()).await;
    shelf.map_err(|error| unreadable(&error))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RequestError> {
    let listener = server::bind(address).await?;
    let taken = listener.local_addr().map_err(|error| {
        RequestError::new(ErrorKind::Local, format!("cannot listen on {address}: {error}"))
    })?;
    Ok((listener, taken))
}

/// A damaged file is no reason not to start, one of a newer version is: it must not be written by this one.
async fn open_store(config: &Config) -> Result<Sqlite, RequestError> {
    let retention = Retention {
        readings: config.keep_readings,
        minutes: config.keep_minutes,
    };
    let path = &config.database;
    let OpenedStore {
        store,
        set_aside,
        read_only,
    } = Sqlite::open(path, retention)
        .await
        .map_err(|error| cannot_open(&error))?;
    if let Some(old) = set_aside {
        tracing::error!(
            "the database {} was damaged; it is kept as {}, and a new one goes on from here",
            path.display(),
            old.display()
        );
    }
    if read_only {
        tracing::error!(
            "the database {} cannot be written: history stands still and nothing can be edited; switching goes on",
            path.display()
        );
    }
    Ok(store)
}

fn cannot_open(error: &StoreError) -> RequestError {
    let hint = match error {
        StoreError::Newer { .. } => {
            "run that version of Mains again, or give this one another file with `database`"
        }
        _ => {
            "is the directory there and writable? `database` under `[hub]` in mains.toml names the file"
        }
    };
    RequestError::unavailable(ErrorChain(error).to_string()).hint(hint)
}

/// On this side of the network the whole reason may be told.
fn unreadable(error: &StoreError) -> RequestError {
    RequestError::unavailable(ErrorChain(error).to_string())
}

/// Tasks that end together.
#[derive(Debug)]
struct Crew {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl Crew {
    fn new() -> Self {
        Self {
            cancel: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }

    async fn end(&self, within: Duration, who: &str) {
        self.cancel.cancel();
        self.tracker.close();
        if timeout(within, self.tracker.wait()).await.is_err() {
            let left = self.tracker.len();
            tracing::error!("{who} has not ended within {within:?} and is cut off ({left} tasks)");
        }
    }
}
