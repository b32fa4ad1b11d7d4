//! `mains hue move`: move a light from one of your bridges to another.

use std::path::PathBuf;

use hue::net::Opened;
use hue::{
    AppKey, BridgeId, BridgeName, HueError, Journal, JournalDir, MoveOptions, MoveRecord, Moved,
    Serial, Source,
};
use jiff::Timestamp;

use super::bridge::{key_ring, open_quietly, open_with};
use super::guide::TerminalGuide;
use super::{forget, keys, show, takeover};
use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue move`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
How it goes: the light blinks, and you say whether it is the one; the new bridge is checked for room and opens its network; the \
old bridge deletes the light, which resets it; it joins the new bridge, and gets its name back. Its rooms, scenes and rules on \
the old bridge are lost. Nothing is deleted before you agree (or --yes), nor before the new bridge looks for lights.

Keep the light switched on: one without power cannot be reset, and must then be taken over (you are told how) or be called \
with --serial, the number that is printed on it.

How far a move is stands in a file in the state directory. After Ctrl-C, a power cut or a bridge that went away, repeat the \
command: it goes on where it was.

Examples:
  mains hue move 'Desk lamp' --from 192.168.1.20 --to 192.168.1.21
  mains hue move 7 --from 001788fffe010203 --to 001788fffe0a0b0c --serial 45AF34
  mains --json --yes hue move 7 --from 192.168.1.20 --to 192.168.1.21
    {\"light\":\"Desk lamp\",\"from\":\"001788fffe010203\",\"to\":\"001788fffe0a0b0c\",\"moved\":true,\"steps\":[...]}

Exit codes: 0 moved, 2 not paired with one of them, the same bridge twice, or not agreed to, 3 no such bridge or light, 4 no \
answer, 5 a bridge refused, or the light did not come, 6 an answer that cannot be understood, 7 the journal of the move.")]
pub(super) struct HueMoveArgs {
    /// Number, name or unique id of the light on the bridge that has it
    #[arg(value_name = "LIGHT")]
    light: String,
    /// Address or id of the bridge that has it
    #[arg(long, value_name = "A")]
    from: BridgeName,
    /// Address or id of the bridge that gets it
    #[arg(long, value_name = "B")]
    to: BridgeName,
    /// Serial number that is printed on the bulb, for when it does not come by itself
    #[arg(long, value_name = "S")]
    serial: Option<Serial>,
    /// File with the application key for A
    #[arg(long, value_name = "F")]
    from_key_file: Option<PathBuf>,
    /// File with the application key for B
    #[arg(long, value_name = "F")]
    to_key_file: Option<PathBuf>,
}

/// Moves it.
pub(super) async fn run(context: &Context, args: HueMoveArgs) -> Outcome {
    let journal = JournalDir::new(context.state_directory()?);
    let guide = TerminalGuide::new(&context.ui);
    let work = async {
        let moved = relocate(context, &args, &journal, &guide).await?;
        moved.map_err(|error| guide.failure(error))
    };
    match until_signal(context.bounded(work)).await {
        Ok(moved) => conclude(context, &moved),
        Err(failure) => Err(how_to_go_on(context, &args, &journal, failure)),
    }
}

async fn relocate(
    context: &Context,
    args: &HueMoveArgs,
    journal: &JournalDir,
    guide: &TerminalGuide<'_>,
) -> Result<Result<Moved, HueError>, Failure> {
    let ui = &context.ui;
    let key = async |file: &Option<PathBuf>| keys::Given::new(file.clone()).named(ui).await;
    let (from_key, to_key) = (
        key(&args.from_key_file).await?,
        key(&args.to_key_file).await?,
    );
    let options = MoveOptions {
        serial: args.serial.clone(),
        via: None,
        rounds: takeover::rounds(context),
        now: u64::try_from(Timestamp::now().as_second()).unwrap_or_default(),
    };
    let from = Origin::open(context, &args.from, from_key).await?;
    let to = open_with(context, &args.to, to_key).await?;
    let target = to.bridge();
    let run = async |source: Source<'_, '_, _>| {
        hue::flow::relocate(source, &target, &args.light, journal, guide, &options).await
    };
    Ok(match from {
        Origin::Here(opened) => run(Source::Bridge(&opened.bridge())).await,
        Origin::Gone { name, why } => run(Source::Gone { name, why }).await,
    })
}

/// The bridge that has the light.
enum Origin {
    Here(Box<Opened>),
    /// It does not answer. A move that has let the light go can be ended without it.
    Gone {
        name: String,
        why: HueError,
    },
}

impl Origin {
    async fn open(
        context: &Context,
        name: &BridgeName,
        key: Option<AppKey>,
    ) -> Result<Self, Failure> {
        match open_quietly(context, name, key).await? {
            Ok(opened) => Ok(Self::Here(Box::new(opened))),
            Err(why @ (HueError::NoAnswer { .. } | HueError::NoSuchBridge(_))) => Ok(Self::Gone {
                name: known_as(context, name)?,
                why,
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the journal calls a bridge: its id, as far as it is known, else its address.
fn known_as(context: &Context, name: &BridgeName) -> Result<String, Failure> {
    let entries = key_ring(context)?.entries().map_err(HueError::from)?;
    Ok(match forget::meant(&entries, name).as_slice() {
        [entry] => entry.id.to_string(),
        _ => name.to_string(),
    })
}

fn conclude(context: &Context, moved: &Moved) -> Outcome {
    let ui = &context.ui;
    if !moved.moved {
        let message = format!(
            "the light {} did not come to bridge {}",
            clean(&moved.light),
            moved.to
        );
        let failure = Failure::new(Kind::Refused, message);
        let failure = match moved.notes.last() {
            Some(note) => failure.hint(note),
            None => failure,
        };
        return show::unconfirmed(context, moved, failure);
    }
    if ui.is_json() {
        ui.document(moved)?;
        return Ok(Exit::DONE);
    }
    let (name, number) = match &moved.now {
        Some(light) => (light.name.as_str(), format!(" as number {}", light.id)),
        None => (moved.light.as_str(), String::new()),
    };
    ui.data(format_args!(
        "{} is at bridge {}{number}",
        paint(BOLD, clean(name)),
        moved.to
    ))?;
    Ok(Exit::DONE)
}

/// Tells whether a bridge can be the one that the journal calls so. One that is not in the file of keys may have any id.
fn can_be(context: &Context, name: &BridgeName, called: &str) -> bool {
    known_as(context, name)
        .ok()
        .and_then(|known| known.parse::<BridgeId>().ok())
        .is_none_or(|id| id.as_str() == called)
}

/// A move that was cut short by Ctrl-C or `--timeout` can be gone on with.
fn how_to_go_on(
    context: &Context,
    args: &HueMoveArgs,
    journal: &JournalDir,
    failure: Failure,
) -> Failure {
    let is_cut_short = matches!(failure.kind(), Kind::Failed | Kind::NoAnswer);
    // One of another light, or between other bridges, is not gone on with by this command.
    let is_this = |record: &&MoveRecord| {
        !record.ended
            && !record.steps.is_empty()
            && record.is_called(&args.light)
            && can_be(context, &args.from, &record.from)
            && can_be(context, &args.to, &record.to)
    };
    let records = journal.records().unwrap_or_default();
    match records.iter().find(is_this) {
        Some(record) if is_cut_short => {
            let name = clean(&record.name).into_owned();
            failure.hint(format!(
                "the move of \u{2018}{name}\u{2019} is not at its end; give the same command again to go on"
            ))
        }
        _ => failure,
    }
}
