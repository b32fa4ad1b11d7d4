//! News from a hub.

use std::collections::HashSet;
use std::pin::pin;

use api::client::{Client, ReceivedEvent};
use api::{Event, MeterEvent, PlugView};
use futures_util::{Stream, StreamExt};
use hiflying::Mac;
use plugs::Reading;
use tokio::sync::mpsc;

use super::news::{News, nobody_looks};
use crate::commands::documents::names::HubNames;
use crate::commands::events::feed;
use crate::context::Context;
use crate::error::Failure;
use crate::resolve::Target;

/// The plugs of a hub that are watched.
pub(super) struct Watched<'a, S> {
    context: &'a Context,
    events: S,
    plugs: Vec<PlugView>,
    /// Empty: all.
    wanted: HashSet<Mac>,
}

impl<'a> Watched<'a, ()> {
    /// Asks the hub for its plugs and begins to listen.
    pub(super) async fn open(
        context: &'a Context,
        hub: &Client,
        targets: &[Target],
    ) -> Result<Watched<'a, impl Stream<Item = Result<ReceivedEvent, Failure>> + 'a>, Failure> {
        // First the events: what happens while the plugs are listed is not lost then.
        let events = feed::listen(context, hub, None).await?;
        let plugs = context.bounded(async { Ok(hub.plugs().await?) }).await?;
        let names = HubNames::of_plugs(plugs.clone());
        let wanted = targets
            .iter()
            .map(|target| names.find_plug(target.as_given()));
        Ok(Watched {
            context,
            events,
            plugs,
            wanted: wanted.collect::<Result<_, _>>()?,
        })
    }
}

impl<S: Stream<Item = Result<ReceivedEvent, Failure>>> Watched<'_, S> {
    /// Tells what happens, until it fails or nobody looks any more.
    pub(super) async fn listen(self, news: mpsc::Sender<News>) -> Result<(), Failure> {
        let (context, wanted) = (self.context, self.wanted);
        let is_wanted = |item: &News| wanted.is_empty() || wanted.contains(&item.mac());
        for item in self.plugs.iter().flat_map(listed).filter(is_wanted) {
            if let Err(closed) = news.send(item).await {
                return nobody_looks(closed);
            }
        }
        let mut events = pin!(self.events);
        while let Some(event) = events.next().await {
            let items = match event?.event {
                Some(event) => Vec::from_iter(happened(event)),
                // The list has the outcome of the events that were lost.
                None => {
                    let plugs = context.need_hub()?.plugs().await?;
                    plugs.iter().flat_map(listed).collect()
                }
            };
            for item in items.into_iter().filter(is_wanted) {
                if let Err(closed) = news.send(item).await {
                    return nobody_looks(closed);
                }
            }
        }
        Ok(())
    }
}

/// Returns the last reading of a plug in the list, and its presence.
fn listed(view: &PlugView) -> Vec<News> {
    let reading = view.reading.clone().map(|reading| {
        let energy_total_wh = view.energy_total_wh;
        metered(
            MeterEvent {
                reading: reading.into(),
                energy_total_wh,
            },
            false,
        )
    });
    // The reading first: an old one does not mean that the plug is present.
    reading.into_iter().chain([plug(view)]).collect()
}

fn happened(event: Event) -> Option<News> {
    match event {
        Event::PlugRemoved(mac) => Some(News::Removed(mac)),
        Event::Plug(view) | Event::Availability(view) => Some(plug(&view)),
        Event::Reading(reading) => Some(metered(reading, true)),
        _ => None,
    }
}

fn plug(view: &PlugView) -> News {
    News::Plug {
        plug: Box::new(view.plug.clone()),
        available: view.available,
    }
}

fn metered(metered: MeterEvent, fresh: bool) -> News {
    News::Reading {
        json: serde_json::to_value(&metered).expect("a reading is plain JSON"),
        reading: Box::new(Reading::clone(&metered.reading)),
        fresh,
    }
}

impl News {
    fn mac(&self) -> Mac {
        match self {
            Self::Plug { plug, .. } => plug.mac,
            Self::Reading { reading, .. } => reading.plug,
            Self::Silent(mac) | Self::Removed(mac) => *mac,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn view() -> Value {
        json!({
            "mac": "AC:CF:23:00:00:01", "family": "reco", "serial": "900000001", "address": "127.0.0.2", "relay": "on",
            "model": null, "name": "lamp", "res": "0", "extra": null, "seen": "2026-11-22T12:00:00Z", "available": false,
            "reading": {"plug": "AC:CF:23:00:00:01", "at": "2026-11-22T11:00:00.000Z", "voltage_v": 230.0,
                "current_a": 0.1, "frequency_hz": 50.0, "power_w": 7.0, "energy_wh": 3},
            "energy_total_wh": 1003, "room": null, "metering": "10s", "power_on": null,
        })
    }

    #[test]
    fn a_list_has_the_last_reading_and_the_presence() {
        let news = listed(&serde_json::from_value(view()).unwrap());
        assert_eq!(news.len(), 2);
        assert!(
            matches!(&news[0], News::Reading { fresh: false, json, .. } if json["energy_total_wh"] == 1003)
        );
        assert!(matches!(
            &news[1],
            News::Plug {
                available: false,
                ..
            }
        ));
    }

    #[test]
    fn events_become_news() {
        let happened = |name: &str, data: Value| {
            happened(Event::parse(name, &data.to_string()).unwrap().unwrap())
        };
        assert!(matches!(
            happened("availability", view()),
            Some(News::Plug {
                available: false,
                ..
            })
        ));
        let removed = json!({"mac": "AC:CF:23:00:00:01", "removed": true});
        assert!(matches!(happened("plug", removed), Some(News::Removed(_))));
        let reading = view()["reading"].clone();
        assert!(matches!(
            happened("reading", reading),
            Some(News::Reading { fresh: true, .. })
        ));
        let removed = json!({"id": "r-00000001", "removed": true});
        assert!(happened("rule", removed).is_none());
    }
}
