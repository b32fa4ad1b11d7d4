//! The browser of the desktop, where there is one.

use std::env;
use std::io::{self, IsTerminal};
use std::process::{Command, Stdio};

use super::directory::DemoDirectory;
use crate::ui::{DIM, Ui, paint};

/// Program that opens a file in the browser of the desktop.
const OPENER: &str = "xdg-open";

/// Returns true where a person sits before a desktop: what is printed for a program must not open windows.
pub(super) fn is_there(ui: &Ui) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_desktop = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    has_desktop && !ui.is_json() && io::stdout().is_terminal()
}

/// Opens a link. Without the program for it, the link that was printed is still there.
pub(super) fn open(ui: &Ui, directory: &DemoDirectory, link: &str) {
    let opened = directory.write_page(link).and_then(|page| {
        Command::new(OPENER)
            .arg(page)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    if let Err(error) = opened {
        ui.status(paint(
            DIM,
            format_args!("no browser is opened: {OPENER}: {error}"),
        ));
    }
}
