//! Logs on stderr, for `-v` and `-vv`.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::ui::Ui;

/// Our own crates only: what others log (D-Bus messages, say) can hold a Wi-Fi key.
const OURS: [&str; 4] = ["mains", "hiflying", "plugs", "emulator"];

/// Starts logging when it was asked for; without it nothing is logged and nothing is paid.
pub(crate) fn start(verbosity: u8, ui: &Ui) {
    let level = match verbosity {
        0 => return,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let targets = Targets::new().with_targets(OURS.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(ui.colours_stderr());
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}
