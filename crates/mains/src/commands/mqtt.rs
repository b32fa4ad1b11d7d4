//! `mains mqtt …`: the connection to an MQTT broker.

use ::mqtt::check::{CheckReport, check};
use ::mqtt::config::BrokerUrl;
use ::mqtt::error::MqttError;
use serde_json::{Value, json};

use crate::config::Sources;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::secret::shield;
use crate::ui::{BAD, GOOD, clean, paint};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
`mains serve` publishes the plugs to the broker under `[mqtt]` in mains.toml, and obeys commands from it. \
`mains help serve` lists the keys.

Example:
  mains mqtt check

Exit codes: 0 done, 2 a wrong configuration, 8 the broker cannot be used.")]
pub struct MqttArgs {
    #[command(subcommand)]
    command: MqttVerb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
enum MqttVerb {
    /// Check the connection to the broker: connect, publish, read back
    Check(MqttCheckArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Connects as `mains serve` would, publishes a message that the broker does not keep on the topic `bridge/check` below the base \
topic, and reads it back. The first step that fails ends the check. A hub may be running; it is not disturbed.

With --json: {\"broker\",\"steps\":[{\"step\",\"ok\",\"detail\"}]} with the steps resolve, connect, tls, login, publish and \
read_back; after a failure also `error`.

Examples:
  mains mqtt check
  mains mqtt check mqtt://127.0.0.1
  MAINS_MQTT_PASSWORD=… mains mqtt check

Exit codes: 0 the broker can be used, 2 a wrong configuration, 8 a step failed.")]
struct MqttCheckArgs {
    /// Broker to check [default: the configured one]
    #[arg(value_name = "URL")]
    url: Option<BrokerUrl>,
}

/// Runs the verb.
pub async fn run(context: &Context, args: MqttArgs) -> Outcome {
    match args.command {
        MqttVerb::Check(args) => context.bounded(run_check(context, args)).await,
    }
}

async fn run_check(context: &Context, args: MqttCheckArgs) -> Outcome {
    let mut sources = Sources::read(&context.settings.options);
    let layer = &mut sources.layer.mqtt;
    layer.url = args.url.map(Into::into).or(layer.url.take());
    let config = sources
        .mqtt_config(context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    let config = config.ok_or_else(|| {
        Failure::usage("no MQTT broker is configured")
            .hint("set `url` under `[mqtt]` in mains.toml, or name the broker: `mains mqtt check mqtt://127.0.0.1`")
    })?;
    shield();
    let broker = config.url.to_string();
    let report = check(&config)
        .await
        .map_err(|error| failure(Kind::Usage, &error))?;
    show(context, &broker, &report)
}

fn show(context: &Context, broker: &str, report: &CheckReport) -> Outcome {
    let ui = &context.ui;
    let failure = report
        .error
        .as_ref()
        .map(|error| failure(Kind::Unavailable, error));
    if ui.is_json() {
        let mut document = json!({"broker": broker, "steps": report.steps});
        if let (Some(failure), Value::Object(fields)) = (&failure, &mut document) {
            fields.insert("error".to_owned(), json!(failure));
        }
        ui.document(&document)?;
    } else {
        for result in &report.steps {
            let mark = if result.ok {
                paint(GOOD, "ok    ")
            } else {
                paint(BAD, "failed")
            };
            let step = result.step.to_string();
            ui.data(format_args!("{mark} {step:<9} {}", clean(&result.detail)))?;
        }
        if let Some(failure) = &failure {
            ui.error(failure);
        }
    }
    Ok(failure.map_or(Exit::DONE, |failure| Exit::with(failure.kind())))
}

fn failure(kind: Kind, error: &MqttError) -> Failure {
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
