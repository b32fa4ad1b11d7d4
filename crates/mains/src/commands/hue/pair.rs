//! `mains hue pair`: become known to a bridge, by its button.

use std::str::FromStr;

use hue::flow::{device_type, lights, pair};
use hue::net::{self, Accept, Connection, Lan, Trust};
use hue::{AppKey, BridgeName, CertificateProblem, Entry, HueError, KeyRing, PairOptions};
use jiff::Timestamp;
use serde_json::json;

use super::bridge::{key_ring, lan, patience};
use super::guide::TerminalGuide;
use super::keys::Given;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue pair`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Press the round button on the bridge before or while this runs; it waits for a minute. The key that the bridge gives is kept \
in hue.json in the state directory, which only you can read, and is used from then on. Where there is a key that the bridge \
still takes, nothing is asked of it. With --app-key-file a key that you have from another program is kept, if the bridge \
takes it.

Square bridges and the Pro speak HTTPS. Where the certificate is not signed by the vendor, its SHA-256 is shown, and you are \
asked once whether it is the bridge's (--trust-certificate or --yes agrees in advance); from then on no other is taken. A bridge \
whose certificate has changed, because it was reset, must be paired again.

Examples:
  mains hue pair 192.168.1.20
  mains hue pair 001788fffe010203 --trust-certificate
  mains --json --yes hue pair 192.168.1.20
    {\"bridge\":\"001788fffe010203\",\"paired\":true}

Exit codes: 0 paired, 2 the certificate was not agreed to, 3 no such bridge, 4 no answer, 5 the button was not pressed in time, \
6 not a bridge, or a certificate that is not the bridge's, 7 the key cannot be kept.")]
pub(super) struct HuePairArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Agree to the bridge's own certificate without being asked; with a SHA-256 to that one only
    #[arg(long, value_name = "SHA256", num_args = 0..=1, require_equals = true, default_missing_value = ANY)]
    trust_certificate: Option<Agreed>,
}

/// The word for [`HuePairArgs::trust_certificate`] without a fingerprint.
const ANY: &str = "any";

/// Which certificate is agreed to in advance.
#[derive(Debug, Clone, Copy)]
struct Agreed(Accept);

impl FromStr for Agreed {
    type Err = hue::fingerprint::FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            ANY => Ok(Self(Accept::Any)),
            text => text
                .parse()
                .map(|fingerprint| Self(Accept::This(fingerprint))),
        }
    }
}

/// Becomes known to the bridge.
pub(super) async fn run(context: &Context, args: HuePairArgs, given: &Given) -> Outcome {
    let (lan, ring) = (lan(context)?, key_ring(context)?);
    let named = given.named(&context.ui).await?;
    let connection = reach(context, &lan, &ring, &args).await?;
    let known = connection.kept_in(&ring)?;
    let now = Timestamp::now();
    let entry = match (named, known) {
        (Some(key), _) => {
            lights(&connection.bridge(Some(key.clone()))).await?;
            connection.entry(key, now)?
        }
        (None, Some(known)) if connection.still_takes(&known).await? => {
            context
                .ui
                .status("paired already: the bridge takes the key that is kept");
            connection.entry(known.key, known.paired_at)?
        }
        (None, _) => {
            // Better said before somebody walks to the bridge.
            ring.check().map_err(HueError::from)?;
            connection.entry(press(context, &connection).await?, now)?
        }
    };
    ring.keep(entry.clone()).map_err(HueError::from)?;
    conclude(context, &entry)
}

/// Reaches the bridge, and asks once whether its certificate is to be believed.
async fn reach(
    context: &Context,
    lan: &Lan,
    ring: &KeyRing,
    args: &HuePairArgs,
) -> Result<Connection, Failure> {
    let Agreed(agreed) = args.trust_certificate.unwrap_or(Agreed(Accept::None));
    let trust = |accept| Trust {
        accept,
        pairing: true,
    };
    let fingerprint = match net::reach(lan, ring, &args.bridge, &trust(agreed)).await {
        Err(HueError::Certificate {
            problem: CertificateProblem::Unknown { fingerprint },
            ..
        }) => fingerprint,
        done => return Ok(done?),
    };
    if let Accept::This(expected) = agreed {
        let message = format!(
            "the certificate of bridge {} has the SHA-256 {fingerprint}, not {expected}",
            args.bridge
        );
        return Err(Failure::new(Kind::BadAnswer, message).hint(
            "somebody may stand between; if not, take the SHA-256 that the bridge shows now",
        ));
    }
    let question = format!(
        "The vendor has not signed the certificate of bridge {}. Its SHA-256 is\n  {fingerprint}\nIs it to be trusted from now on",
        args.bridge
    );
    if !context.ui.confirm(&question).await? {
        return Err(Failure::usage(
            "the certificate was not agreed to, and nothing was sent to the bridge",
        ));
    }
    Ok(net::reach(lan, ring, &args.bridge, &trust(Accept::This(fingerprint))).await?)
}

/// Waits for the button.
async fn press(context: &Context, connection: &Connection) -> Result<AppKey, Failure> {
    let guide = TerminalGuide::new(&context.ui);
    if connection.identity().id.is_none() {
        let at = connection.address();
        let message =
            format!("the bridge at {at} does not tell its id, so its key could not be kept");
        return Err(Failure::usage(message)
            .hint("with a key from another program `--app-key-file` works without pairing"));
    }
    let host = nix::unistd::gethostname().unwrap_or_default();
    let options = PairOptions {
        device_type: device_type("mains", &host.to_string_lossy()),
        wait: patience(context, PairOptions::WAIT),
    };
    let paired = pair(&connection.bridge(None), &guide, &options).await;
    Ok(paired.map_err(|error| guide.failure(error))?.key)
}

fn conclude(context: &Context, entry: &Entry) -> Outcome {
    let ui = &context.ui;
    if ui.is_json() {
        ui.document(&json!({"bridge": entry.id, "paired": true}))?;
        return Ok(Exit::DONE);
    }
    let name = entry.name.as_deref().unwrap_or("the bridge");
    ui.data(format_args!(
        "paired with {} ({}) at {}",
        paint(BOLD, clean(name)),
        entry.id,
        entry.address
    ))?;
    ui.hint(format_args!(
        "`mains hue lights {}` shows what it has",
        entry.id
    ));
    Ok(Exit::DONE)
}
