//! The content of the database, as a hub without contact to plugs shows it.

use std::time::{Duration, Instant};

use api::RequestError;
use axum::Router;

use crate::assemble::{assemble, load_surroundings, routes, unreadable};
use crate::auth::{self, AccessControl};
use crate::context::{HubReady, RunContext, TaskGroup};

/// Age at which it is read again, also without news of a change.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The content of the database when it was read. Streams of events end with it.
#[derive(Debug)]
pub(super) struct Follower {
    router: Router,
    auth: AccessControl,
    read: Instant,
    work: TaskGroup,
}

impl Follower {
    /// Reads the database.
    pub(super) async fn read(context: &RunContext) -> Result<Self, RequestError> {
        let read = Instant::now();
        let (bus, log, auth) = load_surroundings(context, false).await?;
        let work = TaskGroup::new();
        let hub = assemble(context, (bus, log), &work, false).await?;
        let readings = context.store.last_readings().await;
        let readings = readings.map_err(|error| unreadable(&error))?;
        hub.registry().recall(readings);
        Ok(Self {
            router: auth::protect(routes(&hub), auth.clone()),
            auth,
            read,
            work,
        })
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.read.elapsed() < MAX_AGE
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(super) async fn ready(&self) -> Result<HubReady, RequestError> {
        Ok(HubReady {
            url: self.auth.url().to_owned(),
            login_url: self.auth.shared_login_url().await?,
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.work.cancel.cancel();
    }
}
