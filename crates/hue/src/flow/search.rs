//! Looking for lights: the bridge opens its network for some forty seconds, and lists who comes.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Bridge, lights};
use crate::call::{Call, Method};
use crate::error::{HueError, Silence};
use crate::guide::{Guide, NewLight, Progress};
use crate::lights::{Light, MOST};
use crate::serial::Serial;
use crate::transport::Transport;

/// A search is asked so often how far it is, and waited for no longer: the network is open for 40 s, and to get to know the
/// bulbs that came can take longer.
const POLL_EVERY: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(120);
/// The oldest firmware searches for a minute and may not say when it has ended.
const LONGEST_UNTOLD: Duration = Duration::from_secs(60);
/// Until then the end of an earlier search may still be told.
const BEGINS_WITHIN: Duration = Duration::from_secs(6);
/// So many answers in a row may be missing.
const PATIENCE: u32 = 3;
/// A bridge takes no more serial numbers at once.
const SERIALS_AT_ONCE: usize = 10;

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// The bridge.
    pub bridge: String,
    /// The lights that it did not have before.
    pub new_lights: Vec<NewLight>,
}

/// Looks for lights until the bridge has ended its search, with serial numbers also for those that would not be found else.
///
/// # Errors
///
/// As [`lights()`]; what the bridge refuses. That nothing was found is no error.
pub async fn search<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
    serials: &[Serial],
) -> Result<Searched, HueError> {
    let mut hunt = Hunt::begin(bridge, guide).await?;
    let mut new_lights = Vec::new();
    if serials.is_empty() {
        new_lights = hunt.run(&[], |_| false).await?;
    }
    for serials in serials.chunks(SERIALS_AT_ONCE) {
        let found = hunt.run(serials, |_| false).await?;
        hunt.know(&found);
        new_lights.extend(found);
    }
    Ok(Searched {
        bridge: bridge.name.clone(),
        new_lights: new_lights.into_iter().map(NewLight::from).collect(),
    })
}

/// Waits until a search that somebody else began has ended. Returns whether it has.
pub(super) async fn idle<T: Transport, G: Guide>(
    bridge: &Bridge<'_, T>,
    guide: &G,
) -> Result<bool, HueError> {
    let begin = bridge.transport.now();
    let mut is_told = false;
    while Scan::of(bridge).await?.is_active() {
        if bridge.transport.now().duration_since(begin) >= LONGEST {
            return Ok(false);
        }
        if !std::mem::replace(&mut is_told, true) {
            guide.tell(Progress::WaitingForSearch(bridge.name.clone()));
        }
        bridge.transport.sleep(POLL_EVERY).await;
    }
    Ok(true)
}

/// Starts a search. That it is started again while it runs only makes it longer.
pub(super) async fn start<T: Transport>(
    bridge: &Bridge<'_, T>,
    serials: &[Serial],
) -> Result<(), HueError> {
    let body = match serials {
        [] => json!({}),
        serials => json!({ "deviceid": serials }),
    };
    let call = Call::keyed(Method::Post, "/lights").with(&body);
    match bridge.change(&call).await {
        // It may have arrived all the same, and the bridge can tell.
        Err(HueError::NoAnswer {
            at,
            how: how @ (Silence::TimedOut | Silence::Closed),
        }) => match Scan::of(bridge).await {
            Ok(scan) if scan.is_active() => Ok(()),
            _ => Err(HueError::NoAnswer { at, how }),
        },
        result => result.map(drop),
    }
}

/// How far a search is.
struct Scan {
    /// The numbers of the lights that it has found.
    ids: BTreeSet<String>,
    /// `active`, `none`, or when the last one ended.
    last: Option<String>,
}

impl Scan {
    async fn of<T: Transport>(bridge: &Bridge<'_, T>) -> Result<Self, HueError> {
        Ok(Self::read(&bridge.ask("/lights/new").await?))
    }

    fn read(told: &Map<String, Value>) -> Self {
        let is_light = |(id, light): &(&String, &Value)| *id != "lastscan" && light.is_object();
        Self {
            ids: told
                .iter()
                .filter(is_light)
                .map(|(id, _)| id.clone())
                .take(MOST)
                .collect(),
            last: told
                .get("lastscan")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }
    }

    fn is_active(&self) -> bool {
        self.last.as_deref() == Some("active")
    }
}

/// The lights that were there before, and searches for others.
pub(super) struct Hunt<'h, 'b, T, G> {
    bridge: &'h Bridge<'b, T>,
    guide: &'h G,
    /// The marks of the lights that are not new.
    known: HashSet<String>,
}

impl<'h, 'b, T: Transport, G: Guide> Hunt<'h, 'b, T, G> {
    /// Notes what is there, when no other search runs.
    pub(super) async fn begin(bridge: &'h Bridge<'b, T>, guide: &'h G) -> Result<Self, HueError> {
        idle(bridge, guide).await?;
        let lights = lights(bridge).await?;
        let marks = lights.iter().map(|light| light.mark().to_owned());
        Ok(Self::since(bridge, guide, marks))
    }

    /// Goes on from what was noted before.
    pub(super) fn since(
        bridge: &'h Bridge<'b, T>,
        guide: &'h G,
        marks: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            bridge,
            guide,
            known: marks.into_iter().collect(),
        }
    }

    /// Counts these lights as known from now on.
    pub(super) fn know(&mut self, lights: &[Light]) {
        let marks = lights.iter().map(|light| light.mark().to_owned());
        self.known.extend(marks);
    }

    /// Tells whether a light was there before.
    pub(super) fn knows(&self, light: &Light) -> bool {
        self.known.contains(light.mark())
    }

    /// Searches until the bridge has ended, or what was found is enough. Returns the new lights: those that were not listed
    /// before, and those that the bridge itself calls new.
    pub(super) async fn run(
        &self,
        serials: &[Serial],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Vec<Light>, HueError> {
        self.once(serials, is_enough, &mut HashSet::new()).await
    }

    /// Searches, and once more when that was not enough.
    pub(super) async fn twice(
        &self,
        serials: &[Serial],
        is_enough: impl Fn(&[Light]) -> bool,
    ) -> Result<Vec<Light>, HueError> {
        let mut told = HashSet::new();
        let found = self.once(serials, &is_enough, &mut told).await?;
        match is_enough(&found) {
            true => Ok(found),
            false => self.once(serials, is_enough, &mut told).await,
        }
    }

    /// One search; `told` are the marks of the lights of which the person knows.
    async fn once(
        &self,
        serials: &[Serial],
        is_enough: impl Fn(&[Light]) -> bool,
        told: &mut HashSet<String>,
    ) -> Result<Vec<Light>, HueError> {
        let mut run = Run::after(&Scan::of(self.bridge).await?);
        start(self.bridge, serials).await?;
        let begin = self.bridge.transport.now();
        let past = || self.bridge.transport.now().duration_since(begin);
        loop {
            let left = LONGEST.saturating_sub(past());
            self.guide.tell(Progress::Searching { left });
            self.bridge.transport.sleep(POLL_EVERY).await;
            let is_over = run.poll(self.bridge, past()).await?;
            if !is_over && !std::mem::take(&mut run.has_news) {
                continue;
            }
            match self.found(&run.ids, told).await {
                Ok(found) if is_over || is_enough(&found) => return Ok(found),
                Ok(_) => {}
                // At the next poll.
                Err(error) if run.forgives(&error) => run.has_news = true,
                Err(error) => return Err(error),
            }
        }
    }

    async fn found(
        &self,
        ids: &BTreeSet<String>,
        told: &mut HashSet<String>,
    ) -> Result<Vec<Light>, HueError> {
        let mut lights = lights(self.bridge).await?;
        lights.retain(|light| !self.knows(light) || ids.contains(&light.id));
        for light in &lights {
            if told.insert(light.mark().to_owned()) {
                self.guide.tell(Progress::Found(light.clone().into()));
            }
        }
        Ok(lights)
    }
}

/// What the polls of one search have shown so far.
struct Run {
    /// What was told before it began.
    previous: Option<String>,
    has_begun: bool,
    ids: BTreeSet<String>,
    /// Whether the last polls have shown another light.
    has_news: bool,
    missed: u32,
}

impl Run {
    fn after(before: &Scan) -> Self {
        Self {
            previous: before.last.clone(),
            has_begun: false,
            ids: BTreeSet::new(),
            has_news: false,
            missed: 0,
        }
    }

    /// Asks how far it is, and returns whether it is over. Some answers may be missing: the search goes on without us.
    async fn poll<T: Transport>(
        &mut self,
        bridge: &Bridge<'_, T>,
        past: Duration,
    ) -> Result<bool, HueError> {
        match Scan::of(bridge).await {
            Ok(scan) => {
                let is_over = self.handle(scan, past);
                if !is_over {
                    self.missed = 0;
                }
                Ok(is_over)
            }
            Err(error) if self.forgives(&error) => Ok(past >= LONGEST),
            Err(error) => Err(error),
        }
    }

    fn forgives(&mut self, error: &HueError) -> bool {
        self.missed += 1;
        self.missed <= PATIENCE
            && matches!(error, HueError::NoAnswer { .. } | HueError::Busy { .. })
    }

    fn handle(&mut self, scan: Scan, past: Duration) -> bool {
        // What is told of the search before is not of this one.
        self.has_begun |= scan.is_active() || scan.last.is_none() || scan.last != self.previous;
        if self.has_begun {
            self.has_news |= scan.ids != self.ids;
            self.ids = scan.ids;
        }
        past >= LONGEST
            || match scan.last.as_deref() {
                Some("active") => false,
                Some(_) => self.has_begun || past >= BEGINS_WITHIN,
                None => past >= LONGEST_UNTOLD,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(last: Option<&str>, ids: &[&str]) -> Scan {
        Scan {
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
        let told = json!({"7": {"name": "Hue Lamp 7"}, "8": {"name": "Hue Lamp 8"}, "lastscan": "2012-10-29T12:00:00"});
        let scan = Scan::read(told.as_object().unwrap());
        assert_eq!(scan.ids.into_iter().collect::<Vec<_>>(), ["7", "8"]);
        assert_eq!(scan.last.as_deref(), BEFORE);
    }

    #[test]
    fn the_end_of_the_search_before_is_not_the_end_of_this_one() {
        let mut run = Run::after(&scan(BEFORE, &["7"]));
        assert!(!run.handle(scan(BEFORE, &["7"]), after(2)));
        assert!(run.ids.is_empty() && !run.has_news);
        assert!(!run.handle(scan(Some("active"), &[]), after(4)));
        assert!(!run.handle(scan(Some("active"), &["8"]), after(6)));
        assert!(std::mem::take(&mut run.has_news));
        assert!(!run.handle(scan(Some("active"), &["8"]), after(8)));
        assert!(!run.has_news, "it is no news any more");
        assert!(run.handle(scan(Some("2012-10-29T12:01:00"), &["8"]), after(42)));
    }

    #[test]
    fn a_search_that_was_over_before_the_first_look() {
        let mut run = Run::after(&scan(BEFORE, &[]));
        assert!(run.handle(scan(Some("2012-10-29T12:00:01"), &["8"]), after(2)));
        assert!(run.has_news);
        // A bridge that never tells another time is believed after a while.
        let mut run = Run::after(&scan(Some("none"), &[]));
        assert!(!run.handle(scan(Some("none"), &[]), after(4)));
        assert!(run.handle(scan(Some("none"), &[]), BEGINS_WITHIN));
    }

    #[test]
    fn no_search_is_waited_for_for_ever() {
        let mut run = Run::after(&scan(BEFORE, &[]));
        assert!(!run.handle(scan(Some("active"), &[]), after(118)));
        assert!(run.handle(scan(Some("active"), &[]), LONGEST));
        // One that tells nothing at all has its own time.
        let mut run = Run::after(&scan(None, &[]));
        assert!(!run.handle(scan(None, &["8"]), after(58)));
        assert!(run.has_news);
        assert!(run.handle(scan(None, &["8"]), LONGEST_UNTOLD));
    }
}
