//! Logs on stderr: for `-v` and `-vv`, and always for what runs for long.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::context::Context;

/// Our own crates only: what others log (D-Bus messages, say) can hold a Wi-Fi key.
const OURS: [&str; 6] = ["mains", "hiflying", "plugs", "hue", "hub", "emulator"];

/// Starts logging when it was asked for, or for a `service`, which has no other way to tell; otherwise nothing is logged and
/// nothing is paid.
pub(crate) fn start(context: &Context, service: bool) {
    let level = match (context.settings.verbosity, service) {
        (0, false) => return,
        (0, true) if context.settings.ui.quiet => Level::WARN,
        (0, true) => Level::INFO,
        (1, _) => Level::DEBUG,
        _ => Level::TRACE,
    };
    let targets = Targets::new().with_targets(OURS.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(context.ui.colours_stderr());
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}
