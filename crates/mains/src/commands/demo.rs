//! `mains demo`: an emulated home with a past, and a hub in front of it. `--tour` leads through the verbs instead.
//!
//! Twins and hub run in this process on loopback addresses, with a directory of their own that is gone afterwards. Nothing leaves
//! the machine, and the user's inventory and configuration are not touched.

use std::sync::Arc;

use ::hub::{Config, Guest, HubReady};
use api::LoginLinkRequest;
use emulator::PlugConfig;
use mqtt::config::BrokerUrl;
use mqtt::{MqttBridge, MqttConfig};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio_util::sync::CancellationToken;

use crate::config::Sources;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::secret::shield;
use crate::shutdown::Signals;
use crate::ui::{BOLD, DIM, HINT, paint};

use directory::DemoDirectory;
use house::DemoHouse;
use network::DemoNetwork;

mod desktop;
mod directory;
mod house;
mod hub;
mod network;
mod past;
mod past_events;
mod tour;
mod twins;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The demo emulates a home: fridge, kettle, TV, lamps, heater and washing machine behind plugs on loopback addresses, one plug \
that comes and goes, one that is not adopted yet, and one still in its box. It makes up thirty days of history with the \
models of these loads, adds a group, schedules, rules and a tariff, starts a hub, and prints a link that opens its pages, once. On \
a desktop it opens the browser as well. With --json it prints {\"url\",\"login_url\",\"state\"}.

It needs no hardware, reads no configuration, stays on this computer, and runs until Ctrl-C; then everything is gone. Several \
demos can run at the same time, also beside a hub of yours.

With --tour it leads through the verbs in the terminal, on a home of five plugs, one of them factory-fresh. In a terminal the tour \
waits for Enter between the steps and stays up at the end. Without a terminal, or with --yes, it runs through and ends.

Examples:
  mains demo
  mains demo --tour
  mains demo --mqtt mqtt://127.0.0.1   # the home appears in Home Assistant

Exit codes: 0 ended by a signal or at the end of the tour, 1 a step of the tour failed, 7 no loopback network is free.")]
pub struct DemoArgs {
    /// Take a guided tour of the terminal
    #[arg(long)]
    tour: bool,
    /// Do not open the browser
    #[arg(long, conflicts_with = "tour")]
    no_open: bool,
    /// Publish the home to this MQTT broker until the demo ends, e.g. mqtt://127.0.0.1
    #[arg(long, value_name = "URL")]
    mqtt: Option<BrokerUrl>,
}

/// The parts of a demo.
struct Demo {
    home: EmulatedHome,
    directory: DemoDirectory,
    network: DemoNetwork,
    guests: Vec<Arc<dyn Guest>>,
}

/// Runs the home until a signal, or the tour to its end.
pub async fn run(context: &Context, args: DemoArgs) -> Outcome {
    let signals = Signals::listen()?;
    let directory = DemoDirectory::new()?;
    let guests = guests(context, &directory, args.mqtt)?;
    let mut demo = Demo {
        home: EmulatedHome::default(),
        network: DemoNetwork::claim()?,
        directory,
        guests,
    };
    let running = async {
        let work = async {
            match args.tour {
                true => tour::run(context, &mut demo).await,
                false => live(context, &mut demo, !args.no_open).await,
            }
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = signals.received_before(context.deadline()) => Ok(Exit::DONE),
        };
        demo.home.end().await.and(outcome)
    };
    LocalSet::new().run_until(running).await
}

/// Makes the past of the home, starts it and the hub, and stays.
async fn live(context: &Context, demo: &mut Demo, opens: bool) -> Outcome {
    let house = DemoHouse::new(&demo.network, &demo.directory.network)?;
    let state = demo.directory.state();
    let config = hub::config(state.clone(), &demo.network, house.clock.clone()).await;
    context
        .ui
        .status(paint(DIM, "making up thirty days of history"));
    let plugs = past::write(context, &house, &config.database).await?;
    let count = plugs.len();
    demo.home
        .plug_in(plugs.into_iter().chain(house.others).collect())
        .await?;
    let ready = demo.home.start_hub(config, demo.guests.clone()).await?;
    let client = hub::client(&state)?;
    hub::wait_for_plugs(&client, count).await;
    announce(context, demo, &ready)?;
    if opens && desktop::is_there(&context.ui) {
        // The link that was printed stays good.
        let link = client.login_link(&LoginLinkRequest::default()).await?;
        desktop::open(&context.ui, &demo.directory, &link.url);
    }
    std::future::pending().await
}

/// Prints where the home is.
fn announce(context: &Context, demo: &Demo, ready: &HubReady) -> Result<(), Failure> {
    let ui = &context.ui;
    if ui.is_json() {
        return ui.document(&json!({
            "url": ready.url, "login_url": ready.login_url, "state": demo.directory.state(),
        }));
    }
    ui.status(
        "This is a simulated home. Thirty days of history are made up. Open it in a browser:\n",
    );
    ui.data(paint(BOLD, &ready.login_url))?;
    ui.status(format_args!(
        "\n{}\n  export MAINS_STATE={} MAINS_INTERFACE={}\n  mains watch\n  mains energy\n  mains hub login-url\n{}",
        paint(HINT, "The link works once. In another terminal:"),
        demo.directory.state().display(),
        demo.network.visitor(),
        paint(DIM, "Ctrl-C ends the demo and removes everything."),
    ));
    Ok(())
}

/// The twins and the hub, each a task of this process.
#[derive(Default)]
struct EmulatedHome {
    over: CancellationToken,
    tasks: JoinSet<Result<(), Failure>>,
}

impl EmulatedHome {
    /// Plugs twins in, and waits until they answer.
    async fn plug_in(&mut self, twins: Vec<PlugConfig>) -> Result<(), Failure> {
        let (ready, is_ready) = oneshot::channel();
        let serving = twins::serve(twins, ready, self.over.clone());
        self.start(serving, is_ready).await
    }

    /// Starts a hub, and waits until it serves.
    async fn start_hub(
        &mut self,
        config: Config,
        guests: Vec<Arc<dyn Guest>>,
    ) -> Result<HubReady, Failure> {
        let (ready, is_ready) = oneshot::channel();
        let serving = hub::serve(config, guests, ready, self.over.clone());
        self.start(serving, is_ready).await
    }

    async fn start<T>(
        &mut self,
        serving: impl Future<Output = Result<(), Failure>> + 'static,
        is_ready: oneshot::Receiver<T>,
    ) -> Result<T, Failure> {
        self.tasks.spawn_local(serving);
        match is_ready.await {
            Ok(ready) => Ok(ready),
            // The task has ended before it was ready, and nothing else ends by itself.
            Err(_) => Err(self
                .next_failure()
                .await
                .unwrap_or_else(|| Failure::failed("the emulated home has ended"))),
        }
    }

    async fn next_failure(&mut self) -> Option<Failure> {
        match self.tasks.join_next().await? {
            Ok(ended) => ended.err(),
            Err(error) => Some(Failure::failed(error.to_string())),
        }
    }

    /// Ends all tasks; returns the first failure.
    async fn end(mut self) -> Result<(), Failure> {
        self.over.cancel();
        let mut outcome = Ok(());
        while !self.tasks.is_empty() {
            if let Some(failure) = self.next_failure().await {
                outcome = outcome.and(Err(failure));
            }
        }
        outcome
    }
}

/// Returns the part that publishes the home, if a broker is named. Credentials and topics are those of `[mqtt]`.
fn guests(
    context: &Context,
    directory: &DemoDirectory,
    broker: Option<BrokerUrl>,
) -> Result<Vec<Arc<dyn Guest>>, Failure> {
    let Some(broker) = broker else {
        return Ok(Vec::new());
    };
    let mut sources = Sources::read(&context.settings.options);
    sources.layer.mqtt.url = Some(broker.into());
    sources.layer.hub.site = None;
    let config = sources
        .mqtt_config(directory.state())
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    shield();
    let bridge = config.map(|config| {
        let config = MqttConfig {
            is_temporary: true,
            ..config
        };
        Arc::new(MqttBridge::new(config)) as Arc<dyn Guest>
    });
    Ok(bridge.into_iter().collect())
}
