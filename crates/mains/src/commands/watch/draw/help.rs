//! The help of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{ScreenLook, flow_with};
use crate::commands::watch::app::WatchApp;
use crate::job_control;

/// Keys and their meaning.
const KEYS: [(&str, &str); 9] = [
    (
        "Up Down, k j",
        "select a plug; PageUp, PageDown, Home, End too",
    ),
    (
        "Space, Enter",
        "switch the selected plug on or off, at once and without a question",
    ),
    (
        "/",
        "show only plugs with this text in name, room, MAC, address, serial number or model",
    ),
    ("s", "sort by name, power, energy of today, energy, room"),
    ("S", "sort in the opposite direction"),
    ("Esc", "clear the message, the filter, the selection"),
    ("Ctrl-L", "draw the screen anew"),
    ("?", "show or close this help; Up and Down scroll it"),
    ("q, Ctrl-C", "quit"),
];

/// The meaning of what is shown.
const NOTES: [(&str, &str); 8] = [
    ("", ""),
    ("on, off", "the position that the plug has reported"),
    (">on, >off", "switched, and not confirmed by the plug yet"),
    (
        "off!",
        "off, but the meter shows power: the relay may be welded; unplug it",
    ),
    ("gone", "the plug does not reply"),
    (
        "(78.4 W)",
        "an old figure, which METERED tells the age of; it is in no sum",
    ),
    (
        "LAST",
        "power over this time; a full bar is the highest value of the plug, a gap is unknown",
    ),
    ("-", "unknown"),
];

/// Width of the column of keys.
const KEY_WIDTH: usize = 14;

/// Draws the help in place of everything else.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &mut WatchApp, look: ScreenLook) {
    let mut lines = vec![
        Line::styled("mains watch: keys", look.bold()),
        Line::default(),
    ];
    for (key, meaning) in KEYS.iter().chain(job_control::KEYS).chain(&NOTES) {
        let arrow = key.replace('>', look.arrow());
        lines.extend(entry(&arrow, meaning, area.width, look));
    }
    let hidden = lines.len().saturating_sub(area.height.into());
    app.help_line = app.help_line.min(u16::try_from(hidden).unwrap_or(u16::MAX));
    frame.render_widget(Paragraph::new(lines).scroll((app.help_line, 0)), area);
}

/// Returns a key and its meaning, which wraps beside it, or below it where the terminal is narrow.
fn entry(key: &str, meaning: &str, width: u16, look: ScreenLook) -> Vec<Line<'static>> {
    let is_narrow = usize::from(width) < KEY_WIDTH + 24;
    let indent = if is_narrow { 2 } else { KEY_WIDTH };
    let words = meaning.split(' ').map(|word| Span::raw(word.to_owned()));
    let room = usize::from(width).saturating_sub(indent);
    let meaning = flow_with(words.collect(), u16::try_from(room).unwrap_or(u16::MAX), 1);
    let mut lines = Vec::new();
    if is_narrow {
        lines.push(Line::styled(key.to_owned(), look.bold()));
    }
    for (number, mut line) in meaning.into_iter().enumerate() {
        let head = if number == 0 && !is_narrow { key } else { "" };
        line.spans
            .insert(0, Span::styled(format!("{head:indent$}"), look.bold()));
        lines.push(line);
    }
    lines
}
