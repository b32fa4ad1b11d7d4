//! `mains demo`: an emulated home, and a tour through it that really runs the verbs.
//!
//! The twins run in this process on loopback addresses; every command of the tour is this same binary, started as a
//! user would start it, with a state directory of its own that is gone afterwards. Nothing leaves the machine, and the
//! user's inventory and configuration are not touched.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use emulator::{HomeNetwork, Load, Mode, PlugConfig, server};
use plugs::RelayState;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::shutdown::Signals;
use crate::ui::{BOLD, DIM, HINT, paint};

/// Options of `mains demo`.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "An emulated home of five plugs on 127.77.0.x, one of them fresh from the factory, and a guided tour \
        that runs the verbs on it.\n\nIt needs no hardware and no configuration, stays on this computer and does not \
        touch your inventory. In a terminal it waits for Enter between the steps, and at the end stays up until Ctrl-C, \
        for you to try things in another terminal. Without a terminal, or with --yes, it runs through and ends.",
    after_long_help = "\
Examples:
  mains demo
  mains demo --yes

Exit codes: 0 the tour is over, 1 a step did not end as it should, 7 an address of 127.77.0.x is taken."
)]
pub struct Args {}

const SSID: &str = "Mains Demo";
const KEY: &str = "a key just for this demo";
/// Where the fresh plug's own access point stands, and where it turns up after its setup.
const FRESH: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 5);
const FRESH_AT_HOME: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 105);
/// An address of the home where nothing is plugged in.
const EMPTY: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 99);

/// The plugs of the home.
fn home() -> Result<Vec<PlugConfig>, Failure> {
    let network: HomeNetwork = format!("{SSID}:{KEY}")
        .parse()
        .map_err(|error| Failure::failed("the demo's network").caused_by(&error))?;
    let plug = |last, load, relay| PlugConfig {
        load,
        relay,
        seed: u64::from(last),
        energy_wh: 12_345 * u64::from(last),
        home_networks: vec![network.clone()],
        ..PlugConfig::at(Ipv4Addr::new(127, 77, 0, last))
    };
    Ok(vec![
        plug(1, Load::Kettle, RelayState::Off),
        plug(2, Load::Fridge, RelayState::On),
        plug(3, Load::Tv, RelayState::On),
        plug(4, Load::Constant(60.0), RelayState::Off),
        PlugConfig {
            mode: Mode::Ap,
            home_address: Some(FRESH_AT_HOME),
            energy_wh: 0,
            ..plug(5, Load::Constant(11.0), RelayState::Off)
        },
    ])
}

/// One stop of the tour.
struct Step {
    /// What is about to be seen, and why.
    says: &'static str,
    commands: Vec<Vec<String>>,
    /// The exit code that each command ends with.
    code: i32,
}

fn step(says: &'static str, code: i32, commands: &[&[&str]]) -> Step {
    let words = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    Step {
        says,
        code,
        commands: commands.iter().map(words).collect(),
    }
}

fn tour(key_file: &str) -> Vec<Step> {
    let (fresh, fresh_at_home, empty) = (
        FRESH.to_string(),
        FRESH_AT_HOME.to_string(),
        EMPTY.to_string(),
    );
    vec![
        step(
            "Which plugs are there? One question to the whole network, asked until no plug can have been missed.",
            0,
            &[&["discover"]],
        ),
        step(
            "A plug can be named by address, MAC or serial number. A name of your own is nicer.",
            0,
            &[
                &["name", "127.77.0.1", "kitchen"],
                &["name", "127.77.0.2", "fridge"],
                &["name", "127.77.0.3", "tv"],
            ],
        ),
        step(
            "What do they use just now?",
            0,
            &[&["meter", "kitchen", "fridge", "tv"]],
        ),
        step(
            "Switching is done when the plug says that its relay has moved, and not before.",
            0,
            &[
                &["on", "kitchen"],
                &["meter", "kitchen"],
                &["off", "kitchen", "tv"],
            ],
        ),
        step(
            "And when nothing is plugged in there? One sentence, a hint, and an exit code for scripts (here 4).",
            4,
            &[&["on", &empty]],
        ),
        step(
            "For programs: one JSON document, always of the same form.",
            0,
            &[&["--json", "meter", "kitchen"]],
        ),
    ]
}

/// Runs the home and the tour.
pub async fn run(context: &Context, _: Args) -> Outcome {
    let place = Place::new()?;
    let configs = home()?;
    let signals = Signals::listen()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, all_ready) = oneshot::channel::<()>();
    let mut waiting = Some(ready);
    let mut left = configs.len();
    let on_ready = |_| {
        left = left.saturating_sub(1);
        if left == 0
            && let Some(ready) = waiting.take()
        {
            let _ = ready.send(());
        }
    };
    let twins = server::run(configs, None, on_ready, async {
        let _ = stopped.await;
    });
    let guide = async {
        let outcome = match all_ready.await {
            Ok(()) => tokio::select! {
                outcome = guide(context, &place) => outcome,
                () = signals.received_before(context.deadline()) => Ok(Exit::DONE),
            },
            // The twins did not come up: they say why.
            Err(_) => Ok(Exit::DONE),
        };
        drop(stop);
        outcome
    };
    let (twins, guide) = tokio::join!(twins, guide);
    twins.map_err(|error| {
        Failure::from(error)
            .hint("is another `mains demo` running? The home needs 127.77.0.1 to 127.77.0.5")
    })?;
    guide
}

/// Where the demo keeps what the tour makes; gone when it ends.
struct Place {
    folder: TempDir,
    program: PathBuf,
}

impl Place {
    fn new() -> Result<Self, Failure> {
        let failure = |error: std::io::Error| {
            Failure::local("the demo has no place for its files").caused_by(&error)
        };
        let folder = tempfile::Builder::new()
            .prefix("mains-demo-")
            .tempdir()
            .map_err(failure)?;
        let place = Self {
            folder,
            program: std::env::current_exe().map_err(failure)?,
        };
        std::fs::write(place.key_file(), format!("{KEY}\n")).map_err(failure)?;
        Ok(place)
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("home.key")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The command as the user would type it, in the demo's own surroundings.
    fn command(&self, context: &Context, words: &[String]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        for name in ["MAINS_JSON", "MAINS_TIMEOUT", "STATE_DIRECTORY"] {
            command.env_remove(name);
        }
        command
            .env("MAINS_STATE", self.state())
            .env("MAINS_INTERFACE", "127.0.0.1")
            .env("MAINS_CONFIG", Path::new("/dev/null"))
            .args([
                "--color",
                if context.ui.colours_stdout() {
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
}

async fn guide(context: &Context, place: &Place) -> Outcome {
    let waits = context.ui.can_ask() && !context.ui.agrees();
    let say = |text: &str| context.ui.data(text);
    say(&format!(
        "{}\n",
        paint(
            BOLD,
            "An emulated home: five plugs on 127.77.0.1 to 127.77.0.5, on real sockets."
        )
    ))?;
    let key_file = place.key_file();
    let mut strayed = None;
    for step in tour(&key_file.to_string_lossy()) {
        say(&paint(HINT, step.says))?;
        for words in &step.commands {
            say(&format!(
                "{} {}",
                paint(DIM, "$"),
                paint(BOLD, shown(words))
            ))?;
            let code = execute(context, place, words).await?;
            if code != step.code {
                strayed = Some(Failure::failed(format!(
                    "`{}` ended with {code}, not {}",
                    shown(words),
                    step.code
                )));
            }
        }
        say("")?;
        if waits && !pause(context).await? {
            return Ok(Exit::DONE);
        }
    }
    if let Some(failure) = strayed {
        return Err(failure);
    }
    if waits {
        stay(context, place)?;
        std::future::pending::<()>().await;
    }
    Ok(Exit::DONE)
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
fn stay(context: &Context, place: &Place) -> Result<(), Failure> {
    let mains = place.program.display();
    let state = place.state();
    context.ui.data(format_args!(
        "{}\n  export MAINS_STATE={} MAINS_INTERFACE=127.0.0.1\n  {mains} toggle kitchen\n  {mains} meter kitchen \
         fridge tv lamp\n  {mains} delay kitchen off 1m\n  {mains} probe 127.77.0.1\n  {mains} at 127.77.0.1\n{}",
        paint(HINT, "The home stays up. Try in another terminal:"),
        state.display(),
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
