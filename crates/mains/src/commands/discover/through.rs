//! `mains discover` through a hub: it searches its networks, and tells what it has found.

use std::pin::pin;
use std::time::{Duration, Instant};

use api::{FoundPlug, PlugView};
use plugs::Plug;
use plugs::net::DiscoverEvent;
use serde_json::json;

use super::{DiscoverArgs, Finds, bounded_wait};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::hub_client::{Client, EventStream, ServerEvent};
use crate::shutdown::Signals;

/// Maximum duration of a hub's search.
const MAX_SEARCH: Duration = Duration::from_secs(30);
/// The time for the response beyond the search itself.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
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
    if hub.is_named() {
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
    let call = hub.post("discover").patience(MAX_SEARCH + RESPONSE_TIMEOUT);
    let call = match bounded_wait(context, args).map(|wait| wait.min(MAX_SEARCH)) {
        // Half of what is left, so that the answer comes in time, too.
        Some(wait) if context.deadline().is_some() => call.json(&json!({"wait": text(wait / 2)})),
        Some(wait) => call.json(&json!({"wait": text(wait)})),
        None => call,
    };
    let found: Vec<FoundPlug> = call.answer().await?;
    Ok(found.into_iter().map(|found| found.plug).collect())
}

fn text(wait: Duration) -> String {
    format!("{}ms", wait.as_millis().max(1))
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
            Ok(Some(event)) => take(finds, &event)?,
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
    let plugs: Vec<PlugView> = hub.get("plugs").answer().await?;
    for view in plugs {
        finds.take(DiscoverEvent::Found(view.plug))?;
    }
    Ok(events)
}

async fn begin_again(finds: &mut Finds<'_>, hub: &Client) -> Result<EventStream, Failure> {
    tokio::time::sleep(REOPEN_DELAY).await;
    begin(finds, hub).await
}

fn take(finds: &mut Finds<'_>, event: &ServerEvent) -> Result<(), Failure> {
    if !matches!(event.name.as_str(), "plug" | "availability") {
        return Ok(());
    }
    // A plug that was removed is no view of one.
    match serde_json::from_str::<PlugView>(&event.data) {
        Ok(view) => finds.take(DiscoverEvent::Updated(view.plug)),
        Err(_) => Ok(()),
    }
}
