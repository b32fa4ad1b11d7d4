//! Searching for lights: the bridge opens its network for about forty seconds and lists the lights that join.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::client::{BridgeClient, lights};
use crate::error::{HueError, HueNoReplyReason};
use crate::lights::{Light, MAX_LIGHTS, NewLight};
use crate::operator::{FlowProgress, Operator};
use crate::request::{HueRequest, Method};
use crate::serial::BulbSerial;
use crate::transport::HueTransport;

/// Interval between two polls of a search.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum duration of a search: the network is open for 40 s, and reading the properties of new bulbs can take longer.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Duration of a search by the oldest firmware, which may not report its end.
const UNREPORTED_SEARCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Time during which the bridge may still report the end of the previous search.
const START_TIMEOUT: Duration = Duration::from_secs(6);
/// Maximum number of failed polls in a row.
const MAX_FAILED_POLLS: u32 = 3;
/// Maximum number of serial numbers in one request.
const MAX_SERIALS: usize = 10;

/// Result of [`search`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SearchResult {
    /// The bridge.
    pub bridge: String,
    /// The lights that it did not have before.
    pub new_lights: Vec<NewLight>,
}

/// Searches for lights until the bridge has finished. Serial numbers also bring in bulbs that belong to another bridge.
///
/// # Errors
///
/// As [`lights()`]; the bridge's refusal. Finding nothing is not an error.
pub async fn search<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
    serials: &[BulbSerial],
) -> Result<SearchResult, HueError> {
    let mut search = LightSearch::begin(bridge, operator).await?;
    let mut new_lights = Vec::new();
    if serials.is_empty() {
        new_lights = search.run(&[], |_| false).await?;
    }
    for serials in serials.chunks(MAX_SERIALS) {
        let found = search.run(serials, |_| false).await?;
        search.add_known(&found);
        new_lights.extend(found);
    }
    Ok(SearchResult {
        bridge: bridge.name.clone(),
        new_lights: new_lights.into_iter().map(NewLight::from).collect(),
    })
}

/// Waits for a search that another program started. Returns whether it has finished.
pub(super) async fn wait_until_idle<T: HueTransport, O: Operator>(
    bridge: &BridgeClient<'_, T>,
    operator: &O,
) -> Result<bool, HueError> {
    let begin = bridge.transport.now();
    let mut is_reported = false;
    while SearchStatus::read(bridge).await?.is_active() {
        if bridge.transport.now().duration_since(begin) >= SEARCH_TIMEOUT {
            return Ok(false);
        }
        if !std::mem::replace(&mut is_reported, true) {
            operator.report(FlowProgress::WaitingForSearch(bridge.name.clone()));
        }
        bridge.transport.sleep(POLL_INTERVAL).await;
    }
    Ok(true)
}

/// Starts a search. Starting it again while it runs only prolongs it.
pub(super) async fn start<T: HueTransport>(
    bridge: &BridgeClient<'_, T>,
    serials: &[BulbSerial],
) -> Result<(), HueError> {
    let body = match serials {
        [] => json!({}),
        serials => json!({ "deviceid": serials }),
    };
    let request = HueRequest::keyed(Method::Post, "/lights").with(&body);
    match bridge.change(&request).await {
        // The request may have arrived although the reply was lost; the status shows whether it has.
        Err(HueError::NoReply {
            at,
            reason: reason @ (HueNoReplyReason::TimedOut | HueNoReplyReason::Closed),
        }) => match SearchStatus::read(bridge).await {
            Ok(status) if status.is_active() => Ok(()),
            _ => Err(HueError::NoReply { at, reason }),
        },
        result => result.map(drop),
    }
}

/// The status of a search as the bridge reports it.
struct SearchStatus {
    /// The numbers of the lights found.
    ids: BTreeSet<String>,
    /// `active`, `none`, or the time when the last search ended.
    last: Option<String>,
}

impl SearchStatus {
    async fn read<T: HueTransport>(bridge: &BridgeClient<'_, T>) -> Result<Self, HueError> {
        Ok(Self::parse(&bridge.get("/lights/new").await?))
    }

    fn parse(json: &Map<String, Value>) -> Self {
        let is_light = |(id, light): &(&String, &Value)| *id != "lastscan" && light.is_object();
        let ids = json.iter().filter(is_light).map(|(id, _)| id.clone());
        let last = json.get("lastscan").and_then(Value::as_str);
        Self {
            ids: ids.take(MAX_LIGHTS).collect(),
            last: last.map(str::to_owned),
        }
    }

    fn is_active(&self) -> bool {
        self.last.as_deref() == Some("active")
    }
}

/// Searches of one bridge for lights that it did not have before.
pub(super) struct LightSearch<'s, 'b, T, O> {
    bridge: &'s BridgeClient<'b, T>,
    operator: &'s O,
    /// The keys of the lights that are not new.
    known: HashSet<String>,
}

impl<'s, 'b, T: HueTransport, O: Operator> LightSearch<'s, 'b, T, O> {
    /// Waits until no other search runs, and records the lights that are there.
    pub(super) async fn begin(
        bridge: &'s BridgeClient<'b, T>,
        operator: &'s O,
    ) -> Result<Self, HueError> {
        wait_until_idle(bridge, operator).await?;
        let mut search = Self::since(bridge, operator, []);
        search.add_known(&lights(bridge).await?);
        Ok(search)
    }

    /// Continues with the known lights of an earlier run.
    pub(super) fn since(
        bridge: &'s BridgeClient<'b, T>,
        operator: &'s O,
        known: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            bridge,
            operator,
            known: known.into_iter().collect(),
        }
    }

    /// Counts these lights as known from now on.
    fn add_known(&mut self, lights: &[Light]) {
        let keys = lights.iter().map(|light| light.key().to_owned());
        self.known.extend(keys);
    }

    /// Searches until the bridge has finished, or enough lights were found. Returns the new lights: those that were not listed
    /// before, and those that the bridge itself reports as new.
    pub(super) async fn run(
        &self,
        serials: &[BulbSerial],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Vec<Light>, HueError> {
        self.search_once(serials, is_enough, &mut HashSet::new())
            .await
    }

    /// Searches, and a second time if the first found too little.
    pub(super) async fn run_twice(
        &self,
        serials: &[BulbSerial],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Vec<Light>, HueError> {
        let mut reported = HashSet::new();
        let found = self.search_once(serials, &is_enough, &mut reported).await?;
        match is_enough(&found) {
            true => Ok(found),
            false => self.search_once(serials, is_enough, &mut reported).await,
        }
    }

    /// Searches once. `reported` holds the keys of the lights that were reported to the operator.
    async fn search_once(
        &self,
        serials: &[BulbSerial],
        is_enough: impl Fn(&[Light]) -> bool,
        reported: &mut HashSet<String>,
    ) -> Result<Vec<Light>, HueError> {
        let mut run = SearchRun::after(&SearchStatus::read(self.bridge).await?);
        start(self.bridge, serials).await?;
        let begin = self.bridge.transport.now();
        let elapsed = || self.bridge.transport.now().duration_since(begin);
        loop {
            let left = SEARCH_TIMEOUT.saturating_sub(elapsed());
            self.operator.report(FlowProgress::Searching { left });
            self.bridge.transport.sleep(POLL_INTERVAL).await;
            let is_over = run.poll(self.bridge, elapsed()).await?;
            if !is_over && !std::mem::take(&mut run.has_news) {
                continue;
            }
            match self.new_lights(&run.ids, reported).await {
                Ok(found) if is_over || is_enough(&found) => return Ok(found),
                Ok(_) => {}
                // Tried again at the next poll.
                Err(error) if run.tolerates(&error) => run.has_news = true,
                Err(error) => return Err(error),
            }
        }
    }

    async fn new_lights(
        &self,
        ids: &BTreeSet<String>,
        reported: &mut HashSet<String>,
    ) -> Result<Vec<Light>, HueError> {
        let mut lights = lights(self.bridge).await?;
        lights.retain(|light| !self.known.contains(light.key()) || ids.contains(&light.id));
        for light in &lights {
            if reported.insert(light.key().to_owned()) {
                let light = NewLight::from(light.clone());
                self.operator.report(FlowProgress::Found(light));
            }
        }
        Ok(lights)
    }
}

/// The polls of one search.
struct SearchRun {
    /// The end of the previous search, as reported before this one.
    previous: Option<String>,
    has_begun: bool,
    ids: BTreeSet<String>,
    /// True if the last polls have shown another light.
    has_news: bool,
    failed_polls: u32,
}

impl SearchRun {
    fn after(before: &SearchStatus) -> Self {
        Self {
            previous: before.last.clone(),
            has_begun: false,
            ids: BTreeSet::new(),
            has_news: false,
            failed_polls: 0,
        }
    }

    /// Polls the status and returns whether the search is over. Some failures are tolerated, because the search goes on meanwhile.
    async fn poll<T: HueTransport>(
        &mut self,
        bridge: &BridgeClient<'_, T>,
        elapsed: Duration,
    ) -> Result<bool, HueError> {
        match SearchStatus::read(bridge).await {
            Ok(status) => {
                let is_over = self.handle(status, elapsed);
                if !is_over {
                    self.failed_polls = 0;
                }
                Ok(is_over)
            }
            Err(error) if self.tolerates(&error) => Ok(elapsed >= SEARCH_TIMEOUT),
            Err(error) => Err(error),
        }
    }

    fn tolerates(&mut self, error: &HueError) -> bool {
        self.failed_polls += 1;
        self.failed_polls <= MAX_FAILED_POLLS
            && matches!(error, HueError::NoReply { .. } | HueError::Busy { .. })
    }

    fn handle(&mut self, status: SearchStatus, elapsed: Duration) -> bool {
        // Until this search shows, the bridge may still report the previous one.
        self.has_begun |=
            status.is_active() || status.last.is_none() || status.last != self.previous;
        if self.has_begun {
            self.has_news |= status.ids != self.ids;
            self.ids = status.ids;
        }
        elapsed >= SEARCH_TIMEOUT
            || match status.last.as_deref() {
                Some("active") => false,
                Some(_) => self.has_begun || elapsed >= START_TIMEOUT,
                None => elapsed >= UNREPORTED_SEARCH_TIMEOUT,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(last: Option<&str>, ids: &[&str]) -> SearchStatus {
        SearchStatus {
            ids: ids.iter().map(ToString::to_string).collect(),
            last: last.map(str::to_owned),
        }
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const BEFORE: Option<&str> = Some("2012-10-29T12:00:00");

    #[test]
    fn the_list_of_the_protocol_page() {
        let list = json!({"7": {"name": "Hue Lamp 7"}, "8": {"name": "Hue Lamp 8"}, "lastscan": "2012-10-29T12:00:00"});
        let status = SearchStatus::parse(list.as_object().unwrap());
        assert_eq!(status.ids.into_iter().collect::<Vec<_>>(), ["7", "8"]);
        assert_eq!(status.last.as_deref(), BEFORE);
    }

    #[test]
    fn the_end_of_the_search_before_is_not_the_end_of_this_one() {
        let mut run = SearchRun::after(&status(BEFORE, &["7"]));
        assert!(!run.handle(status(BEFORE, &["7"]), after(2)));
        assert!(run.ids.is_empty() && !run.has_news);
        assert!(!run.handle(status(Some("active"), &[]), after(4)));
        assert!(!run.handle(status(Some("active"), &["8"]), after(6)));
        assert!(std::mem::take(&mut run.has_news));
        assert!(!run.handle(status(Some("active"), &["8"]), after(8)));
        assert!(!run.has_news, "it is no news any more");
        assert!(run.handle(status(Some("2012-10-29T12:01:00"), &["8"]), after(42)));
    }

    #[test]
    fn a_search_that_was_over_before_the_first_look() {
        let mut run = SearchRun::after(&status(BEFORE, &[]));
        assert!(run.handle(status(Some("2012-10-29T12:00:01"), &["8"]), after(2)));
        assert!(run.has_news);
        // A bridge that never tells another time is believed after a while.
        let mut run = SearchRun::after(&status(Some("none"), &[]));
        assert!(!run.handle(status(Some("none"), &[]), after(4)));
        assert!(run.handle(status(Some("none"), &[]), START_TIMEOUT));
    }

    #[test]
    fn no_search_is_waited_for_for_ever() {
        let mut run = SearchRun::after(&status(BEFORE, &[]));
        assert!(!run.handle(status(Some("active"), &[]), after(118)));
        assert!(run.handle(status(Some("active"), &[]), SEARCH_TIMEOUT));
        // One that tells nothing at all has its own time.
        let mut run = SearchRun::after(&status(None, &[]));
        assert!(!run.handle(status(None, &["8"]), after(58)));
        assert!(run.has_news);
        assert!(run.handle(status(None, &["8"]), UNREPORTED_SEARCH_TIMEOUT));
    }
}
