//! Colours and signs of the screen: those that the terminal has.

use anstyle::{AnsiColor, Color as AnstyleColor, Effects};
use api::text::Tone;
use ratatui::style::{Color, Modifier, Style};

use crate::ui::{BAD, BOLD, DIM, GOOD, HINT, ON, WARN};

/// Colours and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::watch) struct ScreenLook {
    /// True for colours and styles.
    pub(in crate::commands::watch) is_coloured: bool,
    /// True for signs beyond ASCII.
    pub(in crate::commands::watch) is_unicode: bool,
}

/// Bars from nothing to full. A full one leaves space to the row above.
const UNICODE_BARS: [&str; 8] = ["▁", "▁", "▂", "▃", "▄", "▅", "▆", "▇"];
const ASCII_BARS: [&str; 8] = ["_", ".", ":", "-", "=", "+", "*", "#"];

impl ScreenLook {
    /// Returns the look for the terminal that the environment describes.
    pub(in crate::commands::watch) fn of_terminal(is_coloured: bool) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(variable);
        Self {
            is_coloured,
            is_unicode: shows_unicode(locale.as_deref(), variable("TERM").as_deref()),
        }
    }

    /// Converts a style.
    pub(super) fn style(self, style: anstyle::Style) -> Style {
        if !self.is_coloured {
            return Style::new();
        }
        let effects = style.get_effects();
        let modifiers = [
            (Effects::BOLD, Modifier::BOLD),
            (Effects::DIMMED, Modifier::DIM),
        ];
        let styled = modifiers
            .into_iter()
            .filter(|(effect, _)| effects.contains(*effect))
            .fold(Style::new(), |styled, (_, modifier)| {
                styled.add_modifier(modifier)
            });
        match style.get_fg_color() {
            Some(AnstyleColor::Ansi(colour)) => styled.fg(ansi(colour)),
            _ => styled,
        }
    }

    /// The style of what is of little interest, and of what is not present.
    pub(super) fn dim(self) -> Style {
        self.style(DIM)
    }

    /// The style of names.
    pub(super) fn bold(self) -> Style {
        self.style(BOLD)
    }

    /// The style of what is on.
    pub(super) fn on(self) -> Style {
        self.style(ON)
    }

    /// The style of what is being done.
    pub(super) fn pending(self) -> Style {
        self.style(WARN)
    }

    /// The style of failures.
    pub(super) fn bad(self) -> Style {
        self.style(BAD)
    }

    /// The style of bars.
    pub(super) fn bar(self) -> Style {
        self.style(HINT)
    }

    /// The style of a text with this tone.
    pub(super) fn toned(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => self.bold(),
            Tone::Good => self.style(GOOD),
            Tone::Bad => self.bad(),
            Tone::On => self.on(),
            Tone::Dim => self.dim(),
        }
    }

    /// The style of the row under the cursor.
    pub(super) fn cursor(self) -> Style {
        match self.is_coloured {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        }
    }

    /// The sign before the row under the cursor.
    pub(super) fn cursor_sign(self) -> &'static str {
        if self.is_unicode { "▶ " } else { "> " }
    }

    /// The sign behind the heading by which rows are sorted.
    pub(super) fn sort_sign(self, is_reversed: bool) -> &'static str {
        match (self.is_unicode, is_reversed) {
            (true, false) => "▾",
            (true, true) => "▴",
            (false, false) => " v",
            (false, true) => " ^",
        }
    }

    /// The sign for what was cut off.
    pub(super) fn ellipsis(self) -> &'static str {
        if self.is_unicode { "…" } else { "~" }
    }

    /// The sign before the position that a relay is switched to.
    pub(super) fn arrow(self) -> &'static str {
        if self.is_unicode { "→" } else { ">" }
    }

    /// The names of the arrow keys.
    pub(super) fn arrow_keys(self) -> &'static str {
        if self.is_unicode {
            "↑ ↓"
        } else {
            "Up Down"
        }
    }

    /// The bar for a value of a scale.
    pub(super) fn bar_sign(self, value: f64, max: f64) -> &'static str {
        let bars = if self.is_unicode {
            UNICODE_BARS
        } else {
            ASCII_BARS
        };
        let full = (bars.len() - 1) as f64;
        let level = match value > 0.0 && max > 0.0 {
            // A value above zero has a bar, however small.
            true => (value / max * full).ceil().clamp(1.0, full),
            false => 0.0,
        };
        bars.get(level as usize).copied().unwrap_or(" ")
    }
}

/// Returns true if a terminal shows more than ASCII. A locale that is not set is no statement; the console of Linux lacks most bars.
fn shows_unicode(locale: Option<&str>, term: Option<&str>) -> bool {
    let is_utf8 = |locale: &str| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    term != Some("linux") && locale.is_none_or(is_utf8)
}

fn ansi(colour: AnsiColor) -> Color {
    match colour {
        AnsiColor::Black => Color::Black,
        AnsiColor::Red => Color::Red,
        AnsiColor::Green => Color::Green,
        AnsiColor::Yellow => Color::Yellow,
        AnsiColor::Blue => Color::Blue,
        AnsiColor::Magenta => Color::Magenta,
        AnsiColor::Cyan => Color::Cyan,
        AnsiColor::White => Color::Gray,
        AnsiColor::BrightBlack => Color::DarkGray,
        AnsiColor::BrightRed => Color::LightRed,
        AnsiColor::BrightGreen => Color::LightGreen,
        AnsiColor::BrightYellow => Color::LightYellow,
        AnsiColor::BrightBlue => Color::LightBlue,
        AnsiColor::BrightMagenta => Color::LightMagenta,
        AnsiColor::BrightCyan => Color::LightCyan,
        AnsiColor::BrightWhite => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ScreenLook = ScreenLook {
        is_coloured: false,
        is_unicode: false,
    };

    #[test]
    fn signs_beyond_ascii_need_a_locale_that_has_them() {
        for (locale, term, expected) in [
            (Some("de_DE.UTF-8"), Some("xterm"), true),
            (Some("C.utf8"), Some("xterm"), true),
            (None, Some("xterm"), true),
            (Some("C"), Some("xterm"), false),
            (Some("de_DE.ISO-8859-1"), None, false),
            (Some("de_DE.UTF-8"), Some("linux"), false),
        ] {
            assert_eq!(shows_unicode(locale, term), expected, "{locale:?} {term:?}");
        }
    }

    #[test]
    fn bars_begin_at_nothing() {
        let bars: String = [0.0, 0.1, 500.0, 1000.0, 2000.0, -1.0]
            .map(|watts| PLAIN.bar_sign(watts, 1000.0))
            .concat();
        assert_eq!(bars, "_.=##_");
        assert_eq!(PLAIN.bar_sign(1.0, 0.0), "_");
    }

    #[test]
    fn styles_are_those_of_other_output() {
        let coloured = ScreenLook {
            is_coloured: true,
            is_unicode: true,
        };
        let expected = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
        assert_eq!(coloured.on(), expected);
        assert_eq!(PLAIN.on(), Style::new());
        assert_eq!(PLAIN.cursor(), Style::new());
    }
}
