//! Assembles a hub, runs it, and stops it in order.
//!
//! Errors of the state directory, database and address occur here, before the hub is announced. On stopping, the tasks that produce
//! events end first, then their readings are written, then the database is closed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{DatabaseDamage, ErrorChain, ErrorKind, LogEntry, LogKind, RequestError, Scope};
use hiflying::Mac;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{self, AccessControl, Credential};
use crate::bridges::HueBridges;
use crate::config::Config;
use crate::event::EventBus;
use crate::guest::Guest;
use crate::hub::{Hub, Parts};
use crate::log::EventLog;
use crate::recorder::Recorder;
use crate::registry::{Interfaces, Registry, RegistryConfig, RegistryContext};
use crate::repository::Repository;
use crate::state_lock::StateLock;
use crate::store::{OpenedStore, Postgres, Retention, Sample, Sqlite, Store, StoreError};
use crate::{automation, http, server};

/// Capacity of the queue between the plug tasks and the recorder, in readings; the recorder keeps many more while the disk is slow.
const SAMPLE_QUEUE_LENGTH: usize = 16_384;
/// Time limit for stopping the tasks that serve requests and contact plugs; with [`WRITE_TIMEOUT`] less than the five seconds that
/// a stop may take.
const STOP_TIMEOUT: Duration = Duration::from_millis(2_000);
/// Time limit for stopping the tasks that write history.
const WRITE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// A running hub.
#[derive(Debug, Clone)]
pub struct HubReady {
    /// Its address, e.g. `http://127.0.0.1:8480`.
    pub url: String,
    /// Link that logs in one browser, once.
    pub login_url: String,
}

/// Runs a hub with its guests until it is cancelled. `names` come from the inventory of the command line.
///
/// # Errors
///
/// [`RequestError`] if it cannot start: `local` for an address or directory in use or not permitted, `usage` for invalid settings,
/// `unavailable` for an unusable database.
pub async fn run(
    config: Config,
    names: HashMap<Mac, String>,
    guests: Vec<Arc<dyn Guest>>,
    on_ready: impl FnOnce(HubReady),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let lock = StateLock::acquire(&config.state)?;
    let tls = match config.tls.clone() {
        // A file can be a FIFO, which must not hold up the signals that end the program.
        Some(files) => Some(tokio::task::spawn_blocking(move || server::acceptor(&files)).await),
        None => None,
    };
    let ended = |_| RequestError::unavailable("the hub is about to end");
    let tls = tls.transpose().map_err(ended)?.transpose()?;
    let (listener, address) = listen(config.listen).await?;
    let store = open_store(&config).await?;
    let outcome = with_store(
        config,
        names,
        store.clone(),
        HttpListener {
            lock: &lock,
            listener,
            address,
            tls,
        },
        guests,
        on_ready,
        shutdown,
    )
    .await;
    store.close().await;
    // Only now another hub can use the directory.
    drop(lock);
    outcome
}

/// Stores the password for browsers while no hub runs: one that other computers can reach does not start without.
///
/// # Errors
///
/// [`RequestError`] as for [`run`]; `usage` for a password that is too short or too long.
pub async fn keep_password(
    config: &Config,
    password: &str,
    scope: Scope,
) -> Result<(), RequestError> {
    let _lock = StateLock::acquire(&config.state)?;
    let store = open_store(config).await?;
    let kept = auth::set_password(&*store, Credential::new(password), scope).await;
    store.close().await;
    kept
}

/// The listening socket and its settings.
struct HttpListener<'a> {
    lock: &'a StateLock,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

async fn with_store(
    config: Config,
    names: HashMap<Mac, String>,
    store: Arc<dyn Store>,
    listening: HttpListener<'_>,
    guests: Vec<Arc<dyn Guest>>,
    on_ready: impl FnOnce(HubReady),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let log = EventLog::load(store.clone()).await;
    let log = log.map_err(|error| unreadable(&error))?;
    let bus = EventBus::with_log(log.clone());
    auth::replace_lost_password(&*store, listening.address, &config.web).await?;
    let auth = AccessControl::load(
        store.clone(),
        &config,
        listening.address,
        guests.clone(),
        bus.clone(),
    )
    .await?;
    let work = TaskGroup::new();
    let writing = TaskGroup::new();
    let (samples, waiting) = mpsc::channel(SAMPLE_QUEUE_LENGTH);
    writing
        .tracker
        .spawn(log.clone().run(writing.cancel.clone()));
    bus.log(LogEntry::new(plugs::now(), LogKind::Hub, "the hub started"));
    work.tracker.spawn(report_damage(
        store.clone(),
        bus.clone(),
        work.cancel.clone(),
    ));
    let recorder = Recorder::start(
        store.clone(),
        waiting,
        writing.cancel.clone(),
        &writing.tracker,
    );
    let parts = (bus.clone(), log, recorder);
    let started = assemble(config, names, store, samples, parts, guests, &work).await;
    let result = match started {
        Ok(hub) => serve(hub, auth, listening, &work, on_ready, shutdown).await,
        Err(error) => Err(error),
    };
    work.end(STOP_TIMEOUT, "the tasks that serve and keep contact")
        .await;
    bus.log(LogEntry::new(plugs::now(), LogKind::Hub, "the hub ended"));
    writing
        .end(WRITE_TIMEOUT, "the tasks that write history")
        .await;
    result
}

/// Logs damage of the database as it is found.
async fn report_damage(store: Arc<dyn Store>, bus: EventBus, cancel: CancellationToken) {
    while let Some(damage) = cancel.run_until_cancelled(store.next_damage()).await {
        bus.problem("database", None, false, damage.sentence());
    }
}

/// Serves requests until the hub stops.
async fn serve(
    hub: Hub,
    auth: AccessControl,
    listening: HttpListener<'_>,
    work: &TaskGroup,
    on_ready: impl FnOnce(HubReady),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let url = auth.url().to_owned();
    let login_url = auth.login_url()?;
    let address = auth::own_address(listening.address);
    listening.lock.announce(&url, address);
    work.tracker.spawn(automation::run(hub.clone()));
    work.tracker.spawn(auth.clone().run(work.cancel.clone()));
    if let Some(config) = hub.config().backup.clone() {
        let (backups, store) = (hub.backups().clone(), hub.store().clone());
        let (bus, cancel) = (hub.bus().clone(), work.cancel.clone());
        work.tracker.spawn(backups.run(store, config, bus, cancel));
    }
    let mut router = http::router(hub.clone());
    for guest in hub.guests() {
        router = router.merge(guest.router(&hub));
        let cancel = work.cancel.clone();
        work.tracker
            .spawn(Arc::clone(guest).run(hub.clone(), cancel));
    }
    let router = auth::protect(router, auth);
    let serving = server::serve(
        listening.listener,
        router,
        listening.tls,
        work.cancel.clone(),
    );
    work.tracker.spawn(serving);
    tracing::info!("serving at {url}");
    on_ready(HubReady { url, login_url });
    shutdown.cancelled().await;
    tracing::info!("ending");
    Ok(())
}

async fn assemble(
    config: Config,
    names: HashMap<Mac, String>,
    store: Arc<dyn Store>,
    samples: mpsc::Sender<Sample>,
    (bus, log, recorder): (EventBus, EventLog, Recorder),
    guests: Vec<Arc<dyn Guest>>,
    work: &TaskGroup,
) -> Result<Hub, RequestError> {
    let records = store.plugs().await.map_err(|error| unreadable(&error))?;
    let energy = store.energy().await.map_err(|error| unreadable(&error))?;
    let groups = load(&store).await?;
    let schedules = load(&store).await?;
    let rules = load(&store).await?;
    let tariffs = load(&store).await?;
    let problems = recorder
        .clone()
        .publish_problems(bus.clone(), work.cancel.clone());
    work.tracker.spawn(problems);
    let (cancel, tracker) = (work.cancel.clone(), work.tracker.clone());
    let bridges = HueBridges::new(&config, bus.clone(), cancel, tracker);
    let registry_config = RegistryConfig {
        interfaces: Interfaces::Named(config.interfaces.clone()),
        families: plugs::families::all(),
        adopt: config.adopt,
        adopts_named: true,
        metering: config.metering,
        scan: config.scan,
        names,
    };
    let surroundings = RegistryContext {
        bus: bus.clone(),
        samples,
        store: store.clone(),
        settings: store.clone(),
        cancel: work.cancel.clone(),
        tracker: work.tracker.clone(),
    };
    let registry = Registry::start(registry_config, records, energy, surroundings).await?;
    registry.learn_words(&config.state);
    Ok(Hub::new(Parts {
        config,
        store,
        bus,
        log,
        registry,
        recorder,
        groups,
        schedules,
        rules,
        tariffs,
        bridges,
        guests,
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
        RequestError::new(
            ErrorKind::Local,
            format!("cannot listen on {address}: {error}"),
        )
    })?;
    Ok((listener, taken))
}

/// Opens the database. One of a newer version is an error, because this version must not write it.
async fn open_store(config: &Config) -> Result<Arc<dyn Store>, RequestError> {
    let retention = Retention {
        readings: config.keep_readings,
        minutes: config.keep_minutes,
    };
    if let Some(postgres) = &config.postgres {
        let opened = Postgres::open(postgres.clone(), retention).await;
        return Ok(Arc::new(
            opened.map_err(|error| cannot_open(config, &error))?,
        ));
    }
    Ok(Arc::new(open_file(config, retention).await?))
}

/// Opens the file. A damaged one is replaced.
async fn open_file(config: &Config, retention: Retention) -> Result<Sqlite, RequestError> {
    let path = &config.database;
    let length = path.metadata().map_or(0, |metadata| metadata.len());
    let is_lost = length == 0 && api::running::admin_token(&config.state).exists();
    if is_lost {
        tracing::error!(
            "the database {} is missing or empty, though a hub ran here before; a new one is used; `mains hub restore` puts a \
             backup in its place",
            path.display()
        );
    }
    let OpenedStore {
        store,
        set_aside,
        read_only,
    } = Sqlite::open(path, retention)
        .await
        .map_err(|error| cannot_open(config, &error))?;
    if is_lost {
        store.note_damage(DatabaseDamage {
            found: plugs::now(),
            problem: "missing or empty, though a hub ran here before".to_owned(),
            kept_as: None,
            lost: Vec::new(),
        });
    }
    if let Some(old) = set_aside {
        tracing::error!(
            "the database {} was damaged; it is kept as {}, and a new one is used",
            path.display(),
            old.display()
        );
    }
    if read_only {
        tracing::error!(
            "the database {} is read-only: nothing is recorded and nothing can be edited; switching continues",
            path.display()
        );
    }
    Ok(store)
}

fn cannot_open(config: &Config, error: &StoreError) -> RequestError {
    let hint = match error {
        StoreError::Newer { .. } => {
            "run that version of Mains again, or set `database` to another one"
        }
        _ if config.postgres.is_some() => {
            "check that the server runs, and `database`, `database_password_file` and `database_ca_file` under `[hub]` in mains.toml"
        }
        _ => {
            "check that the directory exists and is writable; `database` under `[hub]` in mains.toml names the file"
        }
    };
    RequestError::unavailable(ErrorChain(error).to_string()).hint(hint)
}

/// Returns an error with the whole chain of causes, which is safe because it is not sent over the network here.
fn unreadable(error: &StoreError) -> RequestError {
    RequestError::unavailable(ErrorChain(error).to_string())
}

/// Tasks that end together.
#[derive(Debug)]
struct TaskGroup {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl TaskGroup {
    fn new() -> Self {
        Self {
            cancel: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }

    async fn end(&self, limit: Duration, name: &str) {
        self.cancel.cancel();
        self.tracker.close();
        if timeout(limit, self.tracker.wait()).await.is_err() {
            let left = self.tracker.len();
            tracing::error!("{name} did not end within {limit:?}; {left} of them are aborted");
        }
    }
}
