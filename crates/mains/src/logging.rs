//! Logs on stderr: for `-v` and `-vv`, and always for a service.

use std::io::{self, Write};
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::context::Context;
use crate::service_log;
use crate::ui::harmless;
use crate::ui::held::HeldOutput;

/// Crates whose logs are shown: only those of the workspace, because others log D-Bus messages, which can hold a Wi-Fi key.
const LOGGED_CRATES: [&str; 7] = [
    "mains", "hiflying", "plugs", "hue", "hub", "emulator", "mqtt",
];

/// Starts logging if `-v` asks for it or the verb is a `service`, which has no other output; otherwise it costs nothing.
pub(crate) fn start(context: &Context, service: bool) {
    let level = match (context.settings.verbosity, service) {
        (0, false) => return,
        (0, true) if context.settings.ui.quiet => Level::WARN,
        (0, true) => Level::INFO,
        (1, _) => Level::DEBUG,
        _ => Level::TRACE,
    };
    let targets = Targets::new().with_targets(LOGGED_CRATES.map(|name| (name, level)));
    let held = context.ui.held();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || CleanStderr(Arc::clone(&held)))
        .with_ansi(context.ui.colours_stderr());
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}

/// Stderr, where text from devices steers no terminal, and nothing is written into a screen. Each line arrives in one piece.
struct CleanStderr(Arc<HeldOutput>);

impl Write for CleanStderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if self.0.take_log(&harmless(&text)) {
            return Ok(bytes.len());
        }
        let text = harmless(&text);
        if !service_log::log(&text) {
            io::stderr().write_all(text.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
