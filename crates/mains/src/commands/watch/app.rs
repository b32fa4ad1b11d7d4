//! The state of the screen, and what keys do to it. Pure: now is a parameter, and nothing is drawn or sent here.

use api::text::{Tone, Toned, not_switched};
use api::{EnergyRow, Event};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use hiflying::Mac;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use plugs::{Capability, RelayCommand, RelayState, Switched};

use super::board::Board;
use super::order::PlugOrder;
use crate::error::Failure;
use crate::feed::FeedItem;

/// Time for which a message is shown that nothing has to be done about.
const MESSAGE_TIME: SignedDuration = SignedDuration::from_secs(8);
/// Time for which a message of a failure is shown.
const FAILURE_TIME: SignedDuration = SignedDuration::from_secs(60);
/// Time between two presses of a key below which the key is held down: a relay must not chatter with it.
const KEY_REPEAT_TIME: SignedDuration = SignedDuration::from_millis(700);
/// Maximum length of a filter, in characters.
const MAX_FILTER_LEN: usize = 64;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct WatchApp {
    /// The plugs.
    pub(super) board: Board,
    /// The source of what is shown, for people.
    pub(super) source: String,
    /// True if that is a hub.
    pub(super) is_hub: bool,
    /// Their order.
    pub(super) order: PlugOrder,
    /// The plugs that are shown, in order.
    pub(super) shown: Vec<Mac>,
    /// The plug that keys act on.
    pub(super) cursor: Option<Mac>,
    /// The place that keys act on.
    pub(super) focus: Focus,
    /// The first row that is visible; drawing moves it to where the cursor is visible.
    pub(super) first_row: usize,
    /// Number of rows that are visible.
    pub(super) visible_rows: usize,
    /// The first line of the help that is visible.
    pub(super) help_line: u16,
    /// The time zone of the reader.
    pub(super) timezone: TimeZone,
    message: Option<(Toned, Timestamp)>,
    /// The time at which a key that switches was pressed last.
    switch_key: Option<Timestamp>,
}

/// The place that keys act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// The plugs.
    Plugs,
    /// The text of the filter.
    Filter,
    /// The help.
    Help,
}

/// A request of a key beyond a change of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AppRequest {
    /// End.
    Quit,
    /// Stop the process, as Ctrl-Z does.
    Suspend,
    /// Draw from scratch.
    Refresh,
    /// Switch a plug.
    Switch(Mac, RelayCommand),
}

impl WatchApp {
    /// Creates the state before the first event.
    pub(super) fn new(source: String, is_hub: bool, timezone: TimeZone) -> Self {
        Self {
            board: Board::default(),
            source,
            is_hub,
            order: PlugOrder::default(),
            shown: Vec::new(),
            cursor: None,
            focus: Focus::Plugs,
            first_row: 0,
            visible_rows: 1,
            help_line: 0,
            timezone,
            message: None,
            switch_key: None,
        }
    }

    /// Takes note of an item of the feed.
    pub(super) fn take(&mut self, item: &FeedItem, now: Timestamp) {
        match item {
            FeedItem::Received(received) => {
                if let Some(event) = &received.event {
                    self.board.take(event, now);
                    if let Event::Problem(problem) = event {
                        let tone = if problem.solved {
                            Tone::Plain
                        } else {
                            Tone::Bad
                        };
                        self.say(tone.of(problem.message.clone()), now);
                    }
                }
            }
            FeedItem::Disconnected => self.board.disconnect(now),
        }
    }

    /// Takes note of energy and cost of today.
    pub(super) fn set_today(&mut self, rows: Vec<EnergyRow>) {
        self.board.set_today(rows);
    }

    /// Takes note of the outcome of a command.
    pub(super) fn switched(
        &mut self,
        mac: Mac,
        action: RelayCommand,
        outcome: Result<Switched, Failure>,
        now: Timestamp,
    ) {
        let name = self.board.name(mac);
        let switched = outcome.and_then(|switched| match switched.confirmed {
            true => Ok(switched),
            false => Err(not_switched(&name, action, switched.relay).into()),
        });
        let message = match switched {
            Ok(switched) => {
                self.board.end_switch(mac, switched.relay);
                let relay = switched.relay.map_or("switched", RelayState::as_str);
                let elapsed = switched.elapsed.as_millis();
                Tone::Good.of(format!("{name} is {relay} (confirmed in {elapsed} ms)"))
            }
            Err(failure) => {
                self.board.end_switch(mac, None);
                Tone::Bad.of(told(&name, &failure))
            }
        };
        self.say(message, now);
    }

    /// Shows a message in place of the former one.
    pub(super) fn say(&mut self, message: Toned, now: Timestamp) {
        let time = match message.tone {
            Tone::Bad => FAILURE_TIME,
            _ => MESSAGE_TIME,
        };
        self.message = Some((message, now + time));
    }

    /// Returns the message to show.
    pub(super) fn message(&self, now: Timestamp) -> Option<&Toned> {
        let (message, end) = self.message.as_ref()?;
        (now < *end).then_some(message)
    }

    /// Brings the order up to date. To be called before drawing, and before a key.
    pub(super) fn arrange(&mut self, now: Timestamp) {
        self.shown = self.order.apply(&self.board, now);
        if self
            .cursor
            .is_some_and(|cursor| !self.shown.contains(&cursor))
        {
            self.cursor = None;
        }
    }

    /// Handles what comes from the terminal; returns what is to be done about it.
    pub(super) fn handle(&mut self, event: &TerminalEvent, now: Timestamp) -> Option<AppRequest> {
        self.arrange(now);
        match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => self.key(*key, now),
            // A text that is pasted is no command.
            TerminalEvent::Paste(text) if self.focus == Focus::Filter => {
                text.chars()
                    .for_each(|character| self.type_filter(character));
                None
            }
            _ => None,
        }
    }

    fn key(&mut self, key: KeyEvent, now: Timestamp) -> Option<AppRequest> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'C') => Some(AppRequest::Quit),
                KeyCode::Char('z' | 'Z') => Some(AppRequest::Suspend),
                KeyCode::Char('l' | 'L') => Some(AppRequest::Refresh),
                KeyCode::Char('u') if self.focus == Focus::Filter => {
                    self.order.filter.clear();
                    None
                }
                _ => None,
            };
        }
        match self.focus {
            Focus::Plugs => self.key_on_plugs(key.code, now),
            Focus::Filter => {
                self.key_on_filter(key.code);
                None
            }
            Focus::Help => {
                self.key_on_help(key.code);
                None
            }
        }
    }

    fn key_on_plugs(&mut self, code: KeyCode, now: Timestamp) -> Option<AppRequest> {
        let page = self.visible_rows.max(1);
        match code {
            KeyCode::Char('q') => return Some(AppRequest::Quit),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.focus = Focus::Help;
                self.help_line = 0;
            }
            KeyCode::Char('/') => self.focus = Focus::Filter,
            KeyCode::Char('s') => self.order.key = self.order.key.next(),
            KeyCode::Char('S') => self.order.is_reversed = !self.order.is_reversed,
            KeyCode::Char(' ') | KeyCode::Enter => return self.toggle(now),
            KeyCode::Up | KeyCode::Char('k') => self.select(|row, _| row.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select(|row, _| row.saturating_add(1)),
            KeyCode::PageUp => self.select(|row, _| row.saturating_sub(page)),
            KeyCode::PageDown => self.select(|row, _| row.saturating_add(page)),
            KeyCode::Home | KeyCode::Char('g') => self.select(|_, _| 0),
            KeyCode::End | KeyCode::Char('G') => self.select(|_, last| last),
            KeyCode::Esc => self.give_up(),
            _ => {}
        }
        None
    }

    /// Takes back one thing: the message, the filter, the cursor.
    fn give_up(&mut self) {
        if self.message.take().is_some() {
        } else if !self.order.filter.is_empty() {
            self.order.filter.clear();
        } else {
            self.cursor = None;
        }
    }

    fn key_on_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.focus = Focus::Plugs,
            KeyCode::Esc => {
                self.order.filter.clear();
                self.focus = Focus::Plugs;
            }
            KeyCode::Backspace if self.order.filter.pop().is_none() => self.focus = Focus::Plugs,
            KeyCode::Char(character) => self.type_filter(character),
            KeyCode::Up => self.select(|row, _| row.saturating_sub(1)),
            KeyCode::Down => self.select(|row, _| row.saturating_add(1)),
            _ => {}
        }
    }

    fn type_filter(&mut self, character: char) {
        let filter = &mut self.order.filter;
        if !character.is_control() && filter.chars().count() < MAX_FILTER_LEN {
            filter.push(character);
        }
    }

    fn key_on_help(&mut self, code: KeyCode) {
        match code {
            KeyCode::Up | KeyCode::Char('k') => self.help_line = self.help_line.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.help_line = self.help_line.saturating_add(1),
            KeyCode::PageUp => self.help_line = self.help_line.saturating_sub(5),
            KeyCode::PageDown => self.help_line = self.help_line.saturating_add(5),
            _ => self.focus = Focus::Plugs,
        }
    }

    /// Moves the cursor from its row, given the last one. Without a cursor the first key only shows it.
    fn select(&mut self, place: impl Fn(usize, usize) -> usize) {
        let Some(last) = self.shown.len().checked_sub(1) else {
            return;
        };
        let row = match self.cursor_row() {
            Some(row) => place(row, last).min(last),
            None if place(0, last) == last => last,
            None => 0,
        };
        self.cursor = self.shown.get(row).copied();
    }

    /// Returns the row of the cursor among those that are shown.
    pub(super) fn cursor_row(&self) -> Option<usize> {
        let cursor = self.cursor?;
        self.shown.iter().position(|mac| *mac == cursor)
    }

    /// Asks for the other position of the plug under the cursor.
    fn toggle(&mut self, now: Timestamp) -> Option<AppRequest> {
        let before = self.switch_key.replace(now);
        if before.is_some_and(|before| now.duration_since(before).abs() < KEY_REPEAT_TIME) {
            return None;
        }
        let plug = self.cursor.and_then(|mac| self.board.plug(mac));
        let Some(plug) = plug else {
            self.say(
                Tone::Plain.of("choose a plug with the arrow keys first"),
                now,
            );
            return None;
        };
        let (mac, name) = (plug.view.plug.mac, plug.name());
        if !plug.can(Capability::Switch) {
            self.say(
                Tone::Bad.of(format!("{name} cannot be switched: its family is unknown")),
                now,
            );
            return None;
        }
        if let Some(action) = plug.pending {
            let wanted = action.as_str();
            self.say(
                Tone::Plain.of(format!(
                    "{name}: the command `{wanted}` is not confirmed yet"
                )),
                now,
            );
            return None;
        }
        // The position on the screen decides, so that a switch by another program meanwhile is not undone.
        let action = match plug.view.plug.relay {
            Some(relay) => relay.toggled().into(),
            None => RelayCommand::Toggle,
        };
        self.message = None;
        self.board.begin_switch(mac, action);
        Some(AppRequest::Switch(mac, action))
    }
}

/// Returns a failure in one line, with the plug and the next step.
fn told(name: &str, failure: &Failure) -> String {
    let message = failure.to_string();
    let message = match message.contains(name) {
        true => message,
        false => format!("{name}: {message}"),
    };
    match failure.hint_text() {
        Some(hint) => format!("{message} ({hint})"),
        None => message,
    }
}

#[cfg(test)]
mod tests;
