//! The guided tour of the terminal: it really runs the verbs, at last with a hub.
//!
//! Every command of the tour is this same binary, started as a user would start it, with a state directory of its own.

use std::path::PathBuf;
use std::process::Stdio;

use ::hub::schedule::Clock;
use ::hub::{Config, HubReady};
use jiff::tz::TimeZone;

use super::{Demo, hub, twins};
use crate::context::Context;
use crate::directories::EMPTY_FILE;
use crate::error::{Exit, Failure, Outcome};
use crate::hints;
use crate::ui::{BOLD, DIM, HINT, paint};
use step::TourStep;

mod step;

/// Leads through the tour.
pub(super) async fn run(context: &Context, demo: &mut Demo) -> Outcome {
    let twins = twins::of_tour(&demo.network, &demo.directory.network);
    let plugs = 1 + twins.len();
    demo.home.plug_in(twins).await?;
    let mut guide = TourGuide {
        context,
        program: std::env::current_exe()
            .map_err(|error| Failure::failed("cannot find this program").caused_by(&error))?,
        demo,
        waits: context.ui.can_ask() && !context.ui.agrees(),
        failure: None,
    };
    let [first, last] = [1, 4].map(|last| guide.demo.network.address(last));
    context.ui.data(format_args!(
        "{}\n",
        paint(
            BOLD,
            format_args!(
                "An emulated home on real sockets: plugs at {first} to {last}, and a fifth still in its box."
            )
        )
    ))?;
    let key_file = guide.demo.directory.key_file();
    let setup = step::of_the_setup(&guide.demo.network, &key_file.to_string_lossy());
    let home = step::of_the_home(&guide.demo.network);
    if !guide.lead(home).await? || !guide.lead(setup).await? {
        return Ok(Exit::DONE);
    }
    context.ui.data(paint(
        HINT,
        "Last, a hub: `mains serve` starts one, this one is a part of the demo.",
    ))?;
    let ready = guide.start_hub(plugs).await?;
    context.ui.data(format_args!(
        "Its pages: {}\n",
        paint(BOLD, &ready.login_url)
    ))?;
    if !guide.lead(step::of_the_hub()).await? {
        return Ok(Exit::DONE);
    }
    if let Some(failure) = guide.failure {
        return Err(failure);
    }
    if guide.waits {
        guide.stay(&ready)?;
        std::future::pending::<()>().await;
    }
    Ok(Exit::DONE)
}

/// Leads through the steps of a tour.
struct TourGuide<'a> {
    context: &'a Context,
    program: PathBuf,
    demo: &'a mut Demo,
    /// A person is there to press Enter.
    waits: bool,
    /// The first step that did not end as it should.
    failure: Option<Failure>,
}

impl TourGuide<'_> {
    /// Starts a hub, and waits until it has taken in all plugs.
    async fn start_hub(&mut self, plugs: usize) -> Result<HubReady, Failure> {
        let (state, timezone) = (self.demo.directory.state(), TimeZone::system());
        let clock = Clock {
            place: Some(super::house::place(&timezone)),
            timezone,
        };
        let config = hub::config(state.clone(), &self.demo.network, clock).await;
        let config = Config {
            adopt: true,
            ..config
        };
        let guests = self.demo.guests.clone();
        let ready = self.demo.home.start_hub(config, guests).await?;
        hub::wait_for_plugs(&hub::client(&state)?, plugs).await;
        Ok(ready)
    }

    /// Runs all steps; `false` when the user leaves.
    async fn lead(&mut self, steps: Vec<TourStep>) -> Result<bool, Failure> {
        for step in steps {
            self.context.ui.data(paint(HINT, &step.text))?;
            if step.unboxes {
                let demo = &mut *self.demo;
                let fresh = twins::fresh(&demo.network, &demo.directory.network, twins::FRESH);
                demo.home.plug_in(vec![fresh]).await?;
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
        let status = self.command(words).status().await.map_err(|error| {
            let program = self.program.display();
            Failure::failed(format!("cannot run {program}")).caused_by(&error)
        })?;
        let code = status.code().unwrap_or(-1);
        if code != expected {
            let message = format!("`{line}` ended with {code}, not {expected}");
            self.failure.get_or_insert_with(|| Failure::failed(message));
        }
        Ok(())
    }

    /// Returns the command as the user would type it, with the demo's own state.
    fn command(&self, words: &[String]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        for name in [
            "MAINS_JSON",
            "MAINS_TIMEOUT",
            "MAINS_HUB",
            "MAINS_TOKEN",
            "STATE_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command
            .env("MAINS_STATE", self.demo.directory.state())
            .env("MAINS_INTERFACE", self.demo.network.client().to_string())
            .env("MAINS_CONFIG", EMPTY_FILE)
            .args([
                "--color",
                if self.context.ui.colours_stdout() {
                    "always"
                } else {
                    "never"
                },
            ])
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Prints what can be tried with the home, which stays up.
    fn stay(&self, ready: &HubReady) -> Result<(), Failure> {
        let mains = self.program.display();
        let state = self.demo.directory.state();
        let plug = self.demo.network.address(1);
        self.context.ui.data(format_args!(
            "{}\n  {}\n  {mains} toggle kitchen\n  {mains} meter kitchen \
             fridge tv lamp\n  {mains} watch\n  {mains} events\n  {mains} hub status\n  {mains} probe {plug}\n  {mains} at --tcp \
             {plug}\nOpen {}\n{}",
            paint(HINT, "The home stays up. Try in another terminal:"),
            hints::set_variables(&[
                ("MAINS_STATE", &state.display().to_string()),
                ("MAINS_INTERFACE", &self.demo.network.visitor().to_string()),
            ]),
            paint(BOLD, &ready.login_url),
            paint(DIM, "Ctrl-C ends it."),
        ))
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
