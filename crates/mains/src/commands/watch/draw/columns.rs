//! The columns of the screen: those that fit, and their cells.

use std::time::Duration;

use api::duration;
use api::text::energy;
use jiff::Timestamp;
use plugs::{Reading, RelayState};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::look::ScreenLook;
use crate::commands::watch::app::WatchApp;
use crate::commands::watch::board::{Board, BoardPlug};
use crate::commands::watch::order::SortKey;
use crate::commands::watch::trend::TrendSlots;
use crate::plug_table::rounded;
use crate::ui::clean;

/// Space between two columns.
pub(super) const SPACING: u16 = 2;
/// Width of a name that is cut off last.
const MIN_NAME_WIDTH: u16 = 12;
/// Width of a MAC, which is the name of a plug that has none.
const MAC_WIDTH: u16 = 17;
/// Maximum width of a column of names.
const MAX_NAME_WIDTH: u16 = 32;
/// Minimum width of a trend.
const MIN_TREND_WIDTH: u16 = 10;
/// Width of a trend up to which it is more important than further columns.
const GOOD_TREND_WIDTH: u16 = 20;
/// Power at which a bar is at most full, however little a plug draws, so that noise does not look like a load.
const MIN_SCALE_WATTS: f64 = 5.0;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchColumn {
    Name,
    Relay,
    Power,
    Trend,
    Today,
    Total,
    Voltage,
    Current,
    Metered,
    Room,
    Address,
}

/// The columns that are shown, and their widths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnPlan(Vec<(WatchColumn, u16)>);

/// The columns as they stand beside each other.
const ORDER: [WatchColumn; 11] = [
    WatchColumn::Name,
    WatchColumn::Room,
    WatchColumn::Relay,
    WatchColumn::Power,
    WatchColumn::Trend,
    WatchColumn::Today,
    WatchColumn::Total,
    WatchColumn::Voltage,
    WatchColumn::Current,
    WatchColumn::Metered,
    WatchColumn::Address,
];

/// A step of the choice of columns.
#[derive(Debug, Clone, Copy)]
enum PlanStep {
    /// Adds a column, if all of its minimum width fits.
    Add(WatchColumn),
    /// Widens a column to at most this, as far as there is space.
    Widen(WatchColumn, u16),
}

/// The choice of columns, from the most important to what is left out first.
const STEPS: [PlanStep; 15] = [
    PlanStep::Add(WatchColumn::Name),
    PlanStep::Add(WatchColumn::Relay),
    PlanStep::Add(WatchColumn::Power),
    PlanStep::Widen(WatchColumn::Name, MAC_WIDTH),
    PlanStep::Add(WatchColumn::Metered),
    PlanStep::Add(WatchColumn::Trend),
    PlanStep::Add(WatchColumn::Today),
    PlanStep::Widen(WatchColumn::Trend, GOOD_TREND_WIDTH),
    PlanStep::Add(WatchColumn::Total),
    PlanStep::Add(WatchColumn::Room),
    PlanStep::Widen(WatchColumn::Name, MAX_NAME_WIDTH),
    PlanStep::Add(WatchColumn::Voltage),
    PlanStep::Add(WatchColumn::Current),
    PlanStep::Add(WatchColumn::Address),
    PlanStep::Widen(WatchColumn::Trend, u16::MAX),
];

impl WatchColumn {
    fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Relay => "RELAY",
            Self::Power => "POWER",
            Self::Trend => "LAST",
            Self::Today => "TODAY",
            Self::Total => "ENERGY",
            Self::Voltage => "VOLTAGE",
            Self::Current => "CURRENT",
            Self::Metered => "METERED",
            Self::Room => "ROOM",
            Self::Address => "ADDRESS",
        }
    }

    fn sort_key(self) -> Option<SortKey> {
        match self {
            Self::Name => Some(SortKey::Name),
            Self::Power => Some(SortKey::Power),
            Self::Today => Some(SortKey::Today),
            Self::Total => Some(SortKey::Total),
            Self::Room => Some(SortKey::Room),
            _ => None,
        }
    }

    fn is_figures(self) -> bool {
        matches!(
            self,
            Self::Power | Self::Today | Self::Total | Self::Voltage | Self::Current | Self::Metered
        )
    }

    /// Returns the minimum width; `None` for a column of which no plug has anything.
    fn min_width(self, board: &Board) -> Option<u16> {
        let has = |has: fn(&BoardPlug) -> bool| board.plugs().any(has);
        match self {
            Self::Name => Some(widest_name(board).clamp(5, MIN_NAME_WIDTH)),
            Self::Relay => Some(5),
            Self::Power => Some(10),
            Self::Trend => Some(MIN_TREND_WIDTH),
            Self::Today => has(|plug| plug.today_wh.is_some()).then_some(10),
            Self::Total => has(|plug| plug.energy_wh().is_some()).then_some(12),
            Self::Voltage => Some(7),
            Self::Current => Some(7),
            Self::Metered => Some(7),
            Self::Room => {
                let rooms = board.plugs().filter_map(|plug| plug.view.room.as_deref());
                let widest = rooms.map(|room| clean(room).width()).max()?;
                Some(u16::try_from(widest).unwrap_or(u16::MAX).clamp(4, 16))
            }
            Self::Address => Some(15),
        }
    }
}

impl ColumnPlan {
    /// Chooses the columns for a width: whole columns, the most important ones.
    pub(super) fn of(board: &Board, width: u16) -> Self {
        let mut plan = Self(Vec::new());
        let mut rest = width;
        for step in STEPS {
            match step {
                PlanStep::Add(column) => {
                    let Some(min_width) = column.min_width(board) else {
                        continue;
                    };
                    let is_first = plan.0.is_empty();
                    let more = min_width + if is_first { 0 } else { SPACING };
                    // The name stays, however narrow the terminal is.
                    if is_first || more <= rest {
                        plan.0.push((column, min_width));
                        rest = rest.saturating_sub(more);
                    }
                }
                PlanStep::Widen(column, limit) => {
                    let limit = match column {
                        WatchColumn::Name => limit.min(widest_name(board)),
                        _ => limit,
                    };
                    for (_, width) in plan.0.iter_mut().filter(|(other, _)| *other == column) {
                        let more = limit.saturating_sub(*width).min(rest);
                        *width += more;
                        rest -= more;
                    }
                }
            }
        }
        plan.0
            .sort_by_key(|(column, _)| ORDER.iter().position(|other| other == column));
        plan
    }

    /// Returns the widths.
    pub(super) fn widths(&self) -> impl Iterator<Item = u16> {
        self.0.iter().map(|(_, width)| *width)
    }

    /// Returns the width of a column; `None` when it is not shown.
    pub(super) fn width_of(&self, column: WatchColumn) -> Option<u16> {
        let found = self.0.iter().find(|(other, _)| *other == column);
        found.map(|(_, width)| *width)
    }

    /// Returns the slots of the trends.
    pub(super) fn slots(&self, board: &Board, now: Timestamp) -> TrendSlots {
        let width = self.width_of(WatchColumn::Trend).unwrap_or(0);
        board.slots(width.into(), now)
    }

    /// Returns the headings.
    pub(super) fn headings(
        &self,
        app: &WatchApp,
        slots: TrendSlots,
        look: ScreenLook,
    ) -> Vec<Line<'static>> {
        let heading = |(column, width): &(WatchColumn, u16)| {
            let mut text = column.heading().to_owned();
            let mut style = look.dim();
            if column.sort_key() == Some(app.order.key) {
                text.push_str(look.sort_sign(app.order.is_reversed));
                style = look.bold();
            }
            if *column == WatchColumn::Trend {
                text = format!("{text} {}", span(slots));
            }
            cell(*column, Span::styled(cut(&text, *width, look), style))
        };
        self.0.iter().map(heading).collect()
    }

    /// Returns the cells of a plug.
    pub(super) fn cells(
        &self,
        app: &WatchApp,
        plug: &BoardPlug,
        slots: TrendSlots,
        look: ScreenLook,
    ) -> Vec<Line<'static>> {
        let row = PlugRow {
            plug,
            is_known: app.board.disconnected().is_none(),
            has_age: self.width_of(WatchColumn::Metered).is_some(),
            slots,
            look,
        };
        let line = |(column, width): &(WatchColumn, u16)| match column {
            WatchColumn::Trend => bars(&plug.trend(slots), MIN_SCALE_WATTS, look),
            _ => cell(*column, row.span(*column, *width)),
        };
        self.0.iter().map(line).collect()
    }
}

/// Returns the width of the longest name.
fn widest_name(board: &Board) -> u16 {
    let widths = board.plugs().map(|plug| clean(&plug.name()).width());
    u16::try_from(widths.max().unwrap_or(0)).unwrap_or(u16::MAX)
}

/// The cells of one plug.
struct PlugRow<'a> {
    plug: &'a BoardPlug,
    /// False while the hub cannot be reached.
    is_known: bool,
    /// True if the age of the reading has a column.
    has_age: bool,
    slots: TrendSlots,
    look: ScreenLook,
}

impl PlugRow<'_> {
    fn span(&self, column: WatchColumn, width: u16) -> Span<'static> {
        let (plug, look) = (self.plug, self.look);
        let view = &plug.view;
        let plain = |text: String| Span::raw(text);
        match column {
            WatchColumn::Name => {
                let is_present = self.is_known && view.available;
                let style = if is_present { look.bold() } else { look.dim() };
                let name = match &view.plug.name {
                    Some(name) => cut(name, width, look),
                    None => cut_front(&view.plug.mac.to_string(), width, look),
                };
                Span::styled(name, style)
            }
            WatchColumn::Room => match &view.room {
                Some(room) => plain(cut(room, width, look)),
                None => self.dash(),
            },
            WatchColumn::Relay => self.relay(),
            WatchColumn::Power => self.power(),
            WatchColumn::Voltage => self.figure(|reading| reading.voltage_v, 1, "V"),
            WatchColumn::Current => self.figure(|reading| reading.current_a, 2, "A"),
            WatchColumn::Today => plug
                .today_wh
                .map_or_else(|| self.dash(), |today| plain(energy(today))),
            WatchColumn::Total => match plug.energy_wh() {
                // Exact up to 9,000 TWh.
                Some(total) => plain(energy(total as f64)),
                None => self.dash(),
            },
            WatchColumn::Metered => match plug.metered {
                Some(metered) => Span::styled(age(metered, self.slots.now), look.dim()),
                None => self.dash(),
            },
            WatchColumn::Address => plain(view.plug.address.to_string()),
            WatchColumn::Trend => Span::raw(""),
        }
    }

    fn dash(&self) -> Span<'static> {
        Span::styled("-", self.look.dim())
    }

    fn relay(&self) -> Span<'static> {
        let (view, look) = (&self.plug.view, self.look);
        if let Some(action) = self.plug.pending {
            let wanted = match view.plug.relay {
                Some(relay) => action.from_here(relay).as_str(),
                None => "?",
            };
            return Span::styled(format!("{}{wanted}", look.arrow()), look.pending());
        }
        match (self.is_known, view.available, view.plug.relay) {
            (false, _, _) | (true, true, None) => self.dash(),
            (true, false, _) => Span::styled("gone", look.bad()),
            (true, true, Some(RelayState::On)) => Span::styled("ON", look.on()),
            (true, true, Some(RelayState::Off)) if view.still_drawing_w.is_some() => {
                Span::styled("off!", look.bad())
            }
            (true, true, Some(RelayState::Off)) => Span::styled("off", look.dim()),
        }
    }

    fn present_reading(&self) -> Option<&Reading> {
        self.plug
            .present_reading(self.slots.now)
            .filter(|_| self.is_known)
    }

    /// A figure of the present reading.
    fn figure(
        &self,
        value: impl Fn(&Reading) -> Option<f64>,
        decimals: usize,
        unit: &str,
    ) -> Span<'static> {
        let value = self.present_reading().and_then(value);
        value.map_or_else(
            || self.dash(),
            |value| Span::raw(format!("{} {unit}", rounded(value, decimals))),
        )
    }

    /// The power. One that is not present is dim and in parentheses, beside its age; where that has no column, the age stands
    /// in place of the power.
    fn power(&self) -> Span<'static> {
        let last = self.plug.view.reading.as_ref();
        let text = last.and_then(|reading| reading.power_w).map(watts);
        let (Some(text), Some(metered)) = (text, self.plug.metered) else {
            return self.dash();
        };
        match (self.present_reading(), self.has_age) {
            (Some(_), _) => Span::raw(text),
            (None, true) => Span::styled(format!("({text})"), self.look.dim()),
            (None, false) => Span::styled(age(metered, self.slots.now), self.look.dim()),
        }
    }
}

/// Returns a power.
pub(super) fn watts(watts: f64) -> String {
    format!("{} W", rounded(watts, 1))
}

/// Returns a line of bars, of which the highest value is a full one, or `min_scale`.
pub(super) fn bars(slots: &[Option<f64>], min_scale: f64, look: ScreenLook) -> Line<'static> {
    let max = slots.iter().flatten().copied().fold(min_scale, f64::max);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for slot in slots {
        let (sign, style) = match slot {
            None => (" ", Style::new()),
            Some(value) if *value > 0.0 => (look.bar_sign(*value, max), look.bar()),
            Some(_) => (look.bar_sign(0.0, max), look.dim()),
        };
        match spans.last_mut().filter(|span| span.style == style) {
            Some(span) => span.content.to_mut().push_str(sign),
            None => spans.push(Span::styled(sign, style)),
        }
    }
    Line::from(spans)
}

/// Returns the time that a trend spans, in its largest unit.
pub(super) fn span(slots: TrendSlots) -> String {
    let count = i64::try_from(slots.count).unwrap_or(i64::MAX);
    let seconds = slots.seconds.saturating_mul(count).unsigned_abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Returns how long ago a moment was, in its largest unit.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_until(now).as_secs().max(0).unsigned_abs();
    let whole = |unit: u64| Duration::from_secs(seconds / unit * unit);
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{} ago", duration::show(whole(1))),
        60..3600 => format!("{} ago", duration::show(whole(60))),
        3600..86_400 => format!("{} ago", duration::show(whole(3600))),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

fn cell(column: WatchColumn, span: Span<'static>) -> Line<'static> {
    let line = Line::from(span);
    match column.is_figures() {
        true => line.right_aligned(),
        false => line,
    }
}

/// Makes text of a device safe, and cuts it to a width as it is displayed.
pub(super) fn cut(text: &str, width: u16, look: ScreenLook) -> String {
    let text = clean(text);
    let width = usize::from(width);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut shown = String::new();
    let room = width.saturating_sub(look.ellipsis().width());
    for character in text.chars() {
        shown.push(character);
        if shown.width() > room {
            shown.pop();
            break;
        }
    }
    shown + look.ellipsis()
}

/// Cuts ASCII text at its front: MACs differ at their end.
fn cut_front(text: &str, width: u16, look: ScreenLook) -> String {
    match text.len().checked_sub(width.into()) {
        None | Some(0) => text.to_owned(),
        Some(excess) => {
            let end = text.get(excess + 1..).unwrap_or("");
            format!("{}{end}", look.ellipsis())
        }
    }
}
