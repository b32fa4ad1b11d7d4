//! Assembles the handle of a hub from what the database holds.

use std::sync::Arc;

use api::{ErrorChain, RequestError};
use axum::Router;

use crate::auth::AccessControl;
use crate::automation::run_state;
use crate::bridges::HueBridges;
use crate::context::{RunContext, TaskGroup};
use crate::event::EventBus;
use crate::http;
use crate::hub::{Hub, Parts};
use crate::log::EventLog;
use crate::registry::{Interfaces, Registry, RegistryConfig, RegistryContext};
use crate::repository::Repository;
use crate::store::{Store, StoreError};

/// Returns the paths of the API and of the guests, without access control.
pub(crate) fn routes(hub: &Hub) -> Router {
    let guests = hub.guests().iter();
    guests.fold(http::router(hub.clone()), |router, guest| {
        router.merge(guest.router(hub))
    })
}

/// Reads the log and the access control of a hub. One that does not act logs nothing: that is for the active hub to log.
pub(crate) async fn load_surroundings(
    context: &RunContext,
    acts: bool,
) -> Result<(EventBus, EventLog, AccessControl), RequestError> {
    let log = EventLog::load(context.store.clone()).await;
    let log = log.map_err(|error| unreadable(&error))?;
    let bus = match acts {
        true => EventBus::with_log(log.clone()),
        false => EventBus::new(),
    };
    let auth = AccessControl::load(
        context.store.clone(),
        &context.config,
        context.address,
        context.guests.clone(),
        bus.clone(),
        context.lease.clone(),
    )
    .await?;
    Ok((bus, log, auth))
}

/// Makes the handle of a hub; one without contact only shows what is stored.
pub(crate) async fn assemble(
    context: &RunContext,
    (bus, log): (EventBus, EventLog),
    work: &TaskGroup,
    has_contact: bool,
) -> Result<Hub, RequestError> {
    let (config, store) = (context.config.clone(), context.store.clone());
    let recorder = context.recorder.clone();
    let records = store.plugs().await.map_err(|error| unreadable(&error))?;
    let energy = store.energy().await.map_err(|error| unreadable(&error))?;
    let energy = recorder.latest_totals(energy).await;
    let groups = load(&store).await?;
    let schedules = Repository::load_with(store.clone(), run_state::begun).await;
    let schedules = schedules.map_err(|error| unreadable(&error))?;
    let rules = load(&store).await?;
    let tariffs = load(&store).await?;
    if has_contact {
        let problems = recorder
            .clone()
            .publish_problems(bus.clone(), work.cancel.clone());
        work.tracker.spawn(problems);
    }
    let (cancel, tracker) = (work.cancel.clone(), work.tracker.clone());
    let bridges = HueBridges::new(&config, bus.clone(), cancel, tracker);
    let interfaces = match has_contact {
        true => Interfaces::Named(config.interfaces.clone()),
        false => Interfaces::None,
    };
    let registry_config = RegistryConfig {
        interfaces,
        families: plugs::families::all(),
        adopt: config.adopt,
        adopts_named: true,
        metering: config.metering,
        scan: config.scan,
        names: context.names.clone(),
    };
    let surroundings = RegistryContext {
        bus: bus.clone(),
        samples: context.samples.clone(),
        store: store.clone(),
        settings: store.clone(),
        permit: Arc::new(context.lease.clone()),
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
        guests: context.guests.clone(),
        lease: context.lease.clone(),
        cancel: work.cancel.clone(),
    }))
}

async fn load<T: api::Document>(store: &Arc<dyn Store>) -> Result<Repository<T>, RequestError> {
    let repository = Repository::load(store.clone()).await;
    repository.map_err(|error| unreadable(&error))
}

/// Returns an error with the whole chain of causes, which is safe because it is not sent over the network here.
pub(crate) fn unreadable(error: &StoreError) -> RequestError {
    RequestError::unavailable(ErrorChain(error).to_string())
}
