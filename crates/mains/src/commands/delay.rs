//! `mains delay`: the plugs' own timers.

use std::time::Duration;

use api::duration;
use api::text::LocalClock;
use hiflying::Mac;
use jiff::{SignedDuration, Timestamp};
use plugs::plug::UNKNOWN_MAC;
use plugs::{Minutes, RelayState};
use serde::Serialize;
use serde_json::json;

use super::identify::{move_to, relay_unknown};
use super::targets::mac_or_given;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::{Reach, Target, parse};
use crate::timers::{self, PendingTimer};
use crate::ui::table::{Cell, Table};
use crate::ui::{BOLD, clean, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The plug itself counts down and switches, also while this computer is off. It counts whole minutes, 1 to 2000 (33h20m); an \
Orvibo S20 1 to 1092 (18h12m). \
A new delay replaces the former one. Whether it survives a power cut is unknown.

Without a PLUG it lists the timers that were set from this computer and are not due yet; a plug does not tell its own. No \
command is known to cancel a timer reliably: --cancel switches the plug to where it is, which ends the timer on some firmware; \
on others it may remain.

Examples:
  mains delay kitchen off 30m
  mains delay heater on 1h30m
  mains delay
  mains delay kitchen --cancel
  mains --json delay kitchen off 30m
    {\"plug\":\"AC:CF:23:12:34:56\",\"relay\":\"off\",\"minutes\":30,
      \"due\":\"2026-11-22T12:30:00Z\"}

JSON: the timer; without a PLUG an array of them.

Exit codes: 0 accepted, 2 not whole minutes, 3 no such plug, 4 no reply, 5 refused, 6 unintelligible reply, 7 port 48899 taken.")]
pub struct DelayArgs {
    /// Name, MAC, serial number or IPv4 address [default: list the timers]
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Option<Target>,
    /// Relay state to switch to: on or off
    #[arg(value_name = "on|off", requires = "after")]
    relay: Option<RelayState>,
    /// Delay in whole minutes, e.g. 30m, 2h, 1h30m
    #[arg(value_name = "DURATION", value_parser = minutes, allow_hyphen_values = true)]
    after: Option<Minutes>,
    /// Cancel the timer, as far as the firmware does
    #[arg(long, requires = "plug", conflicts_with = "relay")]
    cancel: bool,
}

/// Reads a duration that the plug can count.
fn minutes(text: &str) -> Result<Minutes, String> {
    let after = duration::parse(text)?;
    let minutes = after.as_secs() / 60;
    if Duration::from_secs(minutes * 60) != after {
        return Err("the plug counts whole minutes; write `1m`, `30m` or `2h`".to_owned());
    }
    let counted = u16::try_from(minutes)
        .ok()
        .and_then(|minutes| Minutes::new(minutes).ok());
    counted.ok_or_else(|| "the plug's timer ends at 2000 minutes (33h20m)".to_owned())
}

/// A timer that the plug has accepted, as it is printed.
#[derive(Debug, Serialize)]
struct AcceptedTimer {
    plug: String,
    relay: RelayState,
    minutes: u16,
    due: Timestamp,
}

/// Sets, lists or cancels timers.
pub async fn run(context: &Context, args: DelayArgs) -> Outcome {
    let Some(target) = args.plug else {
        return list(context);
    };
    match (args.relay, args.after) {
        (Some(relay), Some(after)) => set(context, &target, relay, after).await,
        _ if args.cancel => cancel(context, &target).await,
        _ => {
            let given = clean(target.as_given());
            let message = format!("the relay state and the delay of {given} are missing");
            Err(Failure::usage(message)
                .hint("`mains delay kitchen off 30m` sets a timer, `--cancel` cancels it"))
        }
    }
}

async fn set(context: &Context, target: &Target, relay: RelayState, after: Minutes) -> Outcome {
    let reach = Reach::open(context, std::slice::from_ref(target)).await?;
    let work = reach.delay(target, relay, after);
    let plug = context.bounded(reach.alongside(work)).await?;
    let due = plugs::now() + SignedDuration::from_mins(i64::from(after.count()));
    let due = due.round(jiff::Unit::Second).unwrap_or(due);
    let timer = AcceptedTimer {
        plug: mac_or_given(target, plug.mac),
        relay,
        minutes: after.count(),
        due,
    };
    if context.ui.is_json() {
        context.ui.document(&timer)?;
    } else {
        let name = paint(BOLD, clean(target.shown()));
        let at = LocalClock::system().moment(due);
        context.ui.data(format_args!(
            "{name} will switch {relay} in {after} min: {at}"
        ))?;
    }
    if plug.mac != UNKNOWN_MAC {
        remember(
            context,
            plug.mac,
            Some(PendingTimer::new(plug.mac, relay, after, due)),
        );
    }
    reach.remember();
    Ok(Exit::DONE)
}

/// Writes down a timer, or that there is none any more. A failure is a warning: the plug has the timer.
fn remember(context: &Context, plug: Mac, timer: Option<PendingTimer>) {
    let directory = context.state_directory();
    if let Err(failure) = directory.and_then(|directory| timers::replace(&directory, plug, timer)) {
        let told = format!("`mains delay` will not list this: {failure}");
        context.ui.warn(clean(&told));
    }
}

fn list(context: &Context) -> Outcome {
    let timers = timers::pending(&context.state_directory()?)?;
    if context.ui.is_json() {
        context.ui.document(&timers)?;
        return Ok(Exit::DONE);
    }
    if timers.is_empty() {
        context
            .ui
            .status("no timer that was set from here is pending");
        return Ok(Exit::DONE);
    }
    let inventory = context.inventory()?;
    let clock = LocalClock::system();
    let mut table = Table::new(["PLUG", "SWITCHES", "DUE"]);
    for timer in timers {
        let name = inventory.name_of(timer.plug).map(str::to_owned);
        table.row([
            Cell::styled(BOLD, name.unwrap_or_else(|| timer.plug.to_string())),
            Cell::plain(timer.relay),
            Cell::plain(clock.moment(timer.due)),
        ]);
    }
    context.ui.data(table.render())?;
    Ok(Exit::DONE)
}

/// Switches the plug to where it is, which ends its timer on some firmware.
async fn cancel(context: &Context, target: &Target) -> Outcome {
    let reach = Reach::open(context, std::slice::from_ref(target)).await?;
    let work = async {
        let plug = reach.presence(target).await?;
        let relay = plug.relay.ok_or_else(|| relay_unknown(&plug))?;
        move_to(&reach, target, relay).await?;
        Ok((plug, relay))
    };
    let (plug, relay) = context.bounded(reach.alongside(work)).await?;
    remember(context, plug.mac, None);
    if context.ui.is_json() {
        context
            .ui
            .document(&json!({"plug": mac_or_given(target, plug.mac), "relay": relay, "minutes": null, "due": null}))?;
    } else {
        let name = paint(BOLD, clean(target.shown()));
        context
            .ui
            .data(format_args!("{name} stays {relay}; its timer is cancelled"))?;
    }
    context.ui.warn(
        "on some firmware a timer remains after it was cancelled; look again when it was due",
    );
    reach.remember();
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plug_counts_whole_minutes() {
        for (text, expected) in [
            ("30m", 30),
            ("2h", 120),
            ("60s", 1),
            ("1m", 1),
            ("2000m", 2000),
            ("33h20m", 2000),
        ] {
            assert_eq!(minutes(text).map(Minutes::count), Ok(expected), "{text}");
        }
        for text in [
            "90s", "59s", "500ms", "2001m", "34h", "0m", "30", "-5m", "soon", "9999999m",
        ] {
            assert!(minutes(text).is_err(), "{text}");
        }
        assert!(minutes("90s").unwrap_err().contains("whole minutes"));
    }
}
