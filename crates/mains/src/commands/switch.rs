//! `mains on`, `off` and `toggle`: switch and confirm.

use std::time::Duration;

use api::text::not_switched;
use plugs::{Capability, Plug, RelayCommand, RelayState, families};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::targets::{Selection, SwitchPlugs, TargetOutcome, each, mac_or_given};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::resolve::{Reach, SwitchedPlug, Target};
use crate::ui::{BOLD, DIM, ON, clean, paint};

/// Time after switching off in which the meter must stop showing power.
const AFTER_OFF_TIMEOUT: Duration = Duration::from_secs(4);
/// Time for one reading of it.
const AFTER_OFF_READING_TIMEOUT: Duration = Duration::from_millis(1500);
/// Interval between two readings in that time.
const AFTER_OFF_INTERVAL: Duration = Duration::from_secs(1);
/// Power below which nothing is said: a meter can show the noise of its own measurement.
const MIN_DRAWN_WATTS: f64 = 2.0;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay state is read back afterwards: an accepted command without effect is exit code 5, and in JSON \
\"confirmed\":false beside the error.

Examples:
  mains on kitchen
  mains on 192.168.1.107 AC:CF:23:12:34:56
  mains on lamps                             # a group of the hub
  mains --json on kitchen
    [{\"plug\":\"AC:CF:23:12:34:56\",\"relay\":\"on\",\"confirmed\":true,
      \"elapsed_ms\":12}]

Exit codes: 0 confirmed, 3 no such plug, 4 no reply, 5 refused or not done, 6 unintelligible reply, 7 port 48899 taken; with \
several plugs that of the first failure in order.")]
pub struct OnArgs {
    #[command(flatten)]
    targets: SwitchPlugs,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay state is read back afterwards: an accepted command without effect is exit code 5, and in JSON \
\"confirmed\":false beside the error.

Then the meter, if there is one, is read: where it still shows power the relay may be welded, which is a warning and in JSON \
\"still_drawing_w\".

Examples:
  mains off kitchen fridge
  mains off --all
  mains --timeout 5s off 900000621

Exit codes: 0 confirmed, 3 no such plug, 4 no reply, 5 refused or not done, 6 unintelligible reply, 7 port 48899 taken; with \
several plugs that of the first failure in order.")]
pub struct OffArgs {
    #[command(flatten)]
    targets: SwitchPlugs,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay state is read first, then switched and confirmed as with `mains on`.

Example:
  mains toggle tv

Exit codes: 0 confirmed, 3 no such plug, 4 no reply, 5 refused or not done, 6 unintelligible reply, 7 port 48899 taken; with \
several plugs that of the first failure in order.")]
pub struct ToggleArgs {
    #[command(flatten)]
    targets: SwitchPlugs,
}

/// A switched plug.
#[derive(Debug, Serialize)]
struct SwitchResult {
    plug: String,
    relay: Option<RelayState>,
    confirmed: bool,
    elapsed_ms: u64,
    /// Power in watts that the meter still shows after the plug was switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_drawing_w: Option<f64>,
    #[serde(skip)]
    elapsed: Duration,
    #[serde(skip)]
    name: Option<String>,
}

/// Switches on.
pub async fn on(context: &Context, args: OnArgs) -> Outcome {
    run(context, &args.targets, RelayCommand::On).await
}

/// Switches off.
pub async fn off(context: &Context, args: OffArgs) -> Outcome {
    run(context, &args.targets, RelayCommand::Off).await
}

/// Toggles the relay.
pub async fn toggle(context: &Context, args: ToggleArgs) -> Outcome {
    run(context, &args.targets, RelayCommand::Toggle).await
}

async fn run(context: &Context, targets: &SwitchPlugs, action: RelayCommand) -> Outcome {
    let question = match action {
        RelayCommand::On => "Switch on",
        RelayCommand::Off => "Switch off",
        RelayCommand::Toggle => "Toggle",
    };
    if targets.plugs.is_empty() {
        context
            .ui
            .need_agreement(&format!("{question} every plug"))?;
    }
    let selection = Selection {
        question: Some(question),
        ..Selection::of(&targets.plugs, Capability::Switch)
    };
    let work = async |reach: &Reach<'_>, target: &Target| {
        let outcome = reach.switch(target, action).await?;
        let is_off = outcome.switched.confirmed && outcome.switched.relay == Some(RelayState::Off);
        let still_drawing_w = match is_off && action == RelayCommand::Off {
            true => still_drawing(context, reach, target, &outcome.plug).await,
            false => None,
        };
        Ok(outcome_of(target, action, outcome, still_drawing_w))
    };
    each(context, selection, work, |target, switch| {
        if switch.confirmed {
            context.ui.data(sentence(target, switch))
        } else {
            Ok(())
        }
    })
    .await
}

/// Reads the meter of a plug that is off, again while it still shows power: the meter follows the relay with a delay, and a relay
/// whose contacts have welded together conducts in either position.
async fn still_drawing(
    context: &Context,
    reach: &Reach<'_>,
    target: &Target,
    plug: &Plug,
) -> Option<f64> {
    if !families::all().can(plug.family, Capability::Meter) {
        return None;
    }
    let deadline = Instant::now() + context.budget(AFTER_OFF_TIMEOUT).mul_f64(0.9);
    let mut drawn = None;
    loop {
        let end = deadline.min(Instant::now() + AFTER_OFF_READING_TIMEOUT);
        let reading = timeout_at(end, reach.meter(target)).await;
        // Without a reading there is nothing to warn of.
        let Ok(Ok(reading)) = reading else { break };
        drawn = reading.power_w.filter(|watts| *watts >= MIN_DRAWN_WATTS);
        if drawn.is_none()
            || timeout_at(deadline, sleep(AFTER_OFF_INTERVAL))
                .await
                .is_err()
        {
            break;
        }
    }
    if let Some(watts) = drawn {
        let name = clean(plug.name.as_deref().unwrap_or(target.shown()));
        context.ui.warn(format_args!(
            "{name} is off, but still draws {watts:.0} W: its relay may be welded; unplug it"
        ));
    }
    drawn
}

fn outcome_of(
    target: &Target,
    action: RelayCommand,
    outcome: SwitchedPlug,
    still_drawing_w: Option<f64>,
) -> TargetOutcome<SwitchResult> {
    let SwitchedPlug { plug, switched } = outcome;
    let mac = mac_or_given(target, plug.mac);
    let failure = (!switched.confirmed).then(|| {
        let name = plug.name.as_deref().unwrap_or(&mac);
        Failure::from(not_switched(name, action, switched.relay))
    });
    let result = SwitchResult {
        plug: mac,
        relay: switched.relay,
        confirmed: switched.confirmed,
        elapsed_ms: u64::try_from(switched.elapsed.as_millis()).unwrap_or(u64::MAX),
        still_drawing_w,
        elapsed: switched.elapsed,
        name: plug.name,
    };
    TargetOutcome {
        result: Some(result),
        failure,
    }
}

fn sentence(target: &Target, switch: &SwitchResult) -> String {
    let name = paint(
        BOLD,
        clean(switch.name.as_deref().unwrap_or(target.shown())),
    );
    let relay = match switch.relay {
        Some(RelayState::On) => paint(ON, "on"),
        Some(RelayState::Off) => paint(DIM, "off"),
        None => "unknown".to_owned(),
    };
    let elapsed = milliseconds(switch.elapsed);
    let confirmed = paint(DIM, format_args!("(confirmed in {elapsed} ms)"));
    format!("{name} is {relay} {confirmed}")
}

/// Writes a duration in milliseconds, with one decimal where that tells anything.
fn milliseconds(elapsed: Duration) -> String {
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    match milliseconds < 10.0 {
        true => format!("{milliseconds:.1}"),
        false => format!("{milliseconds:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_have_a_decimal() {
        for (micros, shown) in [
            (400, "0.4"),
            (9_960, "10.0"),
            (12_400, "12"),
            (2_500_000, "2500"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), shown);
        }
    }
}
