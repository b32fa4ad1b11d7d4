//! `mains discover --watch`: the plugs, and what changes.

use std::collections::HashMap;
use std::pin::pin;

use api::client::Client;
use api::{Event, PlugView};
use futures_util::StreamExt;
use hiflying::Mac;
use plugs::Plug;
use plugs::net::DiscoverOptions;
use serde::Serialize;

use super::{DiscoverArgs, looks_the_same};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::feed::{self, FeedItem, FollowRequest};
use crate::plug_table::PlugTable;
use crate::shutdown::Signals;

/// A plug as a line of JSON.
#[derive(Serialize)]
struct WatchedPlug<'a> {
    #[serde(flatten)]
    plug: &'a Plug,
    available: bool,
}

/// Shows plugs and what changes, until a signal, the deadline, or until the output is closed.
pub(super) async fn run(context: &Context, hub: Option<Client>, args: DiscoverArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let request = FollowRequest {
        search: DiscoverOptions {
            to: args.to,
            words: args.words,
            ..DiscoverOptions::default()
        },
        ..FollowRequest::default()
    };
    let mut feed = tokio::select! {
        () = &mut over => return Ok(Exit::DONE),
        feed = feed::of_plugs(context, hub, request) => feed?.events,
    };
    let mut shown = ShownPlugs {
        context,
        plugs: HashMap::new(),
        table: PlugTable::new(&context.ui),
    };
    while !context.ui.is_closed() {
        tokio::select! {
            () = &mut over => break,
            Some(item) = feed.next() => if let FeedItem::Received(received) = item? {
                shown.take(received.event)?;
            },
        }
    }
    Ok(Exit::DONE)
}

/// The plugs as they were shown last.
struct ShownPlugs<'a> {
    context: &'a Context,
    plugs: HashMap<Mac, (Plug, bool)>,
    table: PlugTable<'a>,
}

impl ShownPlugs<'_> {
    fn take(&mut self, event: Option<Event>) -> Result<(), Failure> {
        match event {
            Some(Event::Plug(view) | Event::Availability(view)) => self.show(&view),
            Some(Event::PlugRemoved(mac)) => match self.plugs.remove(&mac) {
                Some((plug, _)) => self.line(&plug, false),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn show(&mut self, view: &PlugView) -> Result<(), Failure> {
        let shown = (view.plug.clone(), view.available);
        let before = self.plugs.insert(view.plug.mac, shown);
        let is_shown = |(before, available): (Plug, bool)| {
            available == view.available && looks_the_same(&before, &view.plug)
        };
        match before.is_some_and(is_shown) {
            true => Ok(()),
            false => self.line(&view.plug, view.available),
        }
    }

    fn line(&mut self, plug: &Plug, available: bool) -> Result<(), Failure> {
        match (self.context.ui.is_json(), available) {
            (true, _) => self.context.ui.document(&WatchedPlug { plug, available }),
            (false, true) => self.table.row(plug),
            (false, false) => self.table.row_of_gone(plug),
        }
    }
}
