//! The names that plugs themselves store: read once, as part of finding a plug.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use hiflying::Mac;
use tokio::time::{Instant, sleep_until};

use super::{DiscoverEvent, Lan, end_of};
use crate::{Capability, Plug};

/// Maximum time for reading a name.
const LABEL_TIMEOUT: Duration = Duration::from_secs(2);

impl Lan {
    /// Returns the plug with the name that it stores, if it stores one and it can be read within `budget`.
    pub async fn labelled(&self, plug: Plug, budget: Duration) -> Plug {
        if !self.families.can(plug.family, Capability::Label) {
            return plug;
        }
        let label = self.plug(plug.clone()).label(budget).await;
        if let Err(error) = &label {
            tracing::debug!(plug = %plug.mac, %error, "its name cannot be read");
        }
        Plug {
            extra: label.ok().flatten().or(plug.extra),
            ..plug
        }
    }
}

/// Adds to the events of a search the names that plugs store. A plug is reported as soon as it is found, and again with its name.
pub(super) struct LabelledSearch {
    lan: Lan,
    events: BoxStream<'static, DiscoverEvent>,
    labels: HashMap<Mac, String>,
    /// The latest report of each plug whose name is being read.
    unlabelled: HashMap<Mac, Plug>,
    /// The plugs whose name was read, or cannot be.
    tried: HashSet<Mac>,
    reading: FuturesUnordered<BoxFuture<'static, Plug>>,
    /// The end of the search, while names are being read.
    done: Option<DiscoverEvent>,
    /// Time at which the search must be over.
    end: Instant,
}

impl LabelledSearch {
    /// Makes a search that is over after `wait`, whatever has not been read by then.
    pub(super) fn new(
        lan: Lan,
        events: BoxStream<'static, DiscoverEvent>,
        wait: Option<Duration>,
    ) -> Self {
        Self {
            lan,
            events,
            labels: HashMap::new(),
            unlabelled: HashMap::new(),
            tried: HashSet::new(),
            reading: FuturesUnordered::new(),
            done: None,
            end: end_of(wait.unwrap_or(Duration::MAX)),
        }
    }

    pub(super) async fn next(&mut self) -> Option<DiscoverEvent> {
        loop {
            if self.reading.is_empty() && self.done.is_some() {
                return self.done.take();
            }
            tokio::select! {
                biased;
                event = self.events.next(), if self.done.is_none() => match event? {
                    DiscoverEvent::Found(plug) => return Some(DiscoverEvent::Found(self.found(plug))),
                    DiscoverEvent::Updated(plug) => return Some(DiscoverEvent::Updated(self.found(plug))),
                    DiscoverEvent::Lost(plug) => {
                        // The name can be read when it is back.
                        self.tried.remove(&plug.mac);
                        return Some(DiscoverEvent::Lost(self.labelled(plug)));
                    }
                    done @ DiscoverEvent::Done(_) => self.done = Some(done),
                },
                () = sleep_until(self.end), if self.done.is_some() => return self.done.take(),
                Some(plug) = self.reading.next() => {
                    let latest = self.unlabelled.remove(&plug.mac);
                    if let (Some(latest), Some(label)) = (latest, plug.extra) {
                        self.labels.insert(plug.mac, label);
                        return Some(DiscoverEvent::Updated(self.labelled(latest)));
                    }
                }
            }
        }
    }

    /// Begins to read the name of a plug that was heard, unless that was tried before.
    fn found(&mut self, plug: Plug) -> Plug {
        let can = self.lan.families.can(plug.family, Capability::Label);
        if can && self.tried.insert(plug.mac) {
            let (lan, plug) = (self.lan.clone(), plug.clone());
            let reading = async move { lan.labelled(plug, LABEL_TIMEOUT).await };
            self.reading.push(reading.boxed());
        }
        let plug = self.labelled(plug);
        if can && plug.extra.is_none() {
            self.unlabelled.insert(plug.mac, plug.clone());
        }
        plug
    }

    fn labelled(&self, plug: Plug) -> Plug {
        Plug {
            extra: self.labels.get(&plug.mac).cloned().or(plug.extra),
            ..plug
        }
    }
}
