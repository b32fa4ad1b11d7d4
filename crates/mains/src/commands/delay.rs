//! `mains delay`: the plug's own timer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};
use plugs::{Minutes, RelayState};
use serde::Serialize;

use super::targets::mac_or_given;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::resolve::{Reach, Target, parse};
use crate::ui::{BOLD, clean, paint};
use api::duration;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The plug itself counts down and switches, also while this computer is off. It counts whole minutes, 1 to 2000 (33h20m). \
A new delay replaces the former one. No command is known to cancel it reliably: `mains on` or `mains off` switches at \
once, but on some firmware the timer may remain. Whether it survives a power cut is unknown.

Examples:
  mains delay kitchen off 30m
  mains delay heater on 1h30m
  mains --json delay kitchen off 30m
    {\"plug\":\"AC:CF:23:12:34:56\",\"relay\":\"off\",\"minutes\":30,\"due\":\"2026-11-22T12:30:00Z\"}

Exit codes: 0 accepted, 2 not whole minutes, 3 no such plug, 4 no reply, 5 refused, 6 unintelligible reply, 7 port 48899 taken.")]
pub struct DelayArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    /// Relay state to switch to: on or off
    #[arg(value_name = "on|off")]
    relay: RelayState,
    /// Delay in whole minutes, e.g. 30m, 2h, 1h30m
    #[arg(value_name = "DURATION", value_parser = minutes, allow_hyphen_values = true)]
    after: Minutes,
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

/// A timer that the plug has accepted.
#[derive(Debug, Serialize)]
struct Delayed {
    plug: String,
    relay: RelayState,
    minutes: u16,
    due: Timestamp,
}

/// Sets the timer.
pub async fn run(context: &Context, args: DelayArgs) -> Outcome {
    let DelayArgs {
        plug: target,
        relay,
        after,
    } = args;
    let reach = Reach::open(context, std::slice::from_ref(&target)).await?;
    let work = reach.delay(&target, relay, after);
    let plug = context.bounded(reach.alongside(work)).await?;
    let due = Timestamp::now() + SignedDuration::from_mins(i64::from(after.count()));
    let due = due.round(jiff::Unit::Second).unwrap_or(due);
    if context.ui.is_json() {
        context.ui.document(&Delayed {
            plug: mac_or_given(&target, plug.mac),
            relay,
            minutes: after.count(),
            due,
        })?;
    } else {
        let name = paint(BOLD, clean(target.as_given()));
        let at = Zoned::new(due, jiff::tz::TimeZone::system()).strftime("%H:%M");
        context.ui.data(format_args!(
            "{name} will switch {relay} in {after} min, at {at}"
        ))?;
    }
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
