//! `mains serve`: the hub.

use std::sync::Arc;
use std::time::Duration;

use hiflying::net::select;
use hub::{Config, Guest, HubReady};
use mqtt::MqttBridge;
use mqtt::config::BrokerUrl;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use web::Pages;

use super::hub_config;
use crate::config::{Listen, Sources};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::help::help_of;
use crate::secret::shield;
use crate::service_manager::{self, ServiceArgs};
use crate::shutdown::Signals;
use crate::ui::{DIM, paint};

/// Time limit of an orderly end; after it the hub is cut off, so that the computer can shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(4_800);

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
The hub keeps a connection to each adopted plug, records its energy, switches by schedules and rules, and serves it all \
over HTTP to this computer. It runs until ", help_of!(end_signals), ", and ends within 5 seconds. When ready it prints one line on \
stdout, a link that logs in one browser, once (`mains hub login-url` prints another). With --json the line is \
{\"url\",\"login_url\"}. Everything else goes to stderr as log lines.

", help_of!(service), "

Other `mains` of the same user on this computer use it automatically. Plugs that it finds are offered, but not contacted until `mains hub \
adopt`; at the first start those that have a name (`mains name`) are adopted. A second hub with the same state directory or address ends with code 7. Other computers can reach it only if \
`listen` allows it, which requires a password (`mains hub password`).

Keys of the configuration file, each with its default. Each can come from the environment as well: `listen` in [hub] is \
MAINS_HUB_LISTEN, `latitude` in [place] is MAINS_PLACE_LATITUDE; lists are separated by commas.
  [hub]
  site = \"\"                    # name of this site, where one database holds several
  listen = \"127.0.0.1:8480\"
  hosts = []                   # further host names for browsers
  certificate = \"\"             # with `key`: HTTPS; both PEM files
  key = \"\"
  interfaces = []              # as --interface; default: all that are up
  adopt = false                # adopt every plug that is found
  metering = \"10s\"             # interval between readings
  scan = \"5s\"                  # interval between scans
  database = \"\"                # default: mains.sqlite; or postgres://…
  database_password_file = \"\"  # or MAINS_HUB_DATABASE_PASSWORD
  database_ca_file = \"\"        # certificates to trust for it
  spool = \"1GB\"                # file in which readings wait for PostgreSQL; 0: none
  keep_readings = \"7d\"         # period of raw readings
  keep_minutes = \"90d\"         # period of minute means; quarter hours stay
  backup = \"off\"               # interval between backups, e.g. 1d
  backup_directory = \"\"        # default: backups in the state directory
  keep_backups = 7             # older ones are removed
  [place]
  latitude = 52.52             # for sunrise and sunset
  longitude = 13.40
  timezone = \"Europe/Berlin\"   # default: that of this computer
  [web]
  base_path = \"\"               # prefix of all paths, e.g. \"/mains\" behind a proxy
  frame_ancestors = []         # origins that may frame pages: [\"https://home.example\"]
  trusted_proxies = []         # addresses whose X-Forwarded-… and X-Ingress-Path headers count
  ingress_login = \"off\"        # access of whom they name by X-Remote-User-Id: off, read or admin
  [mqtt]
  url = \"\"                     # e.g. mqtt://127.0.0.1:1883 or mqtts://…; empty: no MQTT
  base = \"mains\"               # first levels of the topics
  username = \"\"
  password_file = \"\"           # or MAINS_MQTT_PASSWORD
  ca_file = \"\"                 # certificates to trust for mqtts
  certificate_file = \"\"        # with `key_file`: client certificate; both PEM files
  key_file = \"\"
  discovery = \"entity\"         # of Home Assistant: entity, device or off
  discovery_prefix = \"homeassistant\"

And to use a hub on another computer, in [hub]:
  url = \"http://192.168.1.5:8480\"
  token_file = \"\"              # or MAINS_TOKEN
  ca_file = \"\"                 # certificates to trust for https

Examples:
  mains serve
  mains serve --adopt --interface eth0
  mains serve --listen 127.0.0.1:9000
  mains serve --mqtt mqtt://127.0.0.1

Exit codes: 0 ended by a signal, 2 a wrong configuration, 7 another hub has the state directory or the address, or port 48899 \
is taken, 8 the database cannot be used."))]
pub struct ServeArgs {
    /// Listen on this address instead of the configured one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<Listen>,
    /// Adopt every plug that is found
    #[arg(long)]
    adopt: bool,
    /// Publish to this MQTT broker, e.g. mqtt://127.0.0.1
    #[arg(long, value_name = "URL")]
    mqtt: Option<BrokerUrl>,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Runs a hub until a signal comes.
pub async fn run(context: &Context, args: ServeArgs) -> Outcome {
    if let Some(outcome) = args.service.apply(&context.ui) {
        return outcome;
    }
    let mut signals = Signals::listen()?;
    let sources = sources(context, &args);
    let config = config(context, &sources)?;
    let guests = guests(context, &sources)?;
    // Names that were given before there was a hub.
    let names = context.inventory()?.names();
    let shutdown = CancellationToken::new();
    let hub = hub::run(
        config,
        names,
        guests,
        |ready| announce(context, &ready),
        shutdown.clone(),
    );
    let mut hub = std::pin::pin!(hub);
    tokio::select! {
        ended = &mut hub => return ended.map(|()| Exit::DONE).map_err(Failure::from),
        () = signals.received() => {}
        () = context.timed_out() => {}
        () = service_manager::ping_watchdog() => {}
    }
    service_manager::report_stopping();
    shutdown.cancel();
    tokio::select! {
        ended = &mut hub => ended.map(|()| Exit::DONE).map_err(Failure::from),
        // A second signal asks for an immediate end.
        () = signals.received() => Err(Failure::failed("ended before the shutdown was complete")),
        () = tokio::time::sleep(SHUTDOWN_TIMEOUT) => {
            Err(Failure::failed("ended before the shutdown was complete: it took too long"))
        }
    }
}

/// Returns the sources of the configuration with the options of the command line.
fn sources(context: &Context, args: &ServeArgs) -> Sources {
    let mut sources = Sources::read(&context.settings.options);
    let hub = &mut sources.layer.hub;
    hub.listen = args.listen.or(hub.listen);
    hub.adopt = args.adopt.then_some(true).or(hub.adopt);
    let mqtt = &mut sources.layer.mqtt;
    mqtt.url = args.mqtt.clone().map(Into::into).or(mqtt.url.take());
    sources
}

fn config(context: &Context, sources: &Sources) -> Result<Config, Failure> {
    let config = hub_config::config(sources, context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    // An interface that does not exist is a typing error, as for every verb.
    select(&config.interfaces)?;
    Ok(config)
}

/// Returns the parts that run beside the hub.
fn guests(context: &Context, sources: &Sources) -> Result<Vec<Arc<dyn Guest>>, Failure> {
    let mut guests: Vec<Arc<dyn Guest>> = vec![Arc::new(Pages::default())];
    let mqtt = sources
        .mqtt_config(context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    if let Some(mqtt) = mqtt {
        shield();
        guests.push(Arc::new(MqttBridge::new(mqtt)));
    }
    Ok(guests)
}

fn announce(context: &Context, ready: &HubReady) {
    let ui = &context.ui;
    let told = match ui.is_json() {
        true => ui.document(&json!({"url": ready.url, "login_url": ready.login_url})),
        false => ui.data(&ready.login_url),
    };
    service_manager::report_ready(&ready.url);
    // A hub whose output cannot be written serves all the same.
    if let Err(failure) = told {
        ui.error(&failure);
    }
    if ui.can_ask() {
        ui.status(paint(
            DIM,
            "that link logs in a browser, once; Ctrl-C ends the hub",
        ));
    }
}
