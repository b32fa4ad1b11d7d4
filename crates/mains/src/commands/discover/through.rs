//! `mains discover` through a hub: it searches its networks, and tells what it has found.

use std::pin::pin;
use std::time::{Duration, Instant};

use api::Event;
use api::client::{Client, EventStream, MAX_SEARCH, ReceivedEvent};
use plugs::Plug;
use plugs::net::DiscoverEvent;

use super::{DiscoverArgs, Finds, bounded_wait};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::shutdown::Signals;

/// Delay before a broken stream is opened again.
const REOPEN_DELAY: Duration = Duration::from_secs(1);

/// Returns the hub that is to search, if there is one and it can search for this.
pub(super) fn hub_for(context: &Context, args: &DiscoverArgs) -> Result<Option<Client>, Failure> {
    let Some(hub) = context.hub()? else {
        return Ok(None);
    };
    if args.to.is_empty() && args.words.is_empty() {
        return Ok(Some(hub));
    }
    if context.names_hub() {
        let message = "a hub searches its own networks: --to and --word are for a search from here";
        return Err(Failure::usage(message).hint("leave them out, or give `--hub none`"));
    }
    context
        .ui
        .status("the search is made from here, and not by the hub that runs on this computer");
    Ok(None)
}

/// Lets the hub search, and prints what it found.
pub(super) async fn run(context: &Context, hub: &Client, args: &DiscoverArgs) -> Outcome {
    let begin = Instant::now();
    let mut finds = Finds::new(context, None, args.watch);
    if args.watch {
        watch(context, &mut finds, hub).await?;
        return Ok(Exit::DONE);
    }
    for plug in context.bounded(search(context, hub, args)).await? {
        finds.take(DiscoverEvent::Found(plug))?;
    }
    if let Ok(inventory) = context.inventory() {
        context.remember(&inventory, &finds.plugs);
    }
    finds.conclude(None, args.expect, begin.elapsed())
}

async fn search(
    context: &Context,
    hub: &Client,
    args: &DiscoverArgs,
) -> Result<Vec<Plug>, Failure> {
    let wait = bounded_wait(context, args).map(|wait| wait.min(MAX_SEARCH));
    let wait = match context.deadline() {
        // Half of the time that is left, so that the reply arrives in time.
        Some(_) => wait.map(|wait| wait / 2),
        None => wait,
    };
    let found = hub.discover(wait).await?;
    Ok(found.into_iter().map(|found| found.plug).collect())
}

/// Shows the hub's plugs and what changes, until a signal, the deadline, or until nobody reads any more.
async fn watch(context: &Context, finds: &mut Finds<'_>, hub: &Client) -> Result<(), Failure> {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let mut events = tokio::select! {
        () = &mut over => return Ok(()),
        events = begin(finds, hub) => events?,
    };
    while !context.ui.is_closed() {
        let event = tokio::select! {
            () = &mut over => return Ok(()),
            event = events.next() => event,
        };
        match event {
            Ok(Some(received)) => take(finds, received)?,
            // The hub may be starting again.
            Ok(None) | Err(_) => tokio::select! {
                () = &mut over => return Ok(()),
                again = begin_again(finds, hub) => events = again?,
            },
        }
    }
    Ok(())
}

/// Listens first and asks then, so that nothing falls in between.
async fn begin(finds: &mut Finds<'_>, hub: &Client) -> Result<EventStream, Failure> {
    let events = hub.events(None).await?;
    for view in hub.plugs().await? {
        finds.take(DiscoverEvent::Found(view.plug))?;
    }
    Ok(events)
}

async fn begin_again(finds: &mut Finds<'_>, hub: &Client) -> Result<EventStream, Failure> {
    tokio::time::sleep(REOPEN_DELAY).await;
    begin(finds, hub).await
}

fn take(finds: &mut Finds<'_>, received: ReceivedEvent) -> Result<(), Failure> {
    match received.event {
        Some(Event::Plug(view) | Event::Availability(view)) => {
            finds.take(DiscoverEvent::Updated(view.plug.clone()))
        }
        _ => Ok(()),
    }
}
