//! `mains discover`: find every plug.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use api::client::{Client, MAX_SEARCH};
use api::duration;
use futures_util::StreamExt;
use hiflying::{DiscoveryWord, Mac};
use plugs::discovery::SEARCH_TIMEOUT;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use plugs::{FamilyId, Plug};

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::feed::UNHEARD;
use crate::hints;
use crate::plug_table::PlugTable;
use crate::resolve::SecondAddresses;
use crate::resolve::interfaces::{for_search, reachable};
use crate::ui::{DIM, paint};

mod watch;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Scans are repeated over some seconds until a missed plug is unlikely; on a quiet network that takes well under a \
second. Known plugs are also queried at their last address.

An SP-2 replies to UDP port 48899 of this computer. Where another program has that port, Mains names it and finds only \
the plugs that reply to the port of the sender. --watch holds that port while it runs: other `mains` on this computer \
then receive no replies from an SP-2. A hub that runs on this computer, or is named, does the search itself; with --watch \
it reports the plugs that it keeps.

Examples:
  mains discover
  mains discover --expect 5 --wait 10s
  mains discover --to 192.168.7.255          # a network behind a router
  mains --json discover | jq -r '.[].address'
  mains discover --watch                     # until Ctrl-C; JSON: one plug a line

Exit codes: 0 done, also if nothing was found, 3 fewer than --expect, 7 port 48899 taken and nothing found, or no interface.")]
pub struct DiscoverArgs {
    /// Search for this long [default: until the set is stable]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    wait: Option<Duration>,
    /// Also scan this address, a plug's or a broadcast address; repeatable
    ///
    /// With loopback addresses only, and without --interface, only loopback is searched.
    #[arg(long, value_name = "ADDR")]
    to: Vec<Ipv4Addr>,
    /// Stop as soon as this many are found; fewer is exit code 3
    #[arg(long, value_name = "N")]
    expect: Option<usize>,
    /// Continue until Ctrl-C, and show changes
    #[arg(long, conflicts_with_all = ["wait", "expect"])]
    watch: bool,
    /// Send this discovery word, for modules whose maker changed it (1 to 20 characters); repeatable
    #[arg(long = "word", value_name = "WORD")]
    words: Vec<DiscoveryWord>,
}

/// Searches, and prints the plugs that reply.
pub async fn run(context: &Context, args: DiscoverArgs) -> Outcome {
    let hub = hub_for(context, &args)?;
    if args.watch {
        return watch::run(context, hub, args).await;
    }
    let mut finds = Finds::new(context);
    if let Some(hub) = hub {
        match context.bounded(by_hub(context, &hub, &args)).await {
            Err(failure) if failure.kind() == Kind::Unavailable && !context.names_hub() => {
                context
                    .ui
                    .status(format_args!("{failure}; the search is made from here"));
            }
            Err(failure) => return Err(failure),
            Ok(found) => {
                for plug in found {
                    finds.take(plug)?;
                }
                return finds.conclude(None, args.expect);
            }
        }
    }
    from_here(context, args, finds).await
}

/// Returns the hub that is to search, if there is one and it can search for this.
fn hub_for(context: &Context, args: &DiscoverArgs) -> Result<Option<Client>, Failure> {
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

/// Lets the hub search.
async fn by_hub(
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

async fn from_here(context: &Context, args: DiscoverArgs, mut finds: Finds<'_>) -> Outcome {
    let inventory = context.inventory()?;
    let names = inventory.names();
    let interfaces = for_search(context, &args.to)?;
    let lan = context
        .bounded(async { Ok(Lan::open(&interfaces).await?) })
        .await?;
    lan.set_words(context.known_words());
    let taken: Vec<Failure> = lan
        .taken()
        .iter()
        .map(|error| Failure::from(error.as_ref()))
        .collect();
    for failure in &taken {
        context.ui.warn(format_args!("{failure}; {UNHEARD}"));
    }
    let mut events = lan.discover(DiscoverOptions {
        wait: bounded_wait(context, &args),
        known: reachable(&interfaces, &inventory),
        to: args.to,
        expect: args.expect,
        words: args.words,
        watch: false,
    });
    while let Some(event) = events.next().await {
        if let DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug) = event {
            let name = names.get(&plug.mac).cloned();
            finds.take(Plug { name, ..plug })?;
        }
    }
    finds.conclude(taken.into_iter().next(), args.expect)
}

/// `--timeout` bounds the search; what was found by then is still told.
fn bounded_wait(context: &Context, args: &DiscoverArgs) -> Option<Duration> {
    match (args.wait, context.deadline()) {
        (wait, None) => wait,
        (Some(wait), Some(_)) => Some(context.budget(wait)),
        (None, Some(_)) => Some(context.budget(SEARCH_TIMEOUT)),
    }
}

/// The devices that were found and shown so far.
struct Finds<'a> {
    context: &'a Context,
    begin: Instant,
    plugs: Vec<Plug>,
    /// Place of each of the plugs.
    places: HashMap<Mac, usize>,
    heard: SecondAddresses,
    table: PlugTable<'a>,
}

impl<'a> Finds<'a> {
    fn new(context: &'a Context) -> Self {
        Self {
            context,
            begin: Instant::now(),
            plugs: Vec::new(),
            places: HashMap::new(),
            heard: SecondAddresses::default(),
            table: PlugTable::new(&context.ui),
        }
    }

    fn take(&mut self, plug: Plug) -> Result<(), Failure> {
        let place = *self.places.entry(plug.mac).or_insert(self.plugs.len());
        let before = match self.plugs.get_mut(place) {
            Some(known) => Some(std::mem::replace(known, plug.clone())),
            None => {
                self.plugs.push(plug.clone());
                None
            }
        };
        self.heard.warn(&self.context.ui, &plug);
        let is_known = before.is_some_and(|before| looks_the_same(&before, &plug));
        match is_known || self.context.ui.is_json() {
            true => Ok(()),
            false => self.table.row(&plug),
        }
    }

    /// Says how it ended; `taken` is why plugs may not have been heard.
    fn conclude(&self, taken: Option<Failure>, expect: Option<usize>) -> Outcome {
        let ui = &self.context.ui;
        if let Ok(inventory) = self.context.inventory() {
            self.context.remember(&inventory, &self.plugs);
        }
        if let (true, Some(taken)) = (self.plugs.is_empty(), taken) {
            return Err(taken);
        }
        if ui.is_json() {
            ui.document(&self.plugs)?;
        }
        let count = self.plugs.len();
        ui.status(paint(
            DIM,
            format_args!(
                "{} in {}",
                counted(count),
                duration::show(self.begin.elapsed())
            ),
        ));
        if let Some(expected) = expect.filter(|expected| count < *expected) {
            ui.error(&Failure::new(
                Kind::NotFound,
                format!("{} found, {expected} expected", counted(count)),
            ));
            return Ok(Exit::with(Kind::NotFound));
        }
        if !ui.is_json() {
            self.advise();
        }
        Ok(Exit::DONE)
    }

    fn advise(&self) {
        let ui = &self.context.ui;
        let nameless = self
            .plugs
            .iter()
            .find(|plug| plug.name.is_none() && plug.family != FamilyId::MODULE);
        if self.plugs.is_empty() {
            ui.hint(hints::NO_PLUG_FOUND);
        } else if let Some(plug) = nameless {
            ui.hint(format_args!(
                "name a plug with `mains name {} <NAME>`",
                plug.mac
            ));
        }
    }
}

fn counted(count: usize) -> String {
    match count {
        0 => "no plug".to_owned(),
        1 => "1 plug".to_owned(),
        _ => format!("{count} plugs"),
    }
}

/// Tells whether a later report shows a person nothing new.
fn looks_the_same(before: &Plug, plug: &Plug) -> bool {
    (before.relay, before.address, before.family, &before.name)
        == (plug.relay, plug.address, plug.family, &plug.name)
}
