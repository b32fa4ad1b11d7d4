//! Draws the screen from its state. Nothing else is read or changed, but for the rows that are visible.

use api::text::{LocalClock, Tone, energy, lasting, money};
use api::{Metering, duration};
use jiff::{SignedDuration, Timestamp};
use plugs::Capability;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    HighlightSpacing, Paragraph, Row, Scrollbar, ScrollbarOrientation, ScrollbarState, Table,
    TableState, Wrap,
};

use super::app::{Focus, WatchApp};
use super::board::BoardPlug;
use super::order::SortKey;
use crate::ui::clean;
use columns::{ColumnPlan, bars, span, watts};
pub(super) use look::ScreenLook;

mod columns;
mod help;
mod look;

/// Space between two parts of a line that wraps.
const PART_SPACING: usize = 3;
/// Minimum height of the plugs with their heading: further lines give way to it.
const MIN_TABLE_HEIGHT: u16 = 4;
/// Maximum height of a message.
const MAX_MESSAGE_HEIGHT: u16 = 3;
/// Minimum width of the trend of all plugs.
const MIN_TOTAL_TREND_WIDTH: u16 = 12;
/// Maximum width of the trend of all plugs.
const MAX_TOTAL_TREND_WIDTH: u16 = 40;

/// Lines above and below the plugs.
struct Surroundings {
    header: Vec<Line<'static>>,
    details: Vec<Line<'static>>,
    message: Paragraph<'static>,
    message_height: u16,
    keys: Vec<Line<'static>>,
}

/// Draws the screen.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut WatchApp, look: ScreenLook, now: Timestamp) {
    app.arrange(now);
    let full = frame.area();
    let area = match full.width {
        0..=20 => full,
        // No text touches the edge.
        width => Rect {
            x: 1,
            width: width - 2,
            ..full
        },
    };
    if app.focus == Focus::Help {
        return help::draw(frame, area, app, look);
    }
    let (message, message_height) = message(app, area.width, look, now);
    let around = Surroundings {
        header: header(app, area.width, look, now),
        details: details(app, area.width, look, now),
        message,
        message_height,
        keys: keys(area.width, look),
    };
    let [header, table, details, message, keys] = around.divide(area);
    frame.render_widget(Paragraph::new(around.header), header);
    draw_plugs(frame, table, app, look, now);
    // Below a line of space.
    let details = details.intersection(Rect {
        y: details.y + 1,
        ..details
    });
    frame.render_widget(Paragraph::new(around.details), details);
    frame.render_widget(around.message, message);
    frame.render_widget(Paragraph::new(around.keys), keys);
    if app.focus == Focus::Filter && message.height > 0 {
        let end = 1 + Span::raw(clean(&app.order.filter)).width();
        let end = u16::try_from(end).unwrap_or(u16::MAX);
        let x = message
            .x
            .saturating_add(end)
            .min(message.right().saturating_sub(1));
        frame.set_cursor_position((x, message.y));
    }
}

impl Surroundings {
    /// Divides the height: the plugs have at least a few rows, and what is less important gives way first.
    fn divide(&self, area: Rect) -> [Rect; 5] {
        let height = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
        // With a line of space below the header and above the details.
        let header = height(&self.header) + 1;
        let details = match height(&self.details) {
            0 => 0,
            lines => lines + 1,
        };
        let mut rest = area.height.saturating_sub(MIN_TABLE_HEIGHT);
        let mut grant = |wanted: u16, min: u16| {
            let granted = if wanted <= rest {
                wanted
            } else {
                min.min(rest)
            };
            rest -= granted;
            granted
        };
        let message = grant(self.message_height, 1);
        let header = grant(header, 1);
        let keys = grant(height(&self.keys), 0);
        let details = grant(details, 0);
        Layout::vertical([
            Constraint::Length(header),
            Constraint::Min(0),
            Constraint::Length(details),
            Constraint::Length(message),
            Constraint::Length(keys),
        ])
        .areas(area)
    }
}

/// Returns the source and the time, and the sums.
fn header(app: &WatchApp, width: u16, look: ScreenLook, now: Timestamp) -> Vec<Line<'static>> {
    let mut title = vec![
        Span::styled("mains watch", look.bold()),
        Span::styled(clean(&app.source).into_owned(), look.dim()),
    ];
    let order = &app.order;
    if order.key != SortKey::default() || order.is_reversed {
        let reversed = if order.is_reversed { ", reversed" } else { "" };
        title.push(Span::styled(
            format!("by {}{reversed}", order.key.as_str()),
            look.dim(),
        ));
    }
    if !order.filter.is_empty() {
        let (shown, all) = (app.shown.len(), app.board.plugs().count());
        let text = format!("filter: {} ({shown} of {all})", clean(&order.filter));
        title.push(Span::styled(text, look.pending()));
    }
    let mut lines = flow(title, width);
    let time = now
        .to_zoned(app.timezone.clone())
        .strftime("%H:%M:%S")
        .to_string();
    push_right(
        lines.last_mut(),
        vec![Span::styled(time, look.dim())],
        width,
    );
    let mut sums = flow(sums(app, look, now), width);
    if app.board.disconnected().is_none() {
        let trend = total_trend(app, width, sums.last(), look, now);
        push_right(sums.last_mut(), trend, width);
    }
    lines.extend(sums);
    lines
}

fn sums(app: &WatchApp, look: ScreenLook, now: Timestamp) -> Vec<Span<'static>> {
    if let Some(since) = app.board.disconnected() {
        let ago = lasting(
            now.duration_since(since)
                .max(SignedDuration::ZERO)
                .unsigned_abs(),
        );
        return vec![
            Span::styled("the hub cannot be reached", look.bad()),
            Span::styled(format!("for {ago}; reconnecting"), look.bad()),
        ];
    }
    let totals = app.board.totals(now);
    let plugs = match totals.plugs {
        1 => "1 plug".to_owned(),
        count => format!("{count} plugs"),
    };
    let mut parts = vec![
        Span::raw(plugs),
        Span::styled(
            format!("{} on", totals.on),
            if totals.on > 0 { look.on() } else { look.dim() },
        ),
        Span::styled(watts(totals.watts), look.bold()),
    ];
    if let Some(today) = totals.today_wh {
        parts.push(Span::raw(format!("{} today", energy(today))));
    }
    if let Some((cost, currency)) = totals.cost {
        parts.push(Span::raw(clean(&money(cost, Some(&currency))).into_owned()));
    }
    if totals.gone > 0 {
        parts.push(Span::styled(format!("{} gone", totals.gone), look.bad()));
    }
    parts
}

/// Returns the power of all plugs over the last minutes, where there is space behind the sums.
fn total_trend(
    app: &WatchApp,
    width: u16,
    before: Option<&Line<'_>>,
    look: ScreenLook,
    now: Timestamp,
) -> Vec<Span<'static>> {
    let before = before.map_or(0, Line::width);
    let space = usize::from(width).saturating_sub(before + PART_SPACING);
    let label_width = 12;
    let space = u16::try_from(space.saturating_sub(label_width)).unwrap_or(u16::MAX);
    if space < MIN_TOTAL_TREND_WIDTH || app.board.plugs().next().is_none() {
        return Vec::new();
    }
    let slots = app
        .board
        .slots(space.min(MAX_TOTAL_TREND_WIDTH).into(), now);
    let mut trend = bars(&app.board.total_trend(slots), 0.0, look).spans;
    trend.insert(
        0,
        Span::styled(format!("last {} ", span(slots)), look.dim()),
    );
    trend
}

/// Returns the plug under the cursor in full.
fn details(app: &WatchApp, width: u16, look: ScreenLook, now: Timestamp) -> Vec<Line<'static>> {
    let Some(plug) = app.cursor.and_then(|mac| app.board.plug(mac)) else {
        return Vec::new();
    };
    let view = &plug.view;
    let dim = |text: String| Span::styled(clean(&text).into_owned(), look.dim());
    let mut parts = vec![Span::styled(clean(&plug.name()).into_owned(), look.bold())];
    parts.extend(view.room.clone().map(dim));
    if view.plug.name.is_some() {
        parts.push(dim(view.plug.mac.to_string()));
    }
    parts.push(dim(view.plug.address.to_string()));
    parts.push(dim(match &view.plug.model {
        Some(model) if !model.is_empty() => format!("{} {model}", view.plug.family),
        _ => view.plug.family.to_string(),
    }));
    parts.extend(state_details(app, plug, look, now));
    flow(parts, width)
}

fn state_details(
    app: &WatchApp,
    plug: &BoardPlug,
    look: ScreenLook,
    now: Timestamp,
) -> Vec<Span<'static>> {
    let view = &plug.view;
    let clock = LocalClock::at(now, app.timezone.clone());
    let mut parts = Vec::new();
    if !view.available {
        let seen = clock.moment(view.plug.seen);
        parts.push(Span::styled(
            format!("does not reply, last heard {seen}"),
            look.bad(),
        ));
    } else if let (Some(since), Some(relay)) = (view.relay_since, view.plug.relay) {
        parts.push(Span::raw(format!("{relay} since {}", clock.moment(since))));
    }
    if let Some(watts) = view.still_drawing_w {
        let text =
            format!("is off, but still draws {watts:.0} W: its relay may be welded; unplug it");
        parts.push(Span::styled(text, look.bad()));
    }
    if !plug.can(Capability::Meter) {
        parts.push(Span::styled("no meter", look.dim()));
    } else {
        let metered = match view.metering {
            Metering::Every(period) => format!("metered every {}", duration::show(period.get())),
            Metering::Off => "not metered".to_owned(),
        };
        parts.push(Span::styled(metered, look.dim()));
    }
    if let Some(reading) = plug.present_reading(now) {
        let figures = [
            (reading.voltage_v, 1, "V"),
            (reading.current_a, 2, "A"),
            (reading.frequency_hz, 1, "Hz"),
        ];
        let figures = figures
            .map(|(value, decimals, unit)| value.map(|value| format!("{value:.decimals$} {unit}")));
        parts.extend(
            figures
                .into_iter()
                .flatten()
                .map(|text| Span::styled(text, look.dim())),
        );
    }
    parts
}

/// Returns the line in which the filter is typed, else the message, and its height.
fn message(
    app: &WatchApp,
    width: u16,
    look: ScreenLook,
    now: Timestamp,
) -> (Paragraph<'static>, u16) {
    if app.focus == Focus::Filter {
        let text = format!("/{}", clean(&app.order.filter));
        return (Paragraph::new(Span::styled(text, look.bold())), 1);
    }
    let Some(message) = app.message(now) else {
        return (Paragraph::new(""), 1);
    };
    let prefix = match message.tone {
        Tone::Bad => "error: ",
        _ => "",
    };
    let style = look.toned(message.tone);
    let words = format!("{prefix}{}", clean(&message.text));
    let words = words
        .split(' ')
        .map(|word| Span::styled(word.to_owned(), style));
    let lines = flow_with(words.collect(), width, 1);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    (
        Paragraph::new(lines).wrap(Wrap { trim: false }),
        height.clamp(1, MAX_MESSAGE_HEIGHT),
    )
}

fn keys(width: u16, look: ScreenLook) -> Vec<Line<'static>> {
    let keys = [
        (look.arrow_keys(), "select"),
        ("Space", "switch"),
        ("/", "filter"),
        ("s", "sort"),
        ("?", "help"),
        ("q", "quit"),
    ];
    let parts = keys.map(|(key, what)| {
        vec![
            Span::styled(key, look.bold()),
            Span::styled(format!(" {what}"), look.dim()),
        ]
    });
    flow_groups(parts.into(), width, PART_SPACING)
}

fn draw_plugs(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &mut WatchApp,
    look: ScreenLook,
    now: Timestamp,
) {
    if app.shown.is_empty() {
        let text = Paragraph::new(nothing_to_show(app)).style(look.dim());
        return frame.render_widget(text.wrap(Wrap { trim: true }), area);
    }
    let rows = area.height.saturating_sub(1);
    app.visible_rows = rows.into();
    let is_scrolled = app.shown.len() > app.visible_rows;
    let bar_width = if is_scrolled { 2 } else { 0 };
    let sign = look.cursor_sign();
    let sign_width = 2;
    let plan = ColumnPlan::of(
        &app.board,
        area.width.saturating_sub(sign_width + bar_width),
    );
    let slots = plan.slots(&app.board, now);
    let cursor = app.cursor_row();
    let first = first_visible(app.first_row, cursor, app.shown.len(), app.visible_rows);
    app.first_row = first;
    // A row that is not visible need not be written.
    let visible = app.shown.iter().skip(first).take(app.visible_rows);
    let cells = visible
        .filter_map(|mac| app.board.plug(*mac))
        .map(|plug| Row::new(plan.cells(app, plug, slots, look)));
    let table = Table::new(cells, plan.widths().map(Constraint::Length))
        .header(Row::new(plan.headings(app, slots, look)))
        .column_spacing(columns::SPACING)
        .highlight_symbol(sign)
        .highlight_spacing(HighlightSpacing::Always)
        .row_highlight_style(look.cursor());
    let mut state = TableState::new().with_selected(cursor.map(|row| row.saturating_sub(first)));
    let table_area = Rect {
        width: area.width.saturating_sub(bar_width),
        ..area
    };
    frame.render_stateful_widget(table, table_area, &mut state);
    if is_scrolled {
        draw_scrollbar(frame, area, app, look);
    }
}

/// Returns the first visible row: the former one, moved by as little as makes the cursor visible.
fn first_visible(former: usize, cursor: Option<usize>, rows: usize, visible: usize) -> usize {
    let first = former.min(rows.saturating_sub(visible));
    match cursor {
        Some(cursor) if cursor < first => cursor,
        Some(cursor) if cursor >= first + visible => (cursor + 1).saturating_sub(visible),
        _ => first,
    }
}

fn draw_scrollbar(frame: &mut Frame<'_>, area: Rect, app: &WatchApp, look: ScreenLook) {
    let hidden = app.shown.len().saturating_sub(app.visible_rows);
    let mut state = ScrollbarState::new(hidden + 1)
        .position(app.first_row)
        .viewport_content_length(app.visible_rows);
    let (track, thumb) = if look.is_unicode {
        ("│", "█")
    } else {
        ("|", "#")
    };
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some(track))
        .thumb_symbol(thumb)
        .style(look.dim());
    let below_heading = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    frame.render_stateful_widget(bar, below_heading, &mut state);
}

fn nothing_to_show(app: &WatchApp) -> &'static str {
    if !app.order.filter.is_empty() {
        return "no plug has the text of the filter; Esc clears it";
    }
    match app.is_hub {
        true => {
            "the hub keeps no plug yet; `mains discover` finds plugs, `mains hub adopt` takes them in"
        }
        false => "no plug has been heard yet; is this computer on the plugs' network?",
    }
}

/// Joins parts to lines of a width. A line breaks between parts, never within one.
fn flow(parts: Vec<Span<'static>>, width: u16) -> Vec<Line<'static>> {
    flow_with(parts, width, PART_SPACING)
}

fn flow_with(parts: Vec<Span<'static>>, width: u16, spacing: usize) -> Vec<Line<'static>> {
    flow_groups(
        parts.into_iter().map(|part| vec![part]).collect(),
        width,
        spacing,
    )
}

fn flow_groups(groups: Vec<Vec<Span<'static>>>, width: u16, spacing: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for group in groups {
        let needed: usize = group.iter().map(Span::width).sum();
        match lines.last_mut() {
            Some(line) if line.width() + spacing + needed <= usize::from(width) => {
                line.push_span(Span::raw(" ".repeat(spacing)));
                line.extend(group);
            }
            _ => lines.push(Line::from(group)),
        }
    }
    lines
}

/// Appends spans at the right edge, where there is space for them.
fn push_right(line: Option<&mut Line<'static>>, spans: Vec<Span<'static>>, width: u16) {
    let needed: usize = spans.iter().map(Span::width).sum();
    if let Some(line) = line
        && needed > 0
        && line.width() + PART_SPACING + needed <= usize::from(width)
    {
        let space = usize::from(width) - line.width() - needed;
        line.push_span(Span::styled(" ".repeat(space), Style::new()));
        line.extend(spans);
    }
}

#[cfg(test)]
mod tests;
