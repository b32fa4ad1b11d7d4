//! `mains demo`: an emulated home, and a tour through it that really runs the verbs.
//!
//! The twins run in this process on loopback addresses; every command of the tour is this same binary, started as a
//! user would start it, with a state directory of its own that is gone afterwards. Nothing leaves the machine, and the
//! user's inventory and configuration are not touched. At the end of the tour a hub joins them.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use emulator::{HomeNetwork, Load, Mode, PlugConfig, server};
use hub::Ready;
use plugs::RelayState;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::shutdown::Signals;
use crate::ui::{BOLD, DIM, HINT, paint};

use house::{House, Switch};

mod house;

/// Options of `mains demo`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
An emulated home of five plugs on 127.77.0.x, one of them fresh from the factory, and a guided tour that runs the verbs \
on it, at last with a hub that keeps the plugs. It needs no hardware and no configuration, stays on this computer and \
does not touch your inventory. In a terminal it waits for Enter between the steps, prints the URL to open, and stays up \
until Ctrl-C, for you to try things in another terminal. Without a terminal, or with --yes, it runs through and ends.

Examples:
  mains demo
  mains demo --yes

Exit codes: 0 the tour is over, 1 a step did not end as it should, 7 an address of 127.77.0.x is taken.")]
pub struct Args {}

const SSID: &str = "Mains Demo";
const KEY: &str = "a key just for this demo";
/// Where the fresh plug's own access point stands, and where it turns up after its setup.
const FRESH: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 5);
const FRESH_AT_HOME: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 105);
/// An address of the home where nothing is plugged in.
const EMPTY: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 99);

/// The plugs that are on the home network.
fn home(network: &HomeNetwork) -> Vec<PlugConfig> {
    vec![
        plug(network, 1, Load::Kettle, RelayState::Off),
        plug(network, 2, Load::Constant(78.0), RelayState::On),
        plug(network, 3, Load::Tv, RelayState::On),
        plug(network, 4, Load::Constant(60.0), RelayState::Off),
    ]
}

/// The plug that comes out of its box in the course of the tour.
fn fresh(network: &HomeNetwork) -> PlugConfig {
    PlugConfig {
        mode: Mode::Ap,
        home_address: Some(FRESH_AT_HOME),
        energy_wh: 0,
        ..plug(network, 5, Load::Constant(11.0), RelayState::Off)
    }
}

fn plug(network: &HomeNetwork, last: u8, load: Load, relay: RelayState) -> PlugConfig {
    PlugConfig {
        load,
        relay,
        seed: last.into(),
        energy_wh: 12_345 * u64::from(last),
        home_networks: vec![network.clone()],
        ..PlugConfig::at(Ipv4Addr::new(127, 77, 0, last))
    }
}

/// One stop of the tour.
struct Step {
    /// What is about to be seen, and why.
    says: &'static str,
    /// Whether the fresh plug is plugged in now.
    unboxes: bool,
    commands: Vec<Vec<String>>,
    /// The exit code that each command ends with.
    code: i32,
}

fn step(says: &'static str, code: i32, commands: &[&[&str]]) -> Step {
    let words = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    Step {
        says,
        unboxes: false,
        commands: commands.iter().map(words).collect(),
        code,
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
        Step {
            unboxes: true,
            ..step(
                "Now the fifth plug comes out of its box: 127.77.0.5 stands for its own access point. What is it?",
                0,
                &[&["probe", &fresh]],
            )
        },
        step(
            "Put it on your Wi-Fi. The key comes from a file, never from the command line. The plug tries it before \
             it gives up its own network, so a wrong one costs nothing.",
            0,
            &[&[
                "setup",
                "--module",
                &fresh,
                "--wifi",
                "manual",
                "--ssid",
                SSID,
                "--key-file",
                key_file,
                "--to",
                &fresh_at_home,
                "--name",
                "lamp",
                "--yes",
            ]],
        ),
        step("There it is.", 0, &[&["discover"], &["on", "lamp"]]),
        step(
            "For programs: one JSON document, always of the same form.",
            0,
            &[&["--json", "meter", "lamp"]],
        ),
    ]
}

/// What a hub adds, once it runs.
fn tour_of_the_hub() -> Vec<Step> {
    vec![
        step(
            "It has taken in every plug. From now on it keeps contact with them, and the verbs go through it by themselves.",
            0,
            &[&["hub", "plugs"], &["off", "lamp"]],
        ),
        step(
            "It switches by the clock and the sun, and by what a plug does: the TV goes off when it only stands by.",
            0,
            &[
                &[
                    "schedule",
                    "add",
                    "evening",
                    "--targets",
                    "lamp",
                    "--action",
                    "on",
                    "--sun",
                    "sunset",
                    "--offset",
                    "-15m",
                ],
                &[
                    "rule",
                    "add",
                    "standby",
                    "--kind",
                    "standby-kill",
                    "--plug",
                    "tv",
                    "--below",
                    "10",
                    "--for",
                    "5m",
                ],
                &["schedule", "list"],
            ],
        ),
        step(
            "And it remembers what each of them used.",
            0,
            &[&["history", "fridge", "--step", "1m"], &["energy"]],
        ),
    ]
}

/// Runs the home and the tour.
pub async fn run(context: &Context, _: Args) -> Outcome {
    let place = Place::new()?;
    let signals = Signals::listen()?;
    let network = &place.network;
    let over = CancellationToken::new();
    let (home_plugs, home) = Plugs::new(home(network), &over);
    let (fresh_plug, fresh) = Plugs::new(vec![fresh(network)], &over);
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

/// Twins that are yet to be plugged in.
struct Plugs {
    configs: Vec<PlugConfig>,
    plugged_in: oneshot::Receiver<()>,
    ready: oneshot::Sender<()>,
    over: CancellationToken,
}

/// Plugs twins in.
struct Socket {
    plug_in: oneshot::Sender<()>,
    ready: oneshot::Receiver<()>,
}

impl Socket {
    /// Waits until the twins answer; `false` when they cannot, which they say themselves.
    async fn plug_in(self) -> bool {
        self.plug_in.send(()).is_ok() && self.ready.await.is_ok()
    }
}

impl Plugs {
    fn new(configs: Vec<PlugConfig>, over: &CancellationToken) -> (Self, Socket) {
        let (plug_in, plugged_in) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let plugs = Self {
            configs,
            plugged_in,
            ready,
            over: over.clone(),
        };
        let socket = Socket {
            plug_in,
            ready: is_ready,
        };
        (plugs, socket)
    }

    async fn serve(self) -> Result<(), Failure> {
        if self.plugged_in.await.is_err() {
            return Ok(());
        }
        let mut left = self.configs.len();
        let mut ready = Some(self.ready);
        let on_ready = |_| {
            left = left.saturating_sub(1);
            if left == 0
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(());
            }
        };
        let served = server::run(self.configs, None, on_ready, self.over.cancelled_owned()).await;
        served.map_err(|error| {
            Failure::from(error)
                .hint("is another `mains demo` running? The home needs 127.77.0.1 to 127.77.0.5")
        })
    }
}

/// Where the demo keeps what the tour makes; gone when it ends.
struct Place {
    folder: TempDir,
    program: PathBuf,
    network: HomeNetwork,
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
            network: format!("{SSID}:{KEY}").parse().map_err(|error| {
                Failure::failed("the demo's network cannot be").caused_by(&error)
            })?,
        };
        // As a user should keep it: readable by nobody else.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(place.key_file())
            .map_err(failure)?;
        writeln!(file, "{KEY}").map_err(failure)?;
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

async fn guide(
    context: &Context,
    place: &Place,
    home: Socket,
    fresh: Socket,
    hub: Switch,
) -> Outcome {
    let plugs = 1 + self::home(&place.network).len();
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
        .lead(tour(&place.key_file().to_string_lossy()))
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
    if !guide.lead(tour_of_the_hub()).await? {
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
