//! `mains hue pair`: pair with a bridge by pressing its button.

use std::str::FromStr;

use hue::flow::{device_type, lights, pair};
use hue::net::{self, AcceptCertificate, BridgeConnection, CertificateTrust, NetworkConfig};
use hue::{AppKey, BridgeName, CertificateProblem, HueError, KeyRing, PairOptions, PairedBridge};
use serde_json::json;

use super::bridge::{key_ring, network, time_left};
use super::keys::GivenKey;
use super::operator::TerminalOperator;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue pair`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Press the round button on the bridge before or while this runs; it waits for a minute. The key that the bridge issues is saved in \
hue.json in the state directory, which only you can read, and used from then on. If the bridge still accepts a saved key, there is \
nothing to press. With --app-key-file or MAINS_HUE_KEY a key of another program is saved, if the bridge accepts it.

Square bridges and the Pro use HTTPS. If the certificate is not signed by the vendor, its SHA-256 is shown and you are asked once \
whether to trust it (--trust-certificate or --yes agrees in advance); from then on no other is accepted. Pair again with a bridge \
whose certificate has changed because it was reset.

Examples:
  mains hue pair 192.168.1.20
  mains hue pair 001788fffe010203 --trust-certificate
  mains --json --yes hue pair 192.168.1.20
    {\"bridge\":\"001788fffe010203\",\"paired\":true}

Exit codes: 0 paired, 2 the certificate was not accepted, 3 no such bridge, 4 no reply, 5 the button was not pressed in time, 6 \
not a bridge, or a certificate that is not the bridge's, 7 the key cannot be saved.")]
pub(super) struct HuePairArgs {
    /// Address or id of the bridge
    #[arg(value_name = "BRIDGE")]
    bridge: BridgeName,
    /// Trust the bridge's self-signed certificate without asking; with a SHA-256, only that one
    #[arg(long, value_name = "SHA256", num_args = 0..=1, require_equals = true, default_missing_value = ANY)]
    trust_certificate: Option<TrustedCertificate>,
}

/// The value of `--trust-certificate` without a fingerprint.
const ANY: &str = "any";

/// The certificate that is accepted in advance.
#[derive(Debug, Clone, Copy)]
struct TrustedCertificate(AcceptCertificate);

impl FromStr for TrustedCertificate {
    type Err = hue::fingerprint::FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(match text {
            ANY => AcceptCertificate::Any,
            text => AcceptCertificate::Only(text.parse()?),
        }))
    }
}

/// Pairs with the bridge.
pub(super) async fn run(context: &Context, args: HuePairArgs, given: &GivenKey) -> Outcome {
    let (network, ring) = (network(context)?, key_ring(context)?);
    let given = given.key(&context.ui).await?;
    let connection = connect(context, &network, &ring, &args).await?;
    let known = connection.paired_bridge(&ring)?;
    let now = plugs::now();
    let paired = match (given, known) {
        (Some(key), _) => {
            lights(&connection.client(Some(key.clone()))).await?;
            connection.to_paired(key, now)?
        }
        (None, Some(known)) if connection.still_accepts(&known).await? => {
            context
                .ui
                .status("already paired: the bridge accepts the saved key");
            connection.to_paired(known.key, known.paired_at)?
        }
        (None, _) => {
            // Nobody should walk to the bridge for a key that cannot be saved.
            ring.check().map_err(HueError::from)?;
            connection.to_paired(request_key(context, &connection).await?, now)?
        }
    };
    ring.save(paired.clone()).map_err(HueError::from)?;
    conclude(context, &paired)
}

/// Connects to the bridge, and asks once whether to trust its certificate.
async fn connect(
    context: &Context,
    network: &NetworkConfig,
    ring: &KeyRing,
    args: &HuePairArgs,
) -> Result<BridgeConnection, Failure> {
    let trusted = args.trust_certificate;
    let trusted = trusted.map_or(AcceptCertificate::None, |trusted| trusted.0);
    let trust = |accept| CertificateTrust {
        accept,
        pairing: true,
    };
    let fingerprint = match net::connect(network, ring, &args.bridge, &trust(trusted)).await {
        Err(HueError::Certificate {
            problem: CertificateProblem::Unknown { fingerprint },
            ..
        }) => fingerprint,
        result => return Ok(result?),
    };
    if let AcceptCertificate::Only(expected) = trusted {
        let message = format!(
            "the certificate of bridge {} has the SHA-256 {fingerprint}, not {expected}",
            args.bridge
        );
        return Err(Failure::new(Kind::BadAnswer, message).hint(
            "the connection may be intercepted; if not, give the SHA-256 that the bridge shows now",
        ));
    }
    let question = format!(
        "The certificate of bridge {} is not signed by the vendor. Its SHA-256 is\n  {fingerprint}\nTrust it from now on",
        args.bridge
    );
    if !context.ui.confirm(&question).await? {
        return Err(Failure::usage(
            "the certificate was not accepted, and nothing was sent to the bridge",
        ));
    }
    let accept = AcceptCertificate::Only(fingerprint);
    Ok(net::connect(network, ring, &args.bridge, &trust(accept)).await?)
}

/// Waits for the button to be pressed.
async fn request_key(context: &Context, connection: &BridgeConnection) -> Result<AppKey, Failure> {
    let operator = TerminalOperator::new(&context.ui);
    if connection.identity().id.is_none() {
        let at = connection.address();
        let message =
            format!("the bridge at {at} does not report its id, so its key cannot be saved");
        return Err(Failure::usage(message)
            .hint("use a key of another program with `--app-key-file`, without pairing"));
    }
    // Without a host name the bridge lists this program as `mains`.
    let host = gethostname::gethostname();
    let options = PairOptions {
        device_type: device_type("mains", &host.to_string_lossy()),
        wait: time_left(context, PairOptions::BUTTON_TIMEOUT),
    };
    let key = pair(&connection.client(None), &operator, &options).await;
    key.map_err(|error| operator.failure(error))
}

fn conclude(context: &Context, paired: &PairedBridge) -> Outcome {
    let (ui, id) = (&context.ui, &paired.id);
    if ui.is_json() {
        ui.document(&json!({"bridge": id, "paired": true}))?;
        return Ok(Exit::DONE);
    }
    let name = paired.name.as_deref().unwrap_or("the bridge");
    let name = paint(BOLD, clean(name));
    ui.data(format_args!(
        "paired with {name} ({id}) at {}",
        paired.address
    ))?;
    ui.hint(format_args!(
        "run `mains hue lights {id}` to list its lights"
    ));
    Ok(Exit::DONE)
}
