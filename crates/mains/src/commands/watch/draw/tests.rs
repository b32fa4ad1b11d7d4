use std::sync::Arc;

use api::client::ReceivedEvent;
use api::{EnergyRow, Event, PlugView};
use crossterm::event::{Event as TerminalEvent, KeyCode};
use jiff::tz::TimeZone;
use plugs::{FamilyId, Plug, RelayCommand, RelayState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::json;

use super::super::board::tests::{ago, mac, metered, now, plug, view};
use super::*;
use crate::feed::FeedItem;

const PLAIN: ScreenLook = ScreenLook {
    is_coloured: false,
    is_unicode: true,
};

fn take(app: &mut WatchApp, event: Event, seconds: i64) {
    let received = ReceivedEvent {
        id: None,
        event: Some(event),
    };
    app.take(&FeedItem::Received(received), ago(seconds));
}

fn changed(last: u8, name: &str, change: impl FnOnce(&mut PlugView)) -> Event {
    let mut view = view(last, Some(name), RelayState::On);
    change(&mut view);
    Event::Plug(Arc::new(view))
}

/// A home with a plug for each case: three minutes of its life.
fn home() -> WatchApp {
    let mut app = WatchApp::new("hub http://127.0.0.1:8480".to_owned(), true, TimeZone::UTC);
    take(
        &mut app,
        changed(1, "Fridge", |view| {
            view.room = Some("Kitchen".to_owned());
            view.relay_since = Some(ago(7_200));
            view.plug.model = Some("SP-2".to_owned());
        }),
        300,
    );
    take(
        &mut app,
        plug(2, Some("\u{1f4a1} Lamp \u{53f0}\u{6240}"), RelayState::Off),
        300,
    );
    take(&mut app, plug(3, None, RelayState::On), 300);
    take(
        &mut app,
        changed(4, "attic", |view| view.available = false),
        300,
    );
    take(
        &mut app,
        changed(5, &"washing machine in the cellar ".repeat(2)[..40], |_| {}),
        300,
    );
    take(
        &mut app,
        changed(6, "\u{1b}[2Jpump\u{202e}", |view| {
            view.plug.relay = Some(RelayState::Off);
            view.still_drawing_w = Some(60.0);
        }),
        300,
    );
    take(
        &mut app,
        changed(7, "\u{5de}\u{5d8}\u{5d1}\u{5d7}", |_| {}),
        300,
    );
    take(
        &mut app,
        changed(8, "module", |view| {
            let address = [127, 0, 0, 8].into();
            view.plug = Plug::new(mac(8), FamilyId::MODULE, address, now());
        }),
        300,
    );
    for second in (0..18).map(|tick| 170 - tick * 10) {
        let load = (second % 60) as f64;
        take(&mut app, metered(1, 40.0 + load, Some(123_456)), second);
        take(&mut app, metered(3, 2000.0 - load * 20.0, None), second);
        take(&mut app, metered(6, 60.0, Some(1_000)), second);
        if second > 50 {
            take(&mut app, metered(5, load * 7.0, Some(9_999_999)), second);
        }
    }
    take(&mut app, metered(2, 0.0, Some(548)), 1);
    let today: Vec<EnergyRow> = serde_json::from_value(json!([
        {"mac": mac(1), "period": "2026-11-22", "energy_wh": 1204.5, "cost": 0.39, "currency": "EUR"},
        {"mac": mac(5), "period": "2026-11-22", "energy_wh": 800.0, "cost": 0.26, "currency": "EUR"},
    ]))
    .unwrap();
    app.set_today(today);
    app.board.begin_switch(mac(7), RelayCommand::Off);
    app
}

fn drawn(app: &mut WatchApp, width: u16, height: u16, look: ScreenLook) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let completed = terminal
        .draw(|frame| draw(frame, app, look, now()))
        .unwrap();
    completed.buffer.clone()
}

fn text(buffer: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in buffer.area.left()..buffer.area.right() {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = Span::raw(symbol).width();
            }
            skip = skip.saturating_sub(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn picture(app: &mut WatchApp, width: u16, height: u16) -> String {
    text(&drawn(app, width, height, PLAIN))
}

fn press(app: &mut WatchApp, code: KeyCode) {
    app.handle(&TerminalEvent::Key(code.into()), now());
}

#[test]
fn at_usual_widths() {
    for width in [160, 120, 80, 60, 40] {
        let mut app = home();
        app.cursor = Some(mac(1));
        app.say(
            Tone::Bad.of("attic: no reply from 127.0.0.4 (is it plugged in?)"),
            now(),
        );
        insta::assert_snapshot!(format!("at_{width}"), picture(&mut app, width, 20));
    }
}

#[test]
fn without_unicode() {
    let look = ScreenLook {
        is_unicode: false,
        ..PLAIN
    };
    let mut app = home();
    app.cursor = Some(mac(1));
    insta::assert_snapshot!("ascii", text(&drawn(&mut app, 80, 16, look)));
    let names = ["\u{1f4a1}", "\u{53f0}", "\u{5de}"];
    let own: String = text(&drawn(&mut app, 80, 16, look))
        .lines()
        .filter(|line| !names.iter().any(|name| line.contains(name)))
        .collect();
    assert!(own.is_ascii(), "{own}");
}

#[test]
fn a_hub_that_is_gone() {
    for width in [80, 40] {
        let mut app = home();
        app.take(&FeedItem::Disconnected, ago(75));
        insta::assert_snapshot!(format!("gone_{width}"), picture(&mut app, width, 16));
    }
}

#[test]
fn the_help() {
    for (width, height) in [(80, 24), (40, 44)] {
        let mut app = home();
        press(&mut app, KeyCode::Char('?'));
        insta::assert_snapshot!(format!("help_{width}"), picture(&mut app, width, height));
    }
    let mut app = home();
    press(&mut app, KeyCode::Char('?'));
    let top = picture(&mut app, 40, 10);
    for _ in 0..200 {
        press(&mut app, KeyCode::Down);
    }
    let end = picture(&mut app, 40, 10);
    assert!(top.contains("keys") && !end.contains("keys"), "{end}");
    assert!(end.contains("it is in no sum"), "{end}");
}

#[test]
fn a_filter() {
    let mut app = home();
    for character in "/kit".chars() {
        press(&mut app, KeyCode::Char(character));
    }
    insta::assert_snapshot!("filter_typed", picture(&mut app, 80, 12));
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Char('s'));
    press(&mut app, KeyCode::Char('S'));
    insta::assert_snapshot!("filter_set", picture(&mut app, 80, 12));
    app.order.filter = "nowhere".to_owned();
    assert!(picture(&mut app, 80, 12).contains("Esc clears it"));
}

#[test]
fn no_plugs() {
    for (is_hub, expected) in [(true, "mains hub adopt"), (false, "no plug has been heard")] {
        let mut app = WatchApp::new("x".to_owned(), is_hub, TimeZone::UTC);
        let shown = picture(&mut app, 80, 10);
        assert!(
            shown.contains(expected) && shown.contains("0 plugs"),
            "{shown}"
        );
    }
}

fn crowd() -> WatchApp {
    let mut app = WatchApp::new("here".to_owned(), false, TimeZone::UTC);
    for number in 0..500_u16 {
        let [high, low] = number.to_be_bytes();
        let mut view = view(low, Some(&format!("plug {number:03}")), RelayState::On);
        view.plug.mac = hiflying::Mac::new([0xac, 0xcf, 0x23, 1, high, low]);
        take(&mut app, Event::Plug(view.into()), 0);
    }
    app
}

#[test]
fn hundreds_of_plugs_scroll() {
    let mut app = crowd();
    let shown = picture(&mut app, 60, 12);
    assert!(
        shown.contains("500 plugs") && shown.contains("plug 000"),
        "{shown}"
    );
    assert!(shown.contains('\u{2588}'), "a scroll bar: {shown}");
    let rows = app.visible_rows;
    assert!((4..9).contains(&rows), "{rows}");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::PageDown);
    let shown = picture(&mut app, 60, 12);
    assert!(shown.contains(&format!("plug {rows:03}")), "{shown}");
    press(&mut app, KeyCode::End);
    let shown = picture(&mut app, 60, 12);
    assert!(
        shown.contains("plug 499") && !shown.contains("plug 480"),
        "{shown}"
    );
    press(&mut app, KeyCode::Up);
    assert!(
        picture(&mut app, 60, 12).contains("plug 499"),
        "it moves as little as needed"
    );
    // A terminal that grows shows more.
    assert!(picture(&mut app, 60, 40).contains("plug 470"));
    press(&mut app, KeyCode::Home);
    assert!(picture(&mut app, 60, 12).contains("plug 000"));
}

#[test]
fn no_size_is_too_small() {
    let mut home = home();
    home.cursor = Some(mac(6));
    home.say(
        Tone::Bad.of("a long message of many words that has to wrap"),
        now(),
    );
    let mut crowd = crowd();
    crowd.cursor = crowd.board.plugs().next().map(|plug| plug.view.plug.mac);
    let mut empty = WatchApp::new(String::new(), false, TimeZone::UTC);
    for app in [&mut home, &mut crowd, &mut empty] {
        for width in (0..60).step_by(7) {
            for height in (0..16).step_by(2) {
                for focus in [Focus::Plugs, Focus::Filter, Focus::Help] {
                    app.focus = focus;
                    drawn(app, width, height, PLAIN);
                }
            }
        }
    }
}

#[test]
fn plugs_remain_visible_on_a_low_terminal() {
    let mut app = home();
    app.cursor = Some(mac(1));
    for height in 5..12 {
        let shown = picture(&mut app, 80, height);
        assert!(
            shown.contains("Fridge") && shown.contains("W"),
            "{height}: {shown}"
        );
    }
}

#[test]
fn text_of_devices_stays_text() {
    let mut app = home();
    let buffer = drawn(&mut app, 200, 30, PLAIN);
    let unsafe_character = |character: char| character.is_control() || character == '\u{202e}';
    for cell in buffer.content() {
        assert!(
            !cell.symbol().contains(unsafe_character),
            "{:?}",
            cell.symbol()
        );
    }
    assert!(text(&buffer).contains("\\u{1b}[2Jpump\\u{202e}"));
}

#[test]
fn without_colours_there_are_no_styles() {
    let mut app = home();
    app.cursor = Some(mac(1));
    let is_styled = |buffer: &Buffer| {
        let plain = Style::reset();
        buffer.content().iter().any(|cell| {
            let style = cell.style();
            style.fg != plain.fg || style.bg != plain.bg || !style.add_modifier.is_empty()
        })
    };
    assert!(!is_styled(&drawn(&mut app, 120, 20, PLAIN)));
    let coloured = ScreenLook {
        is_coloured: true,
        ..PLAIN
    };
    assert!(is_styled(&drawn(&mut app, 120, 20, coloured)));
}
