//! Assembles a hub, runs it, and stops it in order.
//!
//! Errors of the state directory, database and address occur here, before the hub is announced. On stopping, the tasks that produce
//! events end first, then their readings are written, then the database is closed.

mod role;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use api::{DatabaseDamage, ErrorChain, ErrorKind, HubRole, RequestError, Scope, SiteName};
use hiflying::Mac;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::assemble::unreadable;
use crate::auth::{self, Credential};
use crate::config::Config;
use crate::context::{RunContext, TaskGroup};
use crate::guest::Guest;
use crate::lease::{Lease, LeaseTask, Standing};
use crate::recorder::Recorder;
use crate::server;
use crate::sites;
use crate::state_lock::StateLock;
use crate::store::{OpenedStore, Postgres, Retention, Spool, Sqlite, Store, StoreError};
use role::{Role, RoleRouter, STOP_TIMEOUT, WRITE_TIMEOUT, WRITERS};

pub use crate::context::HubReady;

/// Capacity of the queue between the plug tasks and the recorder, in readings; the recorder keeps many more while the disk is slow.
const SAMPLE_QUEUE_LENGTH: usize = 16_384;
/// Name of the file in the state directory in which readings wait for a database elsewhere.
const SPOOL_FILE: &str = "spool.sqlite";
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
    check_password(&config, address).await?;
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
    sites: Option<Vec<SiteName>>,
) -> Result<(), RequestError> {
    let _lock = StateLock::acquire(&config.state)?;
    let store = open_store(config).await?;
    let kept = async {
        if let Some(sites) = &sites {
            auth::check_known_sites(&*store, &config.site, sites, |_| true).await?;
        }
        auth::set_password(&*store, Credential::new(password), scope, sites).await
    };
    let kept = kept.await;
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
    auth::replace_lost_password(&*store, listening.address, &config.web).await?;
    let certificate = fingerprint(&config).await?;
    let url = reachable_url(&*store, listening.address, certificate.is_some()).await?;
    let joined = LeaseTask::join(&store, &config.state, url, certificate).await;
    let (lease, keeping) = joined.map_err(|error| unreadable(&error))?;
    tell_active(&lease, &config.site);
    let writing = TaskGroup::new();
    let (samples, waiting) = mpsc::channel(SAMPLE_QUEUE_LENGTH);
    let recorder = Recorder::start(
        store.clone(),
        waiting,
        open_spool(&config).await,
        writing.cancel.clone(),
        &writing.tracker,
    );
    let sharing = TaskGroup::new();
    if let Some(keeping) = keeping {
        sharing.tracker.spawn(keeping.run(sharing.cancel.clone()));
    }
    let context = RunContext {
        address: listening.address,
        config,
        names,
        store,
        guests,
        recorder,
        samples,
        lease,
    };
    let result = run_roles(&context, listening, &writing, on_ready, shutdown).await;
    // What the hub has written last is under its lease.
    sharing.end(STOP_TIMEOUT, "the tasks of the lease").await;
    result
}

/// Acts and waits by turns, as the lease has it, until the hub ends.
async fn run_roles(
    context: &RunContext,
    listening: HttpListener<'_>,
    writing: &TaskGroup,
    on_ready: impl FnOnce(HubReady),
    shutdown: CancellationToken,
) -> Result<(), RequestError> {
    let lease = &context.lease;
    let serving = TaskGroup::new();
    let router = RoleRouter::default();
    let mut first = Some((listening, on_ready));
    let mut changes = lease.changes();
    loop {
        let Standing { role, number, .. } = lease.standing();
        let running = match Role::begin(context, role, number, first.is_some()).await {
            Ok(running) => running,
            Err(error) if first.is_some() => {
                writing.end(WRITE_TIMEOUT, WRITERS).await;
                return Err(error);
            }
            Err(error) => {
                tracing::error!(error = error.message(), "this hub cannot begin to act");
                lease.resign();
                continue;
            }
        };
        router.set(Some(running.router.clone()));
        if let Some((listening, on_ready)) = first.take() {
            let ready = running.ready.clone();
            let own_address = auth::own_address(listening.address);
            listening.lock.announce(&ready.url, own_address);
            serving.tracker.spawn(server::serve(
                listening.listener,
                router.clone().into_router(),
                listening.tls,
                serving.cancel.clone(),
            ));
            tracing::info!("serving at {}", ready.url);
            on_ready(ready);
        }
        let is_over = tokio::select! {
            () = shutdown.cancelled() => true,
            _ = changes.wait_for(|standing| (standing.role, standing.number) != (role, number)) => false,
        };
        if is_over {
            tracing::info!("ending");
            serving.cancel.cancel();
            tokio::join!(
                serving.end(STOP_TIMEOUT, "the tasks that serve"),
                running.end(Some(writing))
            );
            return Ok(());
        }
        // Until the other role serves, nothing does.
        router.set(None);
        running.end(None).await;
    }
}

/// Returns the URL at which other machines reach a listener: at its own address, or the one from which the database sees this machine.
async fn reachable_url(
    store: &dyn Store,
    mut listening: SocketAddr,
    is_tls: bool,
) -> Result<String, RequestError> {
    if let Some(shared) = store.shared()
        && listening.ip().is_unspecified()
    {
        let seen = shared.own_address().await;
        match seen.map_err(|error| unreadable(&error))? {
            Some(seen) => listening.set_ip(seen.to_canonical()),
            None => listening = auth::own_address(listening),
        }
    }
    let scheme = if is_tls { "https" } else { "http" };
    Ok(format!("{scheme}://{listening}"))
}

/// Returns the SHA-256 of the certificate that the hub serves, in hex.
async fn fingerprint(config: &Config) -> Result<Option<String>, RequestError> {
    let Some(files) = config.tls.clone() else {
        return Ok(None);
    };
    let reading = tokio::task::spawn_blocking(move || server::fingerprint(&files));
    let ended = |_| RequestError::unavailable("the hub is about to end");
    reading.await.map_err(ended)?.map(Some)
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

/// Checks that a hub which other machines reach has a password, before anything is written to a database that others use as well.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at `listen`.
async fn check_password(config: &Config, listening: SocketAddr) -> Result<(), RequestError> {
    let checked = auth::check_listen(listening, config.web.logs_users_in());
    let (Some(postgres), Err(_)) = (&config.postgres, &checked) else {
        // A file is opened before, which tells whether the password was lost with it.
        return Ok(());
    };
    match Postgres::inspect(postgres, auth::PASSWORD_SETTING).await {
        Ok(None) => checked,
        // What cannot be read is told when the database is opened.
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Logs which hub is the active one, if it is another one: two homes can have the same name for their site by mistake.
fn tell_active(lease: &Lease, site: &SiteName) {
    if let (HubRole::Standby, Some(active)) = (lease.role(), lease.active_hub()) {
        tracing::info!(
            "this hub is on standby for {}: hub {} at {} is the active one; a hub of another home needs another `site` under [hub]",
            sites::title(site),
            active.id,
            active.url
        );
    }
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

/// Opens the file in which readings wait for a database elsewhere.
async fn open_spool(config: &Config) -> Option<Arc<Spool>> {
    if config.postgres.is_none() || config.spool == 0 {
        return None;
    }
    let path = config.state.join(SPOOL_FILE);
    Some(Arc::new(Spool::open(path, config.spool).await))
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
    let hint = match (error, error.refusal_hint()) {
        (_, Some(hint)) => hint,
        (StoreError::Newer { .. }, _) => {
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
