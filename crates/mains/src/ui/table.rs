//! Tables for people: aligned columns, a dim heading, no lines.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::iter;

use anstyle::Style;
use terminal_size::{Width, terminal_size};
use unicode_width::UnicodeWidthStr;

use super::{DIM, Ui, clean};
use crate::error::Failure;

/// Indentation of a line that goes on.
const INDENT: usize = 4;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    heading: &'static str,
    right: bool,
    /// Minimum width, for rows that are printed before the later ones are known.
    min_width: usize,
}

/// Makes a column from its heading. One that begins with `>`, the sign for right in a format string, is of figures.
impl From<&'static str> for Column {
    fn from(heading: &'static str) -> Self {
        match heading.strip_prefix('>') {
            Some(heading) => Self::figures(heading, 0),
            None => Self::text(heading, 0),
        }
    }
}

impl Column {
    /// Creates a column of text.
    pub const fn text(heading: &'static str, min_width: usize) -> Self {
        Self {
            heading,
            right: false,
            min_width,
        }
    }

    /// Creates a column of figures.
    pub const fn figures(heading: &'static str, min_width: usize) -> Self {
        Self {
            heading,
            right: true,
            min_width,
        }
    }
}

/// One cell: text (of a device, perhaps) and its style.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Creates a cell in a style.
    pub fn styled(style: Style, text: impl ToString) -> Self {
        Self {
            text: clean(&text.to_string()).into_owned(),
            style,
        }
    }

    /// Creates a plain cell.
    pub fn plain(text: impl ToString) -> Self {
        Self::styled(Style::new(), text)
    }

    /// Creates a cell for what may be unknown, which is shown as a dim dash.
    pub fn maybe(text: Option<impl ToString>) -> Self {
        Self::maybe_styled(Style::new(), text)
    }

    /// Creates a cell in a style for what may be unknown.
    pub fn maybe_styled(style: Style, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => Self::styled(style, text),
            None => Self::unknown(),
        }
    }

    /// Creates a cell for what is unknown.
    pub fn unknown() -> Self {
        Self::styled(DIM, "-")
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// A table with its columns.
#[derive(Debug, Clone)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// Creates an empty table.
    pub fn new(columns: [impl Into<Column>; N]) -> Self {
        Self {
            columns: columns.map(Into::into),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// Returns the heading and all rows, every column as wide as its widest cell.
    pub fn render(&self) -> String {
        let mut widths = self.columns.map(|column| column.heading.width());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let rows = self.rows.iter().map(|row| self.line(widths, row));
        let lines: Vec<String> = iter::once(self.heading(widths)).chain(rows).collect();
        lines.join("\n")
    }

    /// Returns one row of a table that is printed as it grows.
    pub fn stream_row(&self, cells: &[Cell; N]) -> String {
        self.line(self.min_widths(), cells)
    }

    fn min_widths(&self) -> [usize; N] {
        self.columns
            .map(|column| column.min_width.max(column.heading.width()))
    }

    fn heading(&self, widths: [usize; N]) -> String {
        let cells = self.columns.map(|column| Cell::styled(DIM, column.heading));
        self.line(widths, &cells)
    }

    fn line(&self, widths: [usize; N], cells: &[Cell; N]) -> String {
        self.folded(widths, cells, terminal_width())
    }

    /// Writes a line; where it is wider than `limit`, it goes on in the next one, indented, and never within a cell.
    fn folded(&self, widths: [usize; N], cells: &[Cell; N], limit: usize) -> String {
        let mut line = String::new();
        let (mut pending, mut end) = (0, 0);
        for ((column, cell), width) in self.columns.iter().zip(cells).zip(widths) {
            let space = width.saturating_sub(cell.width());
            let (before, after) = if column.right { (space, 0) } else { (0, space) };
            if end > 0 && end + pending + before + cell.width() > limit {
                line.push('\n');
                (pending, end) = (INDENT, 0);
            }
            // Space is written only when something follows it: no line ends in space.
            let _ = write!(
                line,
                "{:pad$}{style}{}{style:#}",
                "",
                cell.text,
                pad = pending + before,
                style = cell.style
            );
            end += pending + before + cell.width();
            pending = after + 2;
        }
        line
    }
}

/// Returns the width of the terminal that stdout is; what goes elsewhere is never folded.
fn terminal_width() -> usize {
    let is_terminal = io::stdout().is_terminal();
    let size = is_terminal.then(terminal_size).flatten();
    size.map_or(usize::MAX, |(Width(width), _)| width.into())
}

/// A table that is printed as it grows; the heading comes with the first row.
#[derive(Debug)]
pub struct Growing<'a, const N: usize> {
    ui: &'a Ui,
    table: Table<N>,
    begun: bool,
}

impl<'a, const N: usize> Growing<'a, N> {
    /// Creates an empty table, of which nothing is printed yet.
    pub fn new(ui: &'a Ui, columns: [Column; N]) -> Self {
        Self {
            ui,
            table: Table::new(columns),
            begun: false,
        }
    }

    /// Prints one row.
    pub fn row(&mut self, cells: &[Cell; N]) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.begun, true) {
            self.ui.data(self.table.heading(self.table.min_widths()))?;
        }
        self.ui.data(self.table.stream_row(cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn aligns_text_left_and_figures_right() {
        let mut table = Table::new(["NAME", ">POWER", "STATE"]);
        table.row([
            Cell::plain("k\u{fc}che"),
            Cell::plain("7.4 W"),
            Cell::maybe(Some("on")),
        ]);
        table.row([
            Cell::plain("\u{53f0}\u{6240}"),
            Cell::plain("1999.0 W"),
            Cell::unknown(),
        ]);
        let expected =
            "NAME      POWER  STATE\nk\u{fc}che     7.4 W  on\n\u{53f0}\u{6240}   1999.0 W  -";
        assert_eq!(bare(&table.render()), expected);
    }

    #[test]
    fn a_growing_table_keeps_its_columns() {
        let table = Table::new([Column::text("NAME", 6), Column::text("MAC", 0)]);
        let row = |name| bare(&table.stream_row(&[Cell::plain(name), Cell::plain("m")]));
        assert_eq!(bare(&table.heading(table.min_widths())), "NAME    MAC");
        assert_eq!(row("a"), "a       m");
        assert_eq!(row("much too long"), "much too long  m");
    }

    #[test]
    fn a_line_that_is_too_wide_goes_on_between_cells() {
        let table = Table::new(["NAME", "RELAY", "ADDRESS"]);
        let cells = ["kitchen", "ON", "192.168.1.107"].map(Cell::plain);
        let folded = |limit| bare(&table.folded([16, 5, 15], &cells, limit));
        assert_eq!(folded(38), "kitchen           ON     192.168.1.107");
        assert_eq!(folded(37), "kitchen           ON\n    192.168.1.107");
        assert_eq!(folded(3), "kitchen\n    ON\n    192.168.1.107");
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal() {
        assert_eq!(Cell::plain("a\u{1b}[2J\nb").text, "a\\u{1b}[2J\\nb");
    }
}
