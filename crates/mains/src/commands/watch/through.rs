//! News from a hub.

use std::collections::HashSet;
use std::pin::pin;

use api::PlugView;
use futures_util::{Stream, StreamExt};
use hiflying::Mac;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{News, nobody_looks};
use crate::commands::documents::names::Names;
use crate::commands::events::feed;
use crate::context::Context;
use crate::error::Failure;
use crate::hub_client::{Client, ServerEvent};
use crate::resolve::Target;

/// The plugs of a hub that are watched.
pub(super) struct Watched<'a, S> {
    context: &'a Context,
    events: S,
    plugs: Vec<Value>,
    /// Empty: all.
    wanted: HashSet<Mac>,
}

impl<'a> Watched<'a, ()> {
    /// Asks the hub for its plugs and begins to listen.
    pub(super) async fn open(
        context: &'a Context,
        hub: &Client,
        targets: &[Target],
    ) -> Result<Watched<'a, impl Stream<Item = Result<ServerEvent, Failure>> + 'a>, Failure> {
        // First the events: what happens while the plugs are listed is not lost then.
        let events = feed::listen(context, hub, None).await?;
        let plugs: Vec<Value> = context.bounded(hub.get("plugs").answer()).await?;
        let names = Names::of(plugs.clone().into(), Value::Array(Vec::new()))?;
        let wanted = targets.iter().map(|target| names.plug(target.as_given()));
        Ok(Watched {
            context,
            events,
            plugs,
            wanted: wanted.collect::<Result<_, _>>()?,
        })
    }
}

impl<S: Stream<Item = Result<ServerEvent, Failure>>> Watched<'_, S> {
    /// Tells what happens, until it fails or nobody looks any more.
    pub(super) async fn listen(self, news: mpsc::Sender<News>) -> Result<(), Failure> {
        let (context, wanted) = (self.context, self.wanted);
        let is_wanted = |item: &News| wanted.is_empty() || wanted.contains(&item.mac());
        for item in self.plugs.into_iter().flat_map(listed).filter(is_wanted) {
            if let Err(closed) = news.send(item).await {
                return nobody_looks(closed);
            }
        }
        let mut events = pin!(self.events);
        while let Some(event) = events.next().await {
            let event = event?;
            let items = match event.name.as_str() {
                // What was lost in between is in the list.
                "reset" => {
                    let plugs: Vec<Value> = context.need_hub()?.get("plugs").answer().await?;
                    plugs.into_iter().flat_map(listed).collect()
                }
                _ => Vec::from_iter(happened(&event)),
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

/// Reads one plug of the list: its state and its last reading. Unintelligible entries are left out.
fn listed(json: Value) -> Vec<News> {
    let reading = json.get("reading").cloned().unwrap_or_default();
    let total = json.get("energy_total_wh").cloned().unwrap_or_default();
    let plug = plug(json);
    let reading = metered(reading, false).map(|mut news| {
        if let News::Reading { json, .. } = &mut news {
            json["energy_total_wh"] = total;
        }
        news
    });
    // The reading first: an old one does not mean that the plug is there.
    reading.into_iter().chain(plug).collect()
}

fn happened(event: &ServerEvent) -> Option<News> {
    let json: Value = serde_json::from_str(&event.data).ok()?;
    match event.name.as_str() {
        "plug" | "availability" if json.get("removed").is_some() => {
            let mac = json.get("mac")?.as_str()?.parse().ok()?;
            Some(News::Removed(mac))
        }
        "plug" | "availability" => plug(json),
        "reading" => metered(json, true),
        _ => None,
    }
}

fn plug(json: Value) -> Option<News> {
    let view: PlugView = serde_json::from_value(json).ok()?;
    Some(News::Plug {
        plug: Box::new(view.plug),
        available: view.available,
    })
}

fn metered(json: Value, fresh: bool) -> Option<News> {
    let reading = serde_json::from_value(json.clone()).ok()?;
    Some(News::Reading {
        reading: Box::new(reading),
        json,
        fresh,
    })
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
    use serde_json::json;

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
    fn a_list_tells_the_last_reading_and_whether_the_plug_is_there() {
        let news = listed(view());
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
        assert!(listed(json!({"mac": "nonsense"})).is_empty());
    }

    #[test]
    fn events_become_news() {
        let happened = |name: &str, data: Value| {
            happened(&ServerEvent {
                id: None,
                name: name.into(),
                data: data.to_string(),
            })
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
        assert!(happened("rule", view()).is_none());
        assert!(happened("reading", json!("oops")).is_none());
    }
}
