//! A role of a hub: the parts that act, or those that wait.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::{HubRole, LogEntry, LogKind, RequestError};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::assemble::{assemble, load_surroundings, routes, unreadable};
use crate::auth::{self, AccessControl};
use crate::automation;
use crate::context::{HubReady, RunContext, TaskGroup};
use crate::event::EventBus;
use crate::http;
use crate::http::problem::Problem;
use crate::hub::Hub;
use crate::lease::{self, Lease, watch_as_active, watch_as_standby};
use crate::registry::Interfaces;
use crate::standby::{NOT_ACTIVE, StandbyHub};
use crate::store::Store;

/// Time limit for stopping the tasks that serve requests and contact plugs; with [`WRITE_TIMEOUT`] less than the five seconds that
/// a stop may take.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_millis(2_000);
/// Time limit for stopping the tasks that write history.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Name of these tasks.
pub(super) const WRITERS: &str = "the tasks that write history";

/// The router of the present role; none while it changes.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleRouter(Arc<RwLock<Option<Router>>>);

impl RoleRouter {
    pub(super) fn set(&self, router: Option<Router>) {
        // Nothing panics under this lock.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router;
    }

    /// Returns the router that is served all the time.
    pub(super) fn into_router(self) -> Router {
        Router::new().fallback(move |request: Request| {
            let router = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let router = router.clone();
            async move { serve(router, request).await }
        })
    }
}

async fn serve(router: Option<Router>, request: Request) -> Response {
    let Some(router) = router else {
        if request.uri().path() == http::HEALTH_PATH {
            return http::health().await.into_response();
        }
        let error =
            RequestError::unavailable("this hub changes its role").hint("try again in a second");
        let problem = Problem::from(error)
            .header(header::RETRY_AFTER, HeaderValue::from(1))
            .header(NOT_ACTIVE, HeaderValue::from_static("1"));
        return problem.into_response();
    };
    router.oneshot(request).await.into_response()
}

/// A role in progress.
pub(super) struct Role {
    pub(super) router: Router,
    pub(super) ready: HubReady,
    /// Tasks that serve and keep contact.
    work: TaskGroup,
    /// The bus of an active hub, and the task that writes its log.
    acting: Option<(EventBus, TaskGroup)>,
}

impl Role {
    /// Begins a role, under the lease with this number; the first one of a program tells its URL, or that it cannot be used.
    pub(super) async fn begin(
        context: &RunContext,
        role: HubRole,
        number: Option<u64>,
        is_first: bool,
    ) -> Result<Self, RequestError> {
        if let Some(shared) = context.store.shared() {
            let fenced = shared.fence(number);
            fenced.map_err(|error| unreadable(&error))?;
        }
        match role {
            HubRole::Active => Self::act(context).await,
            HubRole::Standby => Self::wait(context, is_first).await,
        }
    }

    async fn act(context: &RunContext) -> Result<Self, RequestError> {
        let (store, lease) = (&context.store, &context.lease);
        let (bus, log, auth) = load_surroundings(context, true).await?;
        let (work, logging) = (TaskGroup::new(), TaskGroup::new());
        logging
            .tracker
            .spawn(log.clone().run(logging.cancel.clone()));
        bus.log(LogEntry::new(plugs::now(), LogKind::Hub, beginning(lease)));
        work.tracker.spawn(report_damage(
            store.clone(),
            bus.clone(),
            work.cancel.clone(),
        ));
        let acting = Some((bus.clone(), logging));
        let begun = async {
            let hub = assemble(context, (bus, log), &work, true).await?;
            let ready = HubReady {
                url: auth.url().to_owned(),
                login_url: auth.shared_login_url().await?,
            };
            Ok::<_, RequestError>((hub, ready))
        };
        let (hub, ready) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                let router = Router::new();
                let ready = HubReady::default();
                Self {
                    router,
                    ready,
                    work,
                    acting,
                }
                .end(None)
                .await;
                return Err(error);
            }
        };
        let router = start(&hub, auth, &work);
        Ok(Self {
            router,
            ready,
            work,
            acting,
        })
    }

    async fn wait(context: &RunContext, is_first: bool) -> Result<Self, RequestError> {
        let work = TaskGroup::new();
        let (lease, store) = (&context.lease, &context.store);
        let standby = StandbyHub::new(context.clone())?;
        let (interfaces, cancel) = (context.config.interfaces.clone(), work.cancel.clone());
        let (watched, kept) = (lease.clone(), store.clone());
        work.tracker.spawn(async move {
            let interfaces = Interfaces::Named(interfaces);
            watch_as_standby(watched, interfaces, &*kept, cancel).await;
        });
        let told = standby.clone();
        work.tracker.spawn(lease::listen(
            store.clone(),
            lease.clone(),
            move |_| told.changed(),
            work.cancel.clone(),
        ));
        let ready = match is_first {
            true => standby.ready().await?,
            // A database that is away keeps nobody from passing requests on.
            false => HubReady::default(),
        };
        Ok(Self {
            router: standby.router(work.cancel.clone()),
            ready,
            work,
            acting: None,
        })
    }

    /// Ends the role; with the whole hub what it has recorded is written as well.
    pub(super) async fn end(self, writing: Option<&TaskGroup>) {
        self.work
            .end(STOP_TIMEOUT, "the tasks that serve and keep contact")
            .await;
        let logged = async {
            let Some((bus, logging)) = self.acting else {
                return;
            };
            bus.log(LogEntry::new(plugs::now(), LogKind::Hub, "the hub ended"));
            logging
                .end(WRITE_TIMEOUT, "the task that writes the log")
                .await;
        };
        let written = async {
            if let Some(writing) = writing {
                writing.end(WRITE_TIMEOUT, WRITERS).await;
            }
        };
        tokio::join!(logged, written);
    }
}

/// Returns the entry of the log about the beginning of a role.
fn beginning(lease: &Lease) -> String {
    match lease.standing().number {
        None => "the hub started".to_owned(),
        Some(number) => format!(
            "the hub {} became the active one (lease {number})",
            lease.hub()
        ),
    }
}

/// Starts what acts by itself, and returns what is served.
fn start(hub: &Hub, auth: AccessControl, work: &TaskGroup) -> Router {
    work.tracker.spawn(automation::run(hub.clone()));
    let sites = hub.sites().clone();
    work.tracker
        .spawn(sites.run(hub.clone(), work.cancel.clone()));
    work.tracker.spawn(auth.clone().run(work.cancel.clone()));
    if let Some(config) = hub.config().backup.clone() {
        let (backups, store) = (hub.backups().clone(), hub.store().clone());
        let (bus, cancel) = (hub.bus().clone(), work.cancel.clone());
        work.tracker.spawn(backups.run(store, config, bus, cancel));
    }
    if hub.lease().standing().number.is_some() {
        let (lease, registry) = (hub.lease().clone(), hub.registry().clone());
        work.tracker.spawn(watch_as_active(
            lease.clone(),
            registry,
            work.cancel.clone(),
        ));
        let (store, cancel) = (hub.store().clone(), work.cancel.clone());
        work.tracker
            .spawn(lease::listen(store, lease, |_| (), cancel));
    }
    for guest in hub.guests() {
        let cancel = work.cancel.clone();
        work.tracker
            .spawn(Arc::clone(guest).run(hub.clone(), cancel));
    }
    auth::protect(routes(hub), auth)
}

/// Logs damage of the database as it is found.
async fn report_damage(
    store: Arc<dyn Store>,
    bus: EventBus,
    cancel: tokio_util::sync::CancellationToken,
) {
    while let Some(damage) = cancel.run_until_cancelled(store.next_damage()).await {
        bus.problem("database", None, false, damage.sentence());
    }
}
