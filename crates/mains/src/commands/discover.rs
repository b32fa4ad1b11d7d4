//! `mains discover`: find every plug.

use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use hiflying::DiscoveryWord;
use hiflying::net::Interface;
use plugs::discovery::SEARCH_TIMEOUT;
use plugs::net::{DiscoverEvent, DiscoverOptions, Lan};
use plugs::{FamilyId, Plug};

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::inventory::Inventory;
use crate::plug_table::PlugTable;
use crate::resolve::interfaces::{add_towards, for_scan, none_up, reachable};
use crate::shutdown::Signals;
use crate::ui::{DIM, paint};
use api::duration;

mod through;

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

/// Looks, and prints what answers.
pub async fn run(context: &Context, args: DiscoverArgs) -> Outcome {
    let Some(hub) = through::hub_for(context, &args)? else {
        return from_here(context, args).await;
    };
    match through::run(context, &hub, &args).await {
        Err(failure) if failure.kind() == Kind::Unavailable && !context.names_hub() => {
            context
                .ui
                .status(format_args!("{failure}; the search is made from here"));
            from_here(context, args).await
        }
        outcome => outcome,
    }
}

async fn from_here(context: &Context, args: DiscoverArgs) -> Outcome {
    let inventory = context.inventory()?;
    let interfaces = search_interfaces(context, &args.to)?;
    let lan = context
        .bounded(async { Ok(Lan::open(&interfaces).await?) })
        .await?;
    for error in lan.taken() {
        context.ui.warn(format_args!(
            "{}; an SP-2 is not heard like this",
            Failure::from(error.as_ref())
        ));
    }
    let options = DiscoverOptions {
        wait: bounded_wait(context, &args),
        known: reachable(&interfaces, &inventory),
        to: args.to,
        expect: args.expect,
        words: args.words,
        watch: args.watch,
    };
    let begin = Instant::now();
    let mut finds = Finds::new(context, Some(&inventory), args.watch);
    if args.watch {
        watch(context, &mut finds, lan.discover(options)).await?;
    } else {
        let mut events = lan.discover(options);
        while let Some(event) = events.next().await {
            finds.take(event)?;
        }
    }
    context.remember(&inventory, &finds.plugs);
    if args.watch {
        return Ok(Exit::DONE);
    }
    let taken = lan
        .taken()
        .first()
        .map(|error| Failure::from(error.as_ref()));
    finds.conclude(taken, args.expect, begin.elapsed())
}

/// The interfaces to scan from, and those that lead to the addresses given with `--to`. Who names nothing but loopback
/// addresses is trying emulated plugs: the networks of the house are then left in peace.
fn search_interfaces(context: &Context, to: &[Ipv4Addr]) -> Result<Vec<Interface>, Failure> {
    let only_loopback = !to.is_empty() && to.iter().all(Ipv4Addr::is_loopback);
    let mut interfaces = if only_loopback && context.settings.interfaces.is_empty() {
        Vec::new()
    } else {
        for_scan(context)?
    };
    for address in to {
        add_towards(&mut interfaces, *address);
    }
    if interfaces.is_empty() {
        Err(none_up())
    } else {
        Ok(interfaces)
    }
}

/// `--timeout` bounds the search; what was found by then is still told.
fn bounded_wait(context: &Context, args: &DiscoverArgs) -> Option<Duration> {
    match (args.wait, context.deadline()) {
        (wait, None) => wait,
        (Some(wait), Some(_)) => Some(context.budget(wait)),
        (None, Some(_)) => Some(context.budget(SEARCH_TIMEOUT)),
    }
}

/// Goes on until a signal, the deadline, or until nobody reads any more.
async fn watch(
    context: &Context,
    finds: &mut Finds<'_>,
    mut events: impl Stream<Item = DiscoverEvent> + Unpin,
) -> Result<(), Failure> {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    while !context.ui.is_closed() {
        tokio::select! {
            () = &mut over => break,
            event = events.next() => match event {
                Some(event) => finds.take(event)?,
                None => break,
            },
        }
    }
    Ok(())
}

/// The devices that were found and shown so far.
struct Finds<'a> {
    context: &'a Context,
    /// The source of plugs' names; a hub has its own.
    inventory: Option<&'a Inventory>,
    watch: bool,
    plugs: Vec<Plug>,
    table: PlugTable<'a>,
}

impl<'a> Finds<'a> {
    fn new(context: &'a Context, inventory: Option<&'a Inventory>, watch: bool) -> Self {
        Self {
            context,
            inventory,
            watch,
            plugs: Vec::new(),
            table: PlugTable::new(&context.ui),
        }
    }

    fn take(&mut self, event: DiscoverEvent) -> Result<(), Failure> {
        let (DiscoverEvent::Found(plug) | DiscoverEvent::Updated(plug)) = event else {
            return Ok(());
        };
        let plug = match self.inventory {
            Some(inventory) => Plug {
                name: inventory.name_of(plug.mac).map(str::to_owned),
                ..plug
            },
            None => plug,
        };
        let before = match self.plugs.iter_mut().find(|known| known.mac == plug.mac) {
            Some(known) => Some(std::mem::replace(known, plug.clone())),
            None => {
                self.plugs.push(plug.clone());
                None
            }
        };
        if before.is_some_and(|before| looks_the_same(&before, &plug)) {
            return Ok(());
        }
        match (self.context.ui.is_json(), self.watch) {
            (true, true) => self.context.ui.document(&plug),
            (true, false) => Ok(()),
            (false, _) => self.table.row(&plug),
        }
    }

    /// Says how it ended; `taken` is why plugs may not have been heard.
    fn conclude(&self, taken: Option<Failure>, expect: Option<usize>, took: Duration) -> Outcome {
        let ui = &self.context.ui;
        if let (true, Some(taken)) = (self.plugs.is_empty(), taken) {
            return Err(taken);
        }
        if ui.is_json() {
            ui.document(&self.plugs)?;
        }
        let count = self.plugs.len();
        ui.status(paint(
            DIM,
            format_args!("{} in {}", counted(count), duration::show(took)),
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
            ui.hint(
                "is this computer on the plugs' network, and does its firewall let UDP port 48899 in? A plug that is \
                 fresh from the factory is found by `mains setup`",
            );
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
