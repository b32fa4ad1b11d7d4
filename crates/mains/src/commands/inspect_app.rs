//! `mains inspect-app`: lists what a vendor's app knows of its devices.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use appinspect::{
    AppFinding, AppReport, FindingKind, InspectError, InspectProgress, KnownProtocol,
};
use hiflying::{DATA_PORT, DiscoveryWord, PORT};
use plugs::families;
use serde::Serialize;
use tokio::sync::watch;

use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::secret::aside;
use crate::ui::{BOLD, DIM, Ui, clean, paint};

/// Interval between two pictures of the progress; most files are done before the first.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Number of places that are shown of one finding; `--json` has all.
const SHOWN_PLACES: usize = 3;
/// UDP port on which modules listen for SmartLink.
const SMARTLINK_PORT: u16 = 49999;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Takes an APK, a bundle of APKs (XAPK, APKS), a DEX file or a JAR. Reads the strings of classes, resources, assets and native \
libraries, and follows constants to the calls that make sockets, datagrams and ciphers of them. Lists AT commands, discovery \
words, ports, keys, addresses, URLs and host names with the class or file of each, most telling first: what stands beside \
AT commands comes before the rest, and what comes with every app is last. The app is not run, and nothing is unpacked to the \
disk.

Examples:
  mains inspect-app maginon-sp2.apk
  mains --json inspect-app maginon-sp2.apk | jq -r '.findings[].value'

Exit codes: 0 read, with a list of what was skipped, 2 no such file, or not a file, 6 nothing in it can be read.")]
pub struct InspectAppArgs {
    /// The app
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct InspectAppDocument<'a> {
    file: String,
    #[serde(flatten)]
    report: &'a AppReport,
}

/// Runs the verb.
pub async fn run(context: &Context, args: InspectAppArgs) -> Outcome {
    let report = context.bounded(inspect(&context.ui, &args.file)).await?;
    if context.ui.is_json() {
        context.ui.document(&InspectAppDocument {
            file: args.file.display().to_string(),
            report: &report,
        })?;
    } else {
        show(&context.ui, &args.file, &report)?;
    }
    Ok(Exit::DONE)
}

/// Inspects on a thread of its own, so that `--timeout` holds, and shows how far it has come.
async fn inspect(ui: &Ui, path: &Path) -> Result<AppReport, Failure> {
    let (sender, mut progress) = watch::channel(InspectProgress { done: 0, length: 0 });
    let path = path.to_owned();
    let name = path.display().to_string();
    let work = aside(move || {
        let file = BufReader::new(open(&path)?);
        let shown = path.display().to_string();
        let mut report = |progress| {
            sender.send_replace(progress);
        };
        appinspect::inspect(file, &shown, &known(), &mut report)
            .map_err(|error| failure(&shown, &error))
    });
    let mut work = pin!(work);
    let has_live_line = ui.has_live_line();
    loop {
        tokio::select! {
            report = &mut work => return report,
            () = tokio::time::sleep(PROGRESS_INTERVAL), if has_live_line => {
                let InspectProgress { done, length } = *progress.borrow_and_update();
                if let Some(percent) = done.saturating_mul(100).checked_div(length) {
                    ui.live(&format!("reading {name}: {percent} %"));
                }
            }
        }
    }
}

fn failure(shown: &str, error: &InspectError) -> Failure {
    match error {
        InspectError::Io(source) => {
            Failure::local(format!("{shown} cannot be read")).caused_by(source)
        }
        InspectError::NotAnApp => Failure::new(Kind::BadAnswer, format!("{shown} is {error}")).hint(
            "pass the app's own file: `adb shell pm path PACKAGE` and `adb pull` copy it from a phone",
        ),
        InspectError::Unreadable { .. } => {
            Failure::new(Kind::BadAnswer, format!("{shown}: {error}"))
        }
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let unreadable =
        |error: io::Error| Failure::usage(format!("{shown} cannot be read")).caused_by(&error);
    // A pipe without a writer would be waited for.
    let file = statefile::open_at_once(path, OpenOptions::new().read(true)).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Failure::usage(format!("{shown} is not a regular file")));
    }
    Ok(file)
}

/// Returns what Mains knows of devices.
fn known() -> KnownProtocol {
    let families = families::all();
    let scans = families.iter().flat_map(|family| family.probes(&[]));
    let scans = scans.filter_map(|probe| String::from_utf8(probe.bytes.into_owned()).ok());
    let scans = scans.filter(|scan| !scan.contains(char::is_control));
    let words = DiscoveryWord::FACTORY.iter().map(ToString::to_string);
    KnownProtocol {
        words: words.chain(scans).collect(),
        ports: vec![PORT, DATA_PORT, SMARTLINK_PORT],
    }
}

fn show(ui: &Ui, path: &Path, report: &AppReport) -> Result<(), Failure> {
    let package = match &report.package {
        Some(package) => format!(", package {}", clean(package)),
        None => String::new(),
    };
    ui.data(format_args!(
        "{}: {}{}",
        paint(BOLD, clean(&path.display().to_string())),
        report.format,
        package
    ))?;
    let mut headings = HashSet::new();
    let mut last = None;
    for finding in &report.findings {
        if last != Some(finding.kind) {
            let further = if headings.insert(finding.kind) {
                ""
            } else {
                ", of libraries"
            };
            ui.data(format_args!(
                "\n{}{further}",
                paint(BOLD, heading(finding.kind))
            ))?;
            last = Some(finding.kind);
        }
        ui.data(finding_line(finding))?;
    }
    if report.findings.is_empty() {
        ui.data("nothing that speaks of a device was found")?;
    }
    for problem in &report.problems {
        let place = match problem.place.as_str() {
            "" => String::new(),
            place => format!("{}: ", clean(place)),
        };
        ui.warn(format_args!("{place}{}", clean(&problem.text)));
    }
    Ok(())
}

fn heading(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::AtCommand => "AT commands",
        FindingKind::DiscoveryWord => "discovery words",
        FindingKind::Port => "ports",
        FindingKind::Key => "keys",
        FindingKind::Address => "addresses",
        FindingKind::Url => "URLs",
        FindingKind::Host => "host names",
    }
}

fn finding_line(finding: &AppFinding) -> String {
    let places = finding.places.iter().take(SHOWN_PLACES);
    let mut shown = places
        .map(|place| clean(place).into_owned())
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(further @ 1..) = finding.places.len().checked_sub(SHOWN_PLACES) {
        shown.push_str(&format!(" and {further} more"));
    }
    format!("  {}  {}", clean(&finding.value), paint(DIM, shown))
}
