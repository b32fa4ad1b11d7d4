//! `mains on`, `off` and `toggle`: switch and confirm.

use std::time::Duration;

use plugs::{Plug, RelayCommand, RelayState};
use serde::Serialize;

use super::targets::{Plugs, TargetOutcome, each, mac_or_given};
use crate::context::Context;
use crate::error::{Failure, Kind, Outcome};
use crate::resolve::{Reach, SwitchedPlug, Target};
use crate::ui::{BOLD, DIM, ON, clean, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay state is read back afterwards: an accepted command without effect is exit code 5, and in JSON \
\"confirmed\":false beside the error.

Examples:
  mains on kitchen
  mains on 192.168.1.107 AC:CF:23:12:34:56
  mains --json on kitchen
    [{\"plug\":\"AC:CF:23:12:34:56\",\"relay\":\"on\",\"confirmed\":true,\"elapsed_ms\":12}]

Exit codes: 0 confirmed, 3 no such plug, 4 no reply, 5 refused or not done, 6 unintelligible reply, 7 port 48899 taken; with \
several plugs that of the first failure in order.")]
pub struct OnArgs {
    #[command(flatten)]
    targets: Plugs,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The relay state is read back afterwards: an accepted command without effect is exit code 5, and in JSON \
\"confirmed\":false beside the error.

Examples:
  mains off kitchen fridge
  mains --timeout 5s off 900000621

Exit codes: 0 confirmed, 3 no such plug, 4 no reply, 5 refused or not done, 6 unintelligible reply, 7 port 48899 taken; with \
several plugs that of the first failure in order.")]
pub struct OffArgs {
    #[command(flatten)]
    targets: Plugs,
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
    targets: Plugs,
}

/// A switched plug.
#[derive(Debug, Serialize)]
struct SwitchResult {
    plug: String,
    relay: Option<RelayState>,
    confirmed: bool,
    elapsed_ms: u64,
    #[serde(skip)]
    elapsed: Duration,
    #[serde(skip)]
    name: Option<String>,
}

/// Switches on.
pub async fn on(context: &Context, args: OnArgs) -> Outcome {
    run(context, &args.targets.plugs, RelayCommand::On).await
}

/// Switches off.
pub async fn off(context: &Context, args: OffArgs) -> Outcome {
    run(context, &args.targets.plugs, RelayCommand::Off).await
}

/// Toggles the relay.
pub async fn toggle(context: &Context, args: ToggleArgs) -> Outcome {
    run(context, &args.targets.plugs, RelayCommand::Toggle).await
}

async fn run(context: &Context, targets: &[Target], action: RelayCommand) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target| {
        let switched = reach.switch(target, action).await?;
        Ok(outcome_of(target, switched))
    };
    each(context, targets, work, |target, switch| {
        if switch.confirmed {
            context.ui.data(sentence(target, switch))
        } else {
            Ok(())
        }
    })
    .await
}

fn outcome_of(target: &Target, outcome: SwitchedPlug) -> TargetOutcome<SwitchResult> {
    let SwitchedPlug {
        plug,
        switched,
        failure,
    } = outcome;
    let failure = (!switched.confirmed)
        .then(|| failure.unwrap_or_else(|| unconfirmed(&plug, switched.relay)));
    let result = SwitchResult {
        plug: mac_or_given(target, plug.mac),
        relay: switched.relay,
        confirmed: switched.confirmed,
        elapsed_ms: u64::try_from(switched.elapsed.as_millis()).unwrap_or(u64::MAX),
        elapsed: switched.elapsed,
        name: plug.name,
    };
    TargetOutcome {
        result: Some(result),
        failure,
    }
}

/// The failure of a plug that accepted a command and did not carry it out, or has not reported since.
fn unconfirmed(plug: &Plug, relay: Option<RelayState>) -> Failure {
    let address = plug.address;
    match relay {
        Some(relay) => Failure::new(
            Kind::Refused,
            format!("the plug at {address} accepted the command, but its relay is still {relay}"),
        )
        .hint("try again; if it stays like that, the relay may be stuck"),
        None => Failure::new(
            Kind::NoAnswer,
            format!(
                "the plug at {address} accepted the command, but has not reported its relay since"
            ),
        )
        .hint(
            "it has probably switched; a firewall here may keep its answers out (UDP port 48899)",
        ),
    }
}

fn sentence(target: &Target, switch: &SwitchResult) -> String {
    let name = paint(
        BOLD,
        clean(switch.name.as_deref().unwrap_or(target.as_given())),
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
