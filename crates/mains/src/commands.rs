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
pub mod harden;
pub mod history;
pub mod hub;
pub mod hue;
pub mod identify;
pub mod inspect_app;
pub mod man;
pub mod meter;
pub mod mqtt;
pub mod name;
pub mod probe;
pub mod record;
pub mod replay;
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
mod hub_config;
mod moment;
mod targets;

// The verbs. The options of a verb are put together when it is the one that was typed: those of all take longer than a
// short verb. No doc comment: the help would begin with it.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum Verb {
    /// Find every plug
    #[command(visible_alias = "scan")]
    Discover(discover::DiscoverArgs),
    /// Switch on and confirm
    On(switch::OnArgs),
    /// Switch off and confirm
    Off(switch::OffArgs),
    /// Toggle the relay
    Toggle(switch::ToggleArgs),
    /// Show the relay state and presence
    #[command(visible_aliases = ["list", "ls"])]
    Status(status::StatusArgs),
    /// Read the meter: power, voltage, current, energy
    Meter(meter::MeterArgs),
    /// Show power and relay states, live
    Watch(watch::WatchArgs),
    /// Set the plug's own timer
    Delay(delay::DelayArgs),
    /// Show the plug's firmware version
    Version(version::VersionArgs),
    /// Give a plug a name
    Name(name::NameArgs),
    /// Click the relay of a plug, to find out which one it is
    Identify(identify::IdentifyArgs),
    // What only a hub can do.
    /// Show a plug's power over time
    History(history::HistoryArgs),
    /// Show energy and cost by day or month
    Energy(energy::EnergyArgs),
    /// Manage schedules: switch by the clock and the sun
    Schedule(schedule::ScheduleArgs),
    /// Manage rules: standby, overload, follow another plug
    Rule(rule::RuleArgs),
    /// Manage groups: switch several plugs as one
    Group(group::GroupArgs),
    /// Manage tariffs: the price of energy
    Tariff(tariff::TariffArgs),
    /// Show the hub's events, live
    Events(events::EventsArgs),
    /// Run the hub: connections, history, schedules, rules, HTTP API
    Serve(serve::ServeArgs),
    /// Administer a hub: plugs, backups, configuration, tokens
    Hub(hub::HubArgs),
    /// Check the connection to an MQTT broker
    Mqtt(mqtt::MqttArgs),

    // What is about the devices themselves.
    /// Put a factory-fresh plug on your Wi-Fi
    Setup(setup::SetupArgs),
    /// Open a raw AT console on a Wi-Fi module
    At(at::AtArgs),
    /// Identify a device: open ports, module, family, firmware, weaknesses
    Probe(probe::ProbeArgs),
    /// Lock a plug down: discovery word, web password, access point, cloud
    Harden(harden::HardenArgs),
    /// List what a vendor's app knows: AT commands, discovery words, ports, hosts, keys
    InspectApp(inspect_app::InspectAppArgs),
    /// Stand between an app and a plug and record what they send
    Record(record::RecordArgs),
    /// Emulate the plug of a recording
    Replay(replay::ReplayArgs),
    /// Manage Hue bridges: find, pair, take over bulbs, move bulbs
    Hue(hue::HueArgs),
    /// Run an emulated home with a hub and its pages; no hardware needed
    Demo(demo::DemoArgs),
    /// Emulate plugs and bridges, with faults
    Emulate(emulate::EmulateArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page
    Man(man::ManArgs),
}

impl Verb {
    /// Returns true for the verb that reports what is wrong with the configuration.
    pub(crate) fn checks_configuration(&self) -> bool {
        matches!(self, Self::Hub(args) if args.is_check())
    }

    /// Returns what a spinner names while the verb takes long; `None` for a verb that keeps printing or asking.
    fn waits_for(&self) -> Option<&'static str> {
        match self {
            Self::Discover(_)
            | Self::On(_)
            | Self::Off(_)
            | Self::Toggle(_)
            | Self::Status(_)
            | Self::Meter(_)
            | Self::Delay(_)
            | Self::Version(_)
            | Self::Name(_)
            | Self::Identify(_)
            | Self::Probe(_) => Some("waiting for replies"),
            Self::History(_)
            | Self::Energy(_)
            | Self::Schedule(_)
            | Self::Rule(_)
            | Self::Group(_)
            | Self::Tariff(_)
            | Self::Hub(_) => Some("waiting for the hub"),
            Self::Mqtt(_) => Some("waiting for the broker"),
            _ => None,
        }
    }

    /// Returns true for a verb that runs unattended.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Serve(_))
    }

    /// Returns true for a verb that leaves nothing in the directories of the user.
    pub(crate) fn keeps_to_itself(&self) -> bool {
        matches!(self, Self::Demo(_))
    }
}

/// The work of a verb. Boxed, because the compiler writes out the whole verb for each kind of runtime otherwise.
type Work<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Runs a verb to its end; `definition` is the command line that completions and manual pages describe.
#[inline(never)]
pub fn run(
    context: &Context,
    command: Verb,
    definition: impl FnOnce() -> clap::Command,
) -> Outcome {
    let runtime = match &command {
        // One slow request must not hold up the others.
        Verb::Serve(_) => Builder::new_multi_thread(),
        // A command is a few packets; threads cost more than they save.
        _ => Builder::new_current_thread(),
    };
    let waits_for = command.waits_for();
    let work: Work<'_> = match command {
        // Without network, so without runtime: help and friends start fast.
        Verb::Completions(args) => return completions::run(context, definition(), &args),
        Verb::Man(args) => return man::run(context, definition(), &args),
        Verb::Discover(args) => network(context, boxed(|| discover::run(context, args))),
        Verb::On(args) => network(context, boxed(|| switch::on(context, args))),
        Verb::Off(args) => network(context, boxed(|| switch::off(context, args))),
        Verb::Toggle(args) => network(context, boxed(|| switch::toggle(context, args))),
        Verb::Status(args) => network(context, boxed(|| status::run(context, args))),
        Verb::Meter(args) => network(context, boxed(|| meter::run(context, args))),
        Verb::Watch(args) => network(context, boxed(|| watch::run(context, args))),
        Verb::Delay(args) => network(context, boxed(|| delay::run(context, args))),
        Verb::Version(args) => network(context, boxed(|| version::run(context, args))),
        Verb::Name(args) => network(context, boxed(|| name::run(context, args))),
        Verb::Identify(args) => network(context, boxed(|| identify::run(context, args))),
        // What only a hub can do: nothing here needs the plugs' own port.
        Verb::History(args) => boxed(|| history::run(context, args)),
        Verb::Energy(args) => boxed(|| energy::run(context, args)),
        Verb::Schedule(args) => boxed(|| schedule::run(context, args)),
        Verb::Rule(args) => boxed(|| rule::run(context, args)),
        Verb::Group(args) => boxed(|| group::run(context, args)),
        Verb::Tariff(args) => boxed(|| tariff::run(context, args)),
        Verb::Events(args) => boxed(|| events::run(context, args)),
        Verb::Serve(args) => boxed(|| serve::run(context, args)),
        Verb::Hub(args) => boxed(|| hub::run(context, args)),
        Verb::Mqtt(args) => boxed(|| mqtt::run(context, args)),
        // Not even what an earlier `setup` has left is looked for.
        Verb::Demo(args) => boxed(|| demo::run(context, args)),
        Verb::Emulate(args) => network(context, boxed(|| emulate::run(context, args))),
        Verb::InspectApp(args) => boxed(|| inspect_app::run(context, args)),
        Verb::Record(args) => network(context, boxed(|| record::run(context, args))),
        Verb::Replay(args) => network(context, boxed(|| replay::run(context, args))),
        // Reports itself what an earlier one has left.
        Verb::Setup(args) => boxed(|| setup::run(context, args)),
        Verb::At(args) => network(context, boxed(|| at::run(context, args))),
        Verb::Probe(args) => network(context, boxed(|| probe::run(context, args))),
        Verb::Harden(args) => network(context, boxed(|| harden::run(context, args))),
        Verb::Hue(args) => network(context, boxed(|| hue::run(context, args))),
    };
    match waits_for {
        Some(what) => block_on(runtime, Box::pin(context.ui.waiting(what, work))),
        None => block_on(runtime, work),
    }
}

/// Makes the work of a verb in a stack frame of its own: the frame of [`run`] would hold room for the work of every verb, and each
/// page of a frame is touched when it is entered.
#[inline(never)]
fn boxed<'a, F: Future<Output = Outcome> + 'a>(make: impl FnOnce() -> F) -> Work<'a> {
    Box::pin(make())
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
