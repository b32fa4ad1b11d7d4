//! `mains demo`: an emulated home, and a tour through it that really runs the verbs.
//!
//! The twins run in this process on loopback addresses; every command of the tour is this same binary, started as a
//! user would start it, with a state directory of its own that is gone afterwards. Nothing leaves the machine, and the
//! user's inventory and configuration are not touched. At the end of the tour a hub joins them.

use hub::Ready;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::shutdown::Signals;
use crate::ui::{BOLD, DIM, HINT, paint};

use house::{House, Switch};
use place::Place;
use tour::Step;
use twins::{Plugs, Socket};

mod house;
mod place;
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

Exit codes: 0 the tour is over, 1 a step failed, 7 an address of 127.77.0.x is taken.")]
pub struct DemoArgs {}

/// Runs the home and the tour.
pub async fn run(context: &Context, _: DemoArgs) -> Outcome {
    let place = Place::new()?;
    let signals = Signals::listen()?;
    let network = &place.network;
    let over = CancellationToken::new();
    let (home_plugs, home) = Plugs::new(twins::home(network), &over);
    let (fresh_plug, fresh) = Plugs::new(vec![twins::fresh(network)], &over);
    let (house, hub) = House::new(place.state(), &over);
    let guide = async {
        // Whatever ends the tour ends the twins.
        let _over = over.clone().drop_guard();
        tokio::select! {
            outcome = guide(context, &place, home, fresh, hub) => outcome,
            () = signals.received_before(context.deadline()) => Ok(Exit::DONE),
        }
    };
    let (home, fresh, house, guide) =
        tokio::join!(home_plugs.serve(), fresh_plug.serve(), house.serve(), guide);
    home.and(fresh).and(house)?;
    guide
}

async fn guide(
    context: &Context,
    place: &Place,
    home: Socket,
    fresh: Socket,
    hub: Switch,
) -> Outcome {
    let plugs = 1 + twins::home(&place.network).len();
    if !home.plug_in().await {
        return Ok(Exit::DONE);
    }
    let mut guide = Guide {
        context,
        place,
        fresh: Some(fresh),
        waits: context.ui.can_ask() && !context.ui.agrees(),
        strayed: None,
    };
    context.ui.data(format_args!(
        "{}\n",
        paint(
            BOLD,
            "An emulated home on real sockets: plugs at 127.77.0.1 to 127.77.0.4, and a fifth still in its box."
        )
    ))?;
    if !guide
        .lead(tour::of_the_home(&place.key_file().to_string_lossy()))
        .await?
    {
        return Ok(Exit::DONE);
    }
    context.ui.data(paint(
        HINT,
        "Last, a hub: `mains serve` starts one, this one is a part of the demo.",
    ))?;
    let Some(ready) = hub.on(plugs).await? else {
        return Ok(Exit::DONE);
    };
    context.ui.data(format_args!(
        "Its pages: {}\n",
        paint(BOLD, &ready.login_url)
    ))?;
    if !guide.lead(tour::of_the_hub()).await? {
        return Ok(Exit::DONE);
    }
    if let Some(failure) = guide.strayed {
        return Err(failure);
    }
    if guide.waits {
        stay(context, place, &ready)?;
        std::future::pending::<()>().await;
    }
    Ok(Exit::DONE)
}

/// Leads through the steps of a tour.
struct Guide<'a> {
    context: &'a Context,
    place: &'a Place,
    /// The plug that is still in its box.
    fresh: Option<Socket>,
    /// Whether somebody is there to press Enter.
    waits: bool,
    /// The first step that did not end as it should.
    strayed: Option<Failure>,
}

impl Guide<'_> {
    /// Goes through all of them; `false` when the user has seen enough, or the home is no more.
    async fn lead(&mut self, steps: Vec<Step>) -> Result<bool, Failure> {
        for step in steps {
            self.context.ui.data(paint(HINT, step.says))?;
            if step.unboxes
                && let Some(fresh) = self.fresh.take()
                && !fresh.plug_in().await
            {
                return Ok(false);
            }
            tokio::time::sleep(step.rests).await;
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
        let code = execute(self.context, self.place, words).await?;
        if code != expected && self.strayed.is_none() {
            let message = format!("`{line}` ended with {code}, not {expected}");
            self.strayed = Some(Failure::failed(message));
        }
        Ok(())
    }
}

async fn execute(context: &Context, place: &Place, words: &[String]) -> Result<i32, Failure> {
    let mut command = place.command(context, words);
    let status = command.status().await.map_err(|error| {
        Failure::failed(format!("{} cannot be run", place.program.display())).caused_by(&error)
    })?;
    Ok(status.code().unwrap_or(-1))
}

/// Waits for Enter; `false` when the user wants to leave.
async fn pause(context: &Context) -> Result<bool, Failure> {
    let answer = context
        .ui
        .line("Enter goes on, q ends", "add `--yes`")
        .await;
    Ok(answer.is_ok_and(|line| !line.trim().eq_ignore_ascii_case("q")))
}

/// Says what can be done with the home, which stays up.
fn stay(context: &Context, place: &Place, ready: &Ready) -> Result<(), Failure> {
    let mains = place.program.display();
    let state = place.state();
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

/// The command as it would be typed.
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
