//! `mains demo`: an emulated home, and a tour through it that really runs the verbs.
//!
//! The twins run in this process on loopback addresses; every command of the tour is this same binary, started as a
//! user would start it, with a state directory of its own that is gone afterwards. Nothing leaves the machine, and the
//! user's inventory and configuration are not touched. At the end of the tour a hub joins them.

use std::sync::Arc;

use ::hub::{Guest, HubReady};
use emulator::PlugConfig;
use mqtt::config::BrokerUrl;
use mqtt::{MqttBridge, MqttConfig};
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
use tour::TourStep;

mod directory;
mod hub;
mod tour;
mod twins;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The demo emulates a home of five plugs on 127.77.0.x, one of them factory-fresh, and runs the verbs on it in a guided \
tour, at last with a hub. It needs no hardware and no configuration, stays on this computer and does not touch your \
inventory. In a terminal it waits for Enter between the steps, prints the URL to open, and stays up until Ctrl-C, so that \
you can try things in another terminal. Without a terminal, or with --yes, it runs through and ends.

Examples:
  mains demo
  mains demo --yes
  mains demo --mqtt mqtt://127.0.0.1   # the home appears in Home Assistant

Exit codes: 0 the tour is over, 1 a step failed, 7 an address of 127.77.0.x is taken.")]
pub struct DemoArgs {
    /// Publish the home to this MQTT broker until the demo ends, e.g. mqtt://127.0.0.1
    #[arg(long, value_name = "URL")]
    mqtt: Option<BrokerUrl>,
}

/// Runs the home and the tour.
pub async fn run(context: &Context, args: DemoArgs) -> Outcome {
    let directory = DemoDirectory::new()?;
    let guests = guests(context, &directory, args.mqtt)?;
    let signals = Signals::listen()?;
    let mut home = EmulatedHome::default();
    let tour = async {
        let outcome = tokio::select! {
            outcome = tour(context, &directory, guests, &mut home) => outcome,
            () = signals.received_before(context.deadline()) => Ok(Exit::DONE),
        };
        home.end().await.and(outcome)
    };
    LocalSet::new().run_until(tour).await
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
        directory: &DemoDirectory,
        guests: Vec<Arc<dyn Guest>>,
    ) -> Result<HubReady, Failure> {
        let (ready, is_ready) = oneshot::channel();
        let serving = hub::serve(directory.state(), guests, ready, self.over.clone());
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

async fn tour(
    context: &Context,
    directory: &DemoDirectory,
    guests: Vec<Arc<dyn Guest>>,
    home: &mut EmulatedHome,
) -> Outcome {
    let twins = twins::home(&directory.network);
    let plugs = 1 + twins.len();
    home.plug_in(twins).await?;
    let mut guide = TourGuide {
        context,
        directory,
        home,
        waits: context.ui.can_ask() && !context.ui.agrees(),
        failure: None,
    };
    context.ui.data(format_args!(
        "{}\n",
        paint(
            BOLD,
            "An emulated home on real sockets: plugs at 127.77.0.1 to 127.77.0.4, and a fifth still in its box."
        )
    ))?;
    let key_file = directory.key_file();
    let setup = tour::of_the_setup(&key_file.to_string_lossy());
    if !guide.lead(tour::of_the_home()).await? || !guide.lead(setup).await? {
        return Ok(Exit::DONE);
    }
    context.ui.data(paint(
        HINT,
        "Last, a hub: `mains serve` starts one, this one is a part of the demo.",
    ))?;
    let ready = guide.home.start_hub(directory, guests).await?;
    hub::wait_for_plugs(&directory.state(), plugs).await?;
    context.ui.data(format_args!(
        "Its pages: {}\n",
        paint(BOLD, &ready.login_url)
    ))?;
    if !guide.lead(tour::of_the_hub()).await? {
        return Ok(Exit::DONE);
    }
    if let Some(failure) = guide.failure {
        return Err(failure);
    }
    if guide.waits {
        stay(context, directory, &ready)?;
        std::future::pending::<()>().await;
    }
    Ok(Exit::DONE)
}

/// Leads through the steps of a tour.
struct TourGuide<'a> {
    context: &'a Context,
    directory: &'a DemoDirectory,
    home: &'a mut EmulatedHome,
    /// A person is there to press Enter.
    waits: bool,
    /// The first step that did not end as it should.
    failure: Option<Failure>,
}

impl TourGuide<'_> {
    /// Runs all steps; `false` when the user leaves.
    async fn lead(&mut self, steps: Vec<TourStep>) -> Result<bool, Failure> {
        for step in steps {
            self.context.ui.data(paint(HINT, step.text))?;
            if step.unboxes {
                let fresh = twins::fresh(&self.directory.network);
                self.home.plug_in(vec![fresh]).await?;
            }
            tokio::time::sleep(step.delay).await;
            for words in &step.commands {
                self.execute(words, step.code).await?;
            }
            self.context.ui.data("")?;
            if self.waits && !pause(self.context).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn execute(&mut self, words: &[String], expected: i32) -> Result<(), Failure> {
        let line = shown(words);
        self.context
            .ui
            .data(format_args!("{} {}", paint(DIM, "$"), paint(BOLD, &line)))?;
        let mut command = self.directory.command(self.context, words);
        let status = command.status().await.map_err(|error| {
            let program = self.directory.program.display();
            Failure::failed(format!("cannot run {program}")).caused_by(&error)
        })?;
        let code = status.code().unwrap_or(-1);
        if code != expected {
            let message = format!("`{line}` ended with {code}, not {expected}");
            self.failure.get_or_insert_with(|| Failure::failed(message));
        }
        Ok(())
    }
}

/// Waits for Enter; `false` when the user wants to leave.
async fn pause(context: &Context) -> Result<bool, Failure> {
    let answer = context
        .ui
        .line("Enter goes on, q ends", "add `--yes`")
        .await;
    Ok(answer.is_ok_and(|line| !line.trim().eq_ignore_ascii_case("q")))
}

/// Prints what can be tried with the home, which stays up.
fn stay(context: &Context, directory: &DemoDirectory, ready: &HubReady) -> Result<(), Failure> {
    let mains = directory.program.display();
    let state = directory.state();
    context.ui.data(format_args!(
        "{}\n  export MAINS_STATE={} MAINS_INTERFACE=127.0.0.1\n  {mains} toggle kitchen\n  {mains} meter kitchen \
         fridge tv lamp\n  {mains} watch\n  {mains} events\n  {mains} hub status\n  {mains} probe 127.77.0.1\n  {mains} at --tcp \
         127.77.0.1\nOpen {}\n{}",
        paint(HINT, "The home stays up. Try in another terminal:"),
        state.display(),
        paint(BOLD, &ready.login_url),
        paint(DIM, "Ctrl-C ends it."),
    ))
}

/// Returns the command as it would be typed.
fn shown(words: &[String]) -> String {
    let quoted = words.iter().map(|word| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    });
    std::iter::once("mains".to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}
