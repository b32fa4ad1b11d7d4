//! The loop of the screen: events, keys, commands and signals in, pictures out.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use api::text::{LocalClock, Tone};
use api::{
    EnergyPeriod, EnergyRequest, EnergyRow, History, HistoryRequest, Moment, Period, RangeRequest,
};
use crossterm::event::{self, Event as TerminalEvent};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::{RelayCommand, Switched};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::app::{AppRequest, WatchApp};
use super::draw::{ScreenLook, draw};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::feed::{Feed, FeedSource, PlugFeed};
use crate::job_control::{JobControl, is_terminal_gone};
use crate::ui::screen::Screen;

/// Minimum interval between two pictures that no key asks for.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// Interval at which a hub is asked for the energy of today.
const TODAY_INTERVAL: Duration = Duration::from_secs(30);
/// Interval at which it is asked while it has none yet.
const NO_ENERGY_INTERVAL: Duration = Duration::from_secs(5);
/// The time before now for which a hub is asked for the power of plugs.
const PAST: SignedDuration = SignedDuration::from_mins(20);
/// Maximum number of plugs for which it is asked.
const MAX_PASTS: usize = 100;
/// Maximum number of keys that wait to be handled.
const MAX_WAITING_KEYS: usize = 64;

/// Work beside the screen that ends with something to show.
type ScreenJob<'a> = Pin<Box<dyn Future<Output = JobOutcome> + 'a>>;

/// The outcome of a job.
enum JobOutcome {
    Switched(Mac, RelayCommand, Result<Switched, Failure>),
    Today(Result<Vec<EnergyRow>, Failure>),
    /// The last minutes of one plug, and the plugs to ask about next.
    Past(Mac, Result<History, Failure>, VecDeque<Mac>),
}

/// The screen, and what it is made from.
struct WatchScreen<'a> {
    context: &'a Context,
    source: FeedSource<'a>,
    screen: Screen,
    look: ScreenLook,
    app: WatchApp,
    jobs: FuturesUnordered<ScreenJob<'a>>,
    job_control: JobControl,
    /// True when the hub was asked for the past.
    has_past: bool,
    /// The time of the last picture; `None` when it is out of date.
    drawn: Option<Timestamp>,
}

/// Shows the screen until a key or `over` ends it.
pub(super) async fn run(
    context: &Context,
    feed: PlugFeed<'_>,
    over: Pin<&mut impl Future<Output = ()>>,
) -> Outcome {
    let PlugFeed { events, source } = feed;
    let (name, is_hub) = match &source {
        FeedSource::Hub(_, url) => (format!("hub {url}"), true),
        FeedSource::Plugs(_) => ("without a hub".to_owned(), false),
    };
    let screen = WatchScreen {
        context,
        source,
        job_control: JobControl::listen()?,
        screen: context.ui.screen()?,
        look: ScreenLook::of_terminal(context.ui.colours_stdout()),
        app: WatchApp::new(name, is_hub, TimeZone::system()),
        jobs: FuturesUnordered::new(),
        has_past: !is_hub,
        drawn: None,
    };
    screen.follow(events, over).await?;
    Ok(Exit::DONE)
}

impl<'a> WatchScreen<'a> {
    async fn follow(
        mut self,
        mut events: Feed<'a>,
        mut over: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Failure> {
        let mut keys = read_keys();
        let mut frames = interval(FRAME_INTERVAL);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if self.app.is_hub {
            self.ask_today(Duration::ZERO);
        }
        self.draw()?;
        loop {
            tokio::select! {
                biased;
                () = &mut over => return Ok(()),
                Some(event) = keys.recv() => {
                    let event = event.map_err(unreadable)?;
                    let request = self.app.handle(&event, plugs::now());
                    if self.carry_out(request).await?.is_break() {
                        return Ok(());
                    }
                    self.draw()?;
                }
                () = self.job_control.continued() => {
                    self.screen.refresh()?;
                    self.draw()?;
                }
                Some(outcome) = self.jobs.next() => self.finish(outcome),
                Some(item) = events.next() => {
                    self.app.take(&item?, plugs::now());
                    self.drawn = None;
                }
                _ = frames.tick() => {
                    if is_terminal_gone() {
                        return Ok(());
                    }
                    self.draw_if_due()?;
                }
            }
        }
    }

    async fn carry_out(&mut self, request: Option<AppRequest>) -> Result<ControlFlow<()>, Failure> {
        match request {
            None => {}
            Some(AppRequest::Quit) => return Ok(ControlFlow::Break(())),
            Some(AppRequest::Refresh) => self.screen.refresh()?,
            Some(AppRequest::Suspend) => {
                self.screen.lend();
                self.job_control.stop().await;
                self.screen.refresh()?;
            }
            Some(AppRequest::Switch(mac, action)) => {
                let source = self.source.clone();
                self.jobs.push(Box::pin(async move {
                    let outcome = source.switch(mac, action).await;
                    JobOutcome::Switched(mac, action, outcome)
                }));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, outcome: JobOutcome) {
        self.drawn = None;
        match outcome {
            JobOutcome::Switched(mac, action, outcome) => {
                self.app.switched(mac, action, outcome, plugs::now());
            }
            JobOutcome::Today(today) => {
                // A hub that is gone is reported by its events.
                let rows = today.inspect_err(
                    |failure| tracing::debug!(%failure, "the energy of today is not known"),
                );
                self.ask_today(match rows.as_deref() {
                    Ok([]) => NO_ENERGY_INTERVAL,
                    _ => TODAY_INTERVAL,
                });
                if let Ok(rows) = rows {
                    self.app.set_today(rows);
                }
            }
            JobOutcome::Past(mac, past, next) => {
                match past {
                    Ok(past) => self.app.board.set_past(mac, &past),
                    Err(failure) => tracing::debug!(%failure, "the past of a plug is not known"),
                }
                self.ask_past(next);
            }
        }
    }

    fn ask_today(&mut self, delay: Duration) {
        let context = self.context;
        self.jobs.push(Box::pin(async move {
            sleep(delay).await;
            JobOutcome::Today(today(context).await)
        }));
    }

    /// Asks the hub for the last minutes of plugs, one after the other.
    fn ask_past(&mut self, mut plugs: VecDeque<Mac>) {
        let Some(mac) = plugs.pop_front() else {
            return;
        };
        let context = self.context;
        let now = plugs::now();
        let slots = self.app.board.slots(1, now);
        let request = HistoryRequest {
            range: RangeRequest {
                from: Some(Moment::Instant(now - PAST)),
                to: None,
            },
            step: Some(Period::seconds(slots.seconds.unsigned_abs())),
        };
        self.jobs.push(Box::pin(async move {
            let past = async { Ok(context.need_hub()?.history(mac, &request).await?) };
            JobOutcome::Past(mac, past.await, plugs)
        }));
    }

    /// Draws if something has happened, or in a new second: readings become older.
    fn draw_if_due(&mut self) -> Result<(), Failure> {
        let now = plugs::now();
        for message in self.screen.messages() {
            self.app.say(Tone::Strong.of(message), now);
            self.drawn = None;
        }
        let is_drawn = |drawn: Timestamp| drawn.as_second() == now.as_second();
        match self.drawn.is_some_and(is_drawn) {
            true => Ok(()),
            false => self.draw(),
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let now = plugs::now();
        self.drawn = Some(now);
        let (app, look) = (&mut self.app, self.look);
        self.screen.draw(|frame| draw(frame, app, look, now))?;
        if !self.has_past && !self.app.shown.is_empty() {
            self.has_past = true;
            let first = self.app.shown.iter().take(MAX_PASTS).copied();
            self.ask_past(first.collect());
        }
        Ok(())
    }
}

/// Asks the hub for the energy and cost of today, which is a day of its time zone.
async fn today(context: &Context) -> Result<Vec<EnergyRow>, Failure> {
    let hub = context.need_hub()?;
    let status = hub.status().await?;
    let timezone = status.get("timezone").and_then(|name| name.as_str());
    let clock = LocalClock::in_zone(timezone);
    let request = EnergyRequest {
        range: RangeRequest {
            from: Some(Moment::Day(clock.now().date())),
            to: None,
        },
        by: EnergyPeriod::Day,
        plugs: Vec::new(),
    };
    Ok(hub.energy(&request).await?)
}

/// Reads keys on a thread of its own: crossterm reads a terminal that is gone for ever, and must not hold up the rest.
fn read_keys() -> mpsc::Receiver<io::Result<TerminalEvent>> {
    let (sender, keys) = mpsc::channel(MAX_WAITING_KEYS);
    std::thread::spawn(move || {
        loop {
            let event = event::read();
            let is_last = event.is_err();
            if sender.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

fn unreadable(error: io::Error) -> Failure {
    Failure::failed("the keyboard cannot be read").caused_by(&error)
}
