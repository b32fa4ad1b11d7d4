//! The verbs, one file each: its arguments (`OnArgs` for `on`; their comments are the help) and its `run`.

#![allow(
    missing_docs,
    reason = "a doc comment on the arguments would replace the verb's line in the help"
)]

use std::pin::Pin;

use tokio::runtime::Builder;

use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::wifi;

pub mod at;
pub mod completions;
pub mod delay;
pub mod demo;
pub mod discover;
pub mod emulate;
pub mod energy;
pub mod events;
pub mod group;
pub mod history;
pub mod hub;
pub mod hue;
pub mod man;
pub mod meter;
pub mod name;
pub mod probe;
pub mod rule;
pub mod schedule;
pub mod serve;
pub mod setup;
pub mod status;
pub mod switch;
pub mod tariff;
pub mod version;
pub mod watch;

mod documents;
mod moment;
mod targets;

/// The verbs. The options of a verb are put together when it is the one that was typed: those of all take longer than a
/// short verb.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Find every plug
    Discover(discover::DiscoverArgs),
    /// Switch on, and make sure that it happened
    On(switch::OnArgs),
    /// Switch off, and make sure that it happened
    Off(switch::OffArgs),
    /// Switch to what the relay is not
    Toggle(switch::ToggleArgs),
    /// Show the relay state and presence
    Status(status::StatusArgs),
    /// Read the meter: power, voltage, current, energy
    Meter(meter::MeterArgs),
    /// Show what plugs draw, as it changes
    Watch(watch::WatchArgs),
    /// Let the plug switch itself later
    Delay(delay::DelayArgs),
    /// Show the plug's firmware version
    Version(version::VersionArgs),
    /// Give a plug a name
    Name(name::NameArgs),
    // What only a hub can do.
    /// Show what a plug drew over time
    History(history::HistoryArgs),
    /// Show what plugs used by day or month, and what it cost
    Energy(energy::EnergyArgs),
    /// Switch by the clock and the sun
    Schedule(schedule::ScheduleArgs),
    /// Switch by what a plug does: standby, overload, follow another
    Rule(rule::RuleArgs),
    /// Switch several plugs as one
    Group(group::GroupArgs),
    /// Say what energy costs
    Tariff(tariff::TariffArgs),
    /// Show what happens, as it happens
    Events(events::EventsArgs),
    /// Run the hub: keep contact, remember, switch by clock and rules
    Serve(serve::ServeArgs),
    /// Look after a hub: adopt plugs, back up, check the configuration, tokens
    Hub(hub::HubArgs),

    // What is about the devices themselves.
    /// Put a factory-fresh plug on your Wi-Fi
    Setup(setup::SetupArgs),
    /// Talk to a Wi-Fi module by hand (raw AT console)
    At(at::AtArgs),
    /// Look what a device is: ports, module, family, firmware, open doors
    Probe(probe::ProbeArgs),
    /// Find Hue bridges, take over bulbs that they do not find, move bulbs
    Hue(hue::HueArgs),
    /// Take a tour through an emulated home; no hardware needed
    Demo(demo::DemoArgs),
    /// Run software twins of plugs and bridges, with faults
    Emulate(emulate::EmulateArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page
    Man(man::ManArgs),
}

impl Command {
    /// Tells whether the verb is there to say what is wrong with the configuration.
    pub(crate) fn checks_configuration(&self) -> bool {
        matches!(self, Self::Hub(args) if args.is_check())
    }

    /// Tells whether the verb runs for long with nobody at its side.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Serve(_))
    }
}

/// The work of a verb. Boxed, because the compiler writes out the whole verb for each kind of runtime otherwise.
type Work<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Runs a verb to its end; `definition` is the command line that completions and manual pages describe.
pub fn run(
    context: &Context,
    command: Command,
    definition: impl FnOnce() -> clap::Command,
) -> Outcome {
    let runtime = match &command {
        // One slow request must not hold up the others.
        Command::Serve(_) => Builder::new_multi_thread(),
        // A command is a few packets; threads cost more than they save.
        _ => Builder::new_current_thread(),
    };
    let work: Work<'_> = match command {
        // Without network, so without runtime: help and friends start fast.
        Command::Completions(args) => return completions::run(context, definition(), &args),
        Command::Man(args) => return man::run(context, definition(), &args),
        Command::Discover(args) => network(context, Box::pin(discover::run(context, args))),
        Command::On(args) => network(context, Box::pin(switch::on(context, args))),
        Command::Off(args) => network(context, Box::pin(switch::off(context, args))),
        Command::Toggle(args) => network(context, Box::pin(switch::toggle(context, args))),
        Command::Status(args) => network(context, Box::pin(status::run(context, args))),
        Command::Meter(args) => network(context, Box::pin(meter::run(context, args))),
        Command::Watch(args) => network(context, Box::pin(watch::run(context, args))),
        Command::Delay(args) => network(context, Box::pin(delay::run(context, args))),
        Command::Version(args) => network(context, Box::pin(version::run(context, args))),
        Command::Name(args) => network(context, Box::pin(name::run(context, args))),
        // What only a hub can do: nothing here needs the plugs' own port.
        Command::History(args) => Box::pin(history::run(context, args)),
        Command::Energy(args) => Box::pin(energy::run(context, args)),
        Command::Schedule(args) => Box::pin(schedule::run(context, args)),
        Command::Rule(args) => Box::pin(rule::run(context, args)),
        Command::Group(args) => Box::pin(group::run(context, args)),
        Command::Tariff(args) => Box::pin(tariff::run(context, args)),
        Command::Events(args) => Box::pin(events::run(context, args)),
        Command::Serve(args) => Box::pin(serve::run(context, args)),
        Command::Hub(args) => Box::pin(hub::run(context, args)),
        Command::Demo(args) => network(context, Box::pin(demo::run(context, args))),
        Command::Emulate(args) => network(context, Box::pin(emulate::run(context, args))),
        // Says itself what an earlier one has left.
        Command::Setup(args) => Box::pin(setup::run(context, args)),
        Command::At(args) => network(context, Box::pin(at::run(context, args))),
        Command::Probe(args) => network(context, Box::pin(probe::run(context, args))),
        Command::Hue(args) => network(context, Box::pin(hue::run(context, args))),
    };
    block_on(runtime, work)
}

/// Offers first to put back what a killed `mains setup` may have left of this computer's Wi-Fi.
fn network<'a>(context: &'a Context, work: Work<'a>) -> Work<'a> {
    Box::pin(async move {
        let directory = context.state_directory().ok();
        if let Some(left) = directory.and_then(|directory| wifi::pending(&directory)) {
            wifi::offer(&context.ui, left).await;
        }
        work.await
    })
}

fn block_on(mut runtime: Builder, work: Work<'_>) -> Outcome {
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::local("the runtime cannot be started").caused_by(&error))?;
    let outcome = runtime.block_on(work);
    // A question that was given up still blocks its thread; do not wait for it.
    runtime.shutdown_background();
    outcome
}
