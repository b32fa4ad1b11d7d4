//! `mains harden`: closes what a plug's settings leave open, one by one, and restores it again.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use api::client::Client;
use api::{ErrorDocument, HardenReport, HardenRequest, HardenState, HardenStep, WeaknessId};
use harden::record::{HardenRecord, RecordError, RecordFile};
use harden::{HardenError, HardenOptions, HardenProgress, LanModule};
use hiflying::Mac;

use crate::console::{interrupted, until_signal};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::resolve::{Network, Target, Through, parse};
use crate::ui::table::{Cell, Table};
use crate::ui::{BAD, BOLD, DIM, GOOD, WARN, clean, paint};

/// The one thing that no setting closes.
const KEY_IS_READABLE: &str = "the Wi-Fi key can still be read by whoever knows the discovery word, and the relay can be \
    switched by whoever reaches the port of its commands (TCP 8899, of an S20 UDP 10000): no setting closes these, so keep the plug on a network that strangers cannot join";

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Shows what a plug's settings leave open, and closes what you agree to, one by one:

  discovery-word  everybody knows the factory's word that opens the plug's configuration;
                  it gets a random one, which this computer keeps and all verbs use
  web-password    the web page accepts ADMIN/ADMIN; it gets a random password
  access-point    the plug's own Wi-Fi network is on beside yours; it is switched off
  cloud-socket    the module calls its maker's server; the address is removed

Each old value is stored first, in a private file in the state directory. Then it is written, read back, and the plug's \
module restarts, for some seconds each time; the relay stays as it is. What cannot be proven to reply afterwards is taken back. \
--undo restores the old values, at any time; --export copies them into a file with which --undo --from restores them \
on another computer. Whoever has that file can configure the plug: keep it like a password.

A plug that a hub keeps is hardened by the hub, so that the hub knows its new word.

Examples:
  mains harden kitchen --dry-run       what stands open
  mains harden kitchen
  mains harden kitchen --only web-password --yes
  mains harden kitchen --yes --export kitchen-plug.json
  mains harden kitchen --undo
  mains harden 192.168.1.107 --undo --from kitchen-plug.json
  mains --json harden kitchen --dry-run
    {\"plug\":\"AC:CF:23:12:34:56\",\"dry_run\":true,\"steps\":[
      {\"id\":\"discovery-word\",\"state\":\"open\",\"before\":null,\"after\":null,
      \"reason\":\"...\"},...]}

JSON: `state` is open, closed, skipped or failed; the values of discovery-word and web-password are null. After a step that \
failed, `error` stands beside the steps.

Exit codes: 0 done, 1 interrupted, 2 nobody to ask, or a wrong file, 3 no such plug, 4 no reply, 5 a step failed, 7 port 48899 \
is taken, or the old values cannot be stored.")]
pub struct HardenArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    /// Only this weakness: discovery-word, web-password, access-point or cloud-socket; repeatable
    #[arg(long, value_name = "ID")]
    only: Vec<WeaknessId>,
    /// Write nothing; show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Restore the values that stood before
    #[arg(long)]
    undo: bool,
    /// Copy the stored old values into this file (private, mode 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "undo")]
    export: Option<PathBuf>,
    /// Restore from this file instead of this computer's own
    #[arg(long, value_name = "FILE", requires = "undo")]
    from: Option<PathBuf>,
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let failure = Self::new(Kind::from(&error), error.to_string());
        let failure = match &error {
            RecordError::Nothing(_) => failure.hint(
                "they are where the plug was hardened: on the computer of its hub, if it has one",
            ),
            RecordError::Foreign { .. } => failure.hint("name another file"),
            _ => failure,
        };
        match std::error::Error::source(&error) {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        }
    }
}

impl From<HardenError> for Failure {
    fn from(error: HardenError) -> Self {
        match error {
            HardenError::Record(error) => Self::from(error),
            error => Self::from(api::RequestError::from(&error)),
        }
    }
}

/// Runs the verb.
pub async fn run(context: &Context, args: HardenArgs) -> Outcome {
    let record = args.from.as_deref().map(HardenRecord::read).transpose()?;
    let request = HardenRequest {
        only: args.only,
        dry_run: args.dry_run,
        undo: args.undo,
    };
    let mut way = Way::open(context, &args.plug, record).await?;
    let file = RecordFile::new(&context.state_directory()?, way.plug());
    if let Some(path) = &args.export {
        file.check_target(path)?;
    }
    let mut report = match request.dry_run || request.undo || context.ui.agrees() {
        true => way.run(context, &request).await?,
        false => agreed(context, &args.plug, &mut way, &request).await?,
    };
    if let Some(path) = &args.export {
        match file.export(path) {
            Ok(()) => context.ui.status(format_args!(
                "the old values were copied into {}; keep it like a password",
                path.display()
            )),
            Err(error) => {
                let failure = Failure::from(error);
                report.error.get_or_insert(ErrorDocument {
                    kind: failure.kind(),
                    message: failure.to_string(),
                    hint: failure.hint_text().map(str::to_owned),
                });
            }
        }
    }
    tell(context, &args.plug, &report)?;
    let is_interrupted = way.is_interrupted();
    Ok(match &report.error {
        Some(error) => Exit::with(error.kind),
        None if is_interrupted => Exit::with(Kind::Failed),
        None => Exit::DONE,
    })
}

/// Closes what the user agrees to.
async fn agreed(
    context: &Context,
    target: &Target,
    way: &mut Way<'_>,
    request: &HardenRequest,
) -> Result<HardenReport, Failure> {
    let plan = HardenRequest {
        dry_run: true,
        ..request.clone()
    };
    let mut plan = way.run(context, &plan).await?;
    plan.dry_run = false;
    let name = clean(target.shown()).into_owned();
    let mut only = Vec::new();
    for step in &mut plan.steps {
        if step.state != HardenState::Open {
            continue;
        }
        context.ui.need_agreement(&format!("close {}", step.id))?;
        if let Some(reason) = &step.reason {
            context
                .ui
                .status(format_args!("{}: {}", step.id, clean(reason)));
        }
        if context
            .ui
            .confirm(&format!("Close {} of {name}", step.id))
            .await?
        {
            only.push(step.id);
        } else {
            step.state = HardenState::Skipped;
            step.after.clone_from(&step.before);
            step.reason = Some("left open, as you answered".to_owned());
        }
    }
    if only.is_empty() {
        return Ok(plan);
    }
    let request = HardenRequest {
        only,
        ..request.clone()
    };
    let done = way.run(context, &request).await?;
    plan.error = done.error.or(plan.error);
    for step in done.steps {
        if let Some(planned) = plan.steps.iter_mut().find(|planned| planned.id == step.id) {
            *planned = step;
        }
    }
    Ok(plan)
}

/// The way to the plug: from here, or by the hub that keeps it.
#[expect(clippy::large_enum_variant, reason = "one is made for a command")]
enum Way<'a> {
    Hub(Client, Mac),
    Here {
        // The sockets, which the module shares.
        _network: Network<'a>,
        module: Box<LanModule>,
        plug: Mac,
        record: Option<HardenRecord>,
        is_interrupted: AtomicBool,
    },
}

impl<'a> Way<'a> {
    async fn open(
        context: &'a Context,
        target: &Target,
        record: Option<HardenRecord>,
    ) -> Result<Self, Failure> {
        if record.is_some() && context.names_hub() {
            return Err(
                Failure::usage("`--from` restores from this computer, not through a hub")
                    .hint("leave out `--hub` and MAINS_HUB"),
            );
        }
        if record.is_none()
            && let Some(through) = Through::open(context).await?
        {
            match through.kept_plug(target) {
                Ok(view) => {
                    return Ok(Self::Hub(through.client().clone(), view.plug.mac));
                }
                Err(failure) if context.names_hub() => return Err(failure),
                // One that the hub of this computer does not keep is reached from here.
                Err(_) => {}
            }
        }
        let network = Network::open(context, std::slice::from_ref(target)).await?;
        let work = network.alongside(network.presence(target));
        let plug = until_signal(context.bounded(work)).await?;
        network.remember();
        Ok(Self::Here {
            module: Box::new(LanModule::new(network.lan().clone(), plug.clone())),
            _network: network,
            plug: plug.mac,
            record,
            is_interrupted: AtomicBool::new(false),
        })
    }

    fn plug(&self) -> Mac {
        match self {
            Self::Hub(_, plug) | Self::Here { plug, .. } => *plug,
        }
    }

    fn is_interrupted(&self) -> bool {
        match self {
            Self::Hub(..) => false,
            Self::Here { is_interrupted, .. } => is_interrupted.load(Ordering::Relaxed),
        }
    }

    async fn run(
        &mut self,
        context: &Context,
        request: &HardenRequest,
    ) -> Result<HardenReport, Failure> {
        match self {
            Self::Hub(hub, plug) => {
                // The hub carries on, also when this command is cut short.
                let work = async { Ok(hub.harden(*plug, request).await?) };
                let what = "waiting for the hub, which restarts the plug after each step";
                let work = until_signal(context.bounded(work));
                context.ui.waiting(what, work).await
            }
            Self::Here {
                module,
                plug,
                record,
                is_interrupted,
                ..
            } => {
                let stop = || stop_reason(context, is_interrupted);
                let progress = |progress: HardenProgress| context.ui.status(progress);
                let options = HardenOptions {
                    request: request.clone(),
                    directory: &context.state_directory()?,
                    record: record.clone(),
                    stop: &stop,
                    on_progress: &progress,
                };
                let work = harden::harden(&mut **module, *plug, options);
                let work = async { Ok(work.await?) };
                match request.dry_run {
                    true => until_signal(context.bounded(work)).await,
                    false => finish_step(context, is_interrupted, work).await,
                }
            }
        }
    }
}

/// Returns the reason not to begin another step.
fn stop_reason(context: &Context, is_interrupted: &AtomicBool) -> Option<String> {
    if is_interrupted.load(Ordering::Relaxed) {
        return Some("interrupted".to_owned());
    }
    let is_over = context
        .deadline()
        .is_some_and(|deadline| deadline <= Instant::now());
    is_over.then(|| "no time was left for it; give it longer with `--timeout`".to_owned())
}

/// Lets the step in progress end after a signal: half of it would leave the plug unproven.
async fn finish_step<T>(
    context: &Context,
    is_interrupted: &AtomicBool,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        () = interrupted() => {}
        result = &mut work => return result,
    }
    is_interrupted.store(true, Ordering::Relaxed);
    context
        .ui
        .warn("interrupted: the step in progress is finished or taken back first");
    work.await
}

/// Prints the report.
fn tell(context: &Context, target: &Target, report: &HardenReport) -> Result<(), Failure> {
    let ui = &context.ui;
    if ui.is_json() {
        return ui.document(report);
    }
    ui.data(format_args!(
        "{} {}",
        paint(BOLD, clean(target.shown())),
        paint(DIM, report.plug)
    ))?;
    let mut table = Table::new(["WEAKNESS", "STATE", ""]);
    for step in &report.steps {
        table.row([
            Cell::plain(step.id),
            state_cell(step),
            Cell::plain(clean(&detail(step))),
        ]);
    }
    ui.data(table.render())?;
    if report.dry_run {
        ui.status("nothing was written");
    }
    ui.status(KEY_IS_READABLE);
    if let Some(error) = &report.error {
        let failure = Failure::new(error.kind, error.message.as_str());
        ui.error(&match &error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
    }
    Ok(())
}

fn state_cell(step: &HardenStep) -> Cell {
    let style = match step.state {
        HardenState::Open => WARN,
        HardenState::Closed => GOOD,
        HardenState::Skipped => DIM,
        HardenState::Failed => BAD,
    };
    Cell::styled(style, step.state.as_str())
}

fn detail(step: &HardenStep) -> String {
    let change = match (&step.before, &step.after) {
        (Some(before), Some(after)) if before != after => {
            let shown = |text: &String| match text.is_empty() {
                true => "none".to_owned(),
                false => text.clone(),
            };
            Some(format!("{} \u{2192} {}", shown(before), shown(after)))
        }
        _ => None,
    };
    let parts = step.reason.iter().chain(&change).cloned();
    parts.collect::<Vec<_>>().join("; ")
}
