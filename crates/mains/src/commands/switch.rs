//! `mains on`, `off` and `toggle`: switch, and know that it happened.

use std::time::{Duration, Instant};

use plugs::RelayState;
use plugs::net::Switched;
use serde::Serialize;

use super::targets::{Plugs, Told, each, mac_or_given};
use crate::context::Context;
use crate::error::{Failure, Kind, Outcome};
use crate::resolve::{Reach, Target, Turned};
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

/// What a plug did.
#[derive(Debug, Serialize)]
struct Done {
    plug: String,
    relay: Option<RelayState>,
    confirmed: bool,
    elapsed_ms: u64,
    #[serde(skip)]
    name: Option<String>,
}

/// Switches on.
pub async fn on(context: &Context, args: OnArgs) -> Outcome {
    run(context, &args.targets.plugs, Some(RelayState::On)).await
}

/// Switches off.
pub async fn off(context: &Context, args: OffArgs) -> Outcome {
    run(context, &args.targets.plugs, Some(RelayState::Off)).await
}

/// Switches to what the relay is not.
pub async fn toggle(context: &Context, args: ToggleArgs) -> Outcome {
    run(context, &args.targets.plugs, None).await
}

async fn run(context: &Context, targets: &[Target], wanted: Option<RelayState>) -> Outcome {
    let work = async |reach: &Reach<'_>, target: &Target, located| {
        let begin = Instant::now();
        let turned = reach.switch(located, wanted).await?;
        Ok(told(target, turned, begin.elapsed()))
    };
    each(context, targets, work, |target, done| {
        if done.confirmed {
            context.ui.data(sentence(target, done))
        } else {
            Ok(())
        }
    })
    .await
}

fn told(target: &Target, turned: Turned, elapsed: Duration) -> Told<Done> {
    let Turned { switched, said } = turned;
    let failure = (!switched.confirmed).then(|| said.unwrap_or_else(|| unconfirmed(&switched)));
    let done = Done {
        plug: mac_or_given(target, switched.plug.mac),
        relay: switched.relay,
        confirmed: switched.confirmed,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        name: switched.plug.name,
    };
    Told {
        result: Some(done),
        failure,
    }
}

/// What to say of a plug that accepted and did not do it, or has not told since.
fn unconfirmed(switched: &Switched) -> Failure {
    let address = switched.plug.address;
    match switched.relay {
        Some(relay) => Failure::new(
            Kind::Refused,
            format!("the plug at {address} accepted the order, but its relay is still {relay}"),
        )
        .hint("try again; if it stays like that, the relay may be stuck"),
        None => Failure::new(
            Kind::NoAnswer,
            format!(
                "the plug at {address} accepted the order, but has not told its relay state since"
            ),
        )
        .hint(
            "it has probably switched; a firewall here may keep its answers out (UDP port 48899)",
        ),
    }
}

fn sentence(target: &Target, done: &Done) -> String {
    let name = paint(
        BOLD,
        clean(done.name.as_deref().unwrap_or(target.as_given())),
    );
    let relay = match done.relay {
        Some(RelayState::On) => paint(ON, "on"),
        Some(RelayState::Off) => paint(DIM, "off"),
        None => "unknown".to_owned(),
    };
    format!(
        "{name} is {relay} {}",
        paint(
            DIM,
            format_args!("(confirmed after {} ms)", done.elapsed_ms)
        )
    )
}
