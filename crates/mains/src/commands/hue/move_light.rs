//! `mains hue move`: move a light from one of your bridges to another.

use std::path::PathBuf;

use hue::{
    BridgeId, BridgeName, BulbSerial, HueError, Journal, JournalDir, MoveOptions, MoveRecord,
    MoveResult, MoveSource,
};

use super::bridge::{find_paired, key_ring, open_with_key};
use super::keys::GivenKey;
use super::operator::TerminalOperator;
use super::{show, takeover};
use crate::console::until_signal;
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, clean, paint};

/// Options of `mains hue move`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The light blinks, and you confirm that it is the right one; the new bridge is checked for room and opens its network; the old \
bridge deletes the light, which resets it; the light joins the new bridge and gets its name back. Its rooms, scenes and rules on \
the old bridge are lost. Nothing is deleted before you confirm (or --yes), nor before the new bridge searches for lights.

Leave the light switched on: a light without power cannot be reset, and must then be taken over by hand (you are told how) or \
called with --serial, the number printed on it.

The progress of a move is kept in a file in the state directory. After Ctrl-C, a power cut or the loss of a bridge, repeat the \
command: it continues from there.

Examples:
  mains hue move \"Desk lamp\" --from 192.168.1.20 --to 192.168.1.21
  mains hue move 7 --from 001788fffe010203 --to 001788fffe0a0b0c --serial 45AF34
  mains --json --yes hue move 7 --from 192.168.1.20 --to 192.168.1.21
    {\"light\":\"Desk lamp\",\"from\":\"001788fffe010203\",\"to\":\"001788fffe0a0b0c\",
      \"moved\":true,\"steps\":[...]}

Exit codes: 0 moved, 2 not paired with one of the bridges, twice the same bridge, or not confirmed, 3 no such bridge or light, 4 no \
reply, 5 a bridge refused, or the light did not join, 6 unintelligible reply, 7 the journal of the move cannot be used.")]
pub(super) struct HueMoveArgs {
    /// Number, name or unique id of the light on bridge A
    #[arg(value_name = "LIGHT")]
    light: String,
    /// Address or id of the bridge that has the light
    #[arg(long, value_name = "A")]
    from: BridgeName,
    /// Address or id of the bridge that gets the light
    #[arg(long, value_name = "B")]
    to: BridgeName,
    /// Serial number printed on the bulb, used if it does not join by itself
    #[arg(long, value_name = "S")]
    serial: Option<BulbSerial>,
    /// File with the application key for A
    #[arg(long, value_name = "F")]
    from_key_file: Option<PathBuf>,
    /// File with the application key for B
    #[arg(long, value_name = "F")]
    to_key_file: Option<PathBuf>,
}

/// Moves the light.
pub(super) async fn run(context: &Context, args: HueMoveArgs) -> Outcome {
    let journal = JournalDir::new(context.state_directory()?);
    let operator = TerminalOperator::new(&context.ui);
    let work = async {
        let result = move_light(context, &args, &journal, &operator).await?;
        result.map_err(|error| operator.failure(error))
    };
    match until_signal(context.bounded(work)).await {
        Ok(result) => conclude(context, &result),
        Err(failure) => Err(with_continuation(context, &args, &journal, failure)),
    }
}

async fn move_light(
    context: &Context,
    args: &HueMoveArgs,
    journal: &JournalDir,
    operator: &TerminalOperator<'_>,
) -> Result<Result<MoveResult, HueError>, Failure> {
    let ui = &context.ui;
    let key = async |file: &Option<PathBuf>| GivenKey::new(file.clone()).read(ui).await;
    let from_key = key(&args.from_key_file).await?;
    let to_key = key(&args.to_key_file).await?;
    let now = plugs::now().as_second();
    let options = MoveOptions {
        serial: args.serial.clone(),
        via: None,
        rounds: takeover::max_rounds(context),
        // A clock before 1970 is one that was never set.
        now: u64::try_from(now).unwrap_or(0),
    };
    // A move whose light was deleted already can be finished without the old bridge.
    let from = match open_with_key(context, &args.from, from_key).await? {
        Err(error) if !is_absent(&error) => return Err(error.into()),
        result => result,
    };
    let to = open_with_key(context, &args.to, to_key).await??;
    let target = to.client();
    let run = async |source: MoveSource<'_, '_, _>| {
        hue::flow::move_light(source, &target, &args.light, journal, operator, &options).await
    };
    Ok(match from {
        Ok(opened) => run(MoveSource::Bridge(&opened.client())).await,
        Err(why) => {
            let name = journal_name(context, &args.from)?;
            run(MoveSource::Gone { name, why }).await
        }
    })
}

fn is_absent(error: &HueError) -> bool {
    matches!(error, HueError::NoReply { .. } | HueError::NoSuchBridge(_))
}

/// Returns the name of a bridge in the journal: its id if it is paired, else its address.
fn journal_name(context: &Context, name: &BridgeName) -> Result<String, Failure> {
    let bridges = key_ring(context)?.bridges().map_err(HueError::from)?;
    Ok(match find_paired(&bridges, name).as_slice() {
        [bridge] => bridge.id.to_string(),
        _ => name.to_string(),
    })
}

fn conclude(context: &Context, result: &MoveResult) -> Outcome {
    let ui = &context.ui;
    if !result.moved {
        let message = format!(
            "the light {} did not join bridge {}",
            clean(&result.light),
            result.to
        );
        let failure = Failure::new(Kind::Refused, message);
        let failure = match result.notes.last() {
            Some(note) => failure.hint(note),
            None => failure,
        };
        return show::failed_result(context, result, failure);
    }
    if ui.is_json() {
        ui.document(result)?;
        return Ok(Exit::DONE);
    }
    let (name, number) = match &result.now {
        Some(light) => (light.name.as_str(), format!(" as number {}", light.id)),
        None => (result.light.as_str(), String::new()),
    };
    let name = paint(BOLD, clean(name));
    ui.data(format_args!("{name} is on bridge {}{number}", result.to))?;
    Ok(Exit::DONE)
}

/// Adds how to continue a move that was interrupted by Ctrl-C or `--timeout`.
fn with_continuation(
    context: &Context,
    args: &HueMoveArgs,
    journal: &JournalDir,
    failure: Failure,
) -> Failure {
    let is_interrupted = matches!(failure.kind(), Kind::Failed | Kind::NoAnswer);
    // This command does not continue the move of another light, or between other bridges.
    let is_this_move = |record: &&MoveRecord| {
        !record.ended
            && !record.steps.is_empty()
            && record.has_light(&args.light)
            && may_be(context, &args.from, &record.from)
            && may_be(context, &args.to, &record.to)
    };
    // An unreadable journal was reported when the move began.
    let records = journal.records().unwrap_or_default();
    match records.iter().find(is_this_move) {
        Some(record) if is_interrupted => {
            let name = clean(&record.name);
            failure.hint(format!(
                "the move of \u{2018}{name}\u{2019} is not finished; give the same command again to continue"
            ))
        }
        _ => failure,
    }
}

/// Tells whether a bridge may be the one with this name in the journal. A bridge that is not paired may have any id.
fn may_be(context: &Context, name: &BridgeName, in_journal: &str) -> bool {
    journal_name(context, name)
        .ok()
        .and_then(|known| known.parse::<BridgeId>().ok())
        .is_none_or(|id| id.as_str() == in_journal)
}
