use std::time::Duration;

use api::HubProblem;
use api::client::ReceivedEvent;
use crossterm::event::KeyEventState;
use plugs::{FamilyId, Plug};

use super::super::board::tests::{board, mac, metered, now, plug, view};
use super::super::order::SortKey;
use super::*;
use crate::error::Kind;

fn app() -> WatchApp {
    let mut app = WatchApp::new("here".to_owned(), false, TimeZone::UTC);
    app.board = board();
    app.visible_rows = 3;
    app
}

fn at(milliseconds: i64) -> Timestamp {
    now() + SignedDuration::from_millis(milliseconds)
}

fn event(code: KeyCode, modifiers: KeyModifiers) -> TerminalEvent {
    TerminalEvent::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press,
        state: KeyEventState::NONE,
    })
}

fn press(app: &mut WatchApp, code: KeyCode, milliseconds: i64) -> Option<AppRequest> {
    app.handle(&event(code, KeyModifiers::NONE), at(milliseconds))
}

fn type_text(app: &mut WatchApp, text: &str) {
    for character in text.chars() {
        assert_eq!(press(app, KeyCode::Char(character), 0), None);
    }
}

fn cursor(app: &WatchApp) -> String {
    app.cursor
        .map_or_else(|| "-".to_owned(), |mac| app.board.name(mac))
}

fn said(app: &WatchApp, milliseconds: i64) -> String {
    app.message(at(milliseconds))
        .map_or_else(String::new, |message| message.text.clone())
}

fn switched(relay: RelayState, confirmed: bool) -> Result<Switched, Failure> {
    Ok(Switched {
        relay: Some(relay),
        confirmed,
        elapsed: Duration::from_millis(12),
    })
}

#[test]
fn the_cursor_stays_on_its_plug() {
    let mut app = app();
    for (code, expected) in [
        (KeyCode::Down, "attic"),
        (KeyCode::Down, "cellar"),
        (KeyCode::Char('j'), "Fridge"),
        (KeyCode::Up, "cellar"),
        (KeyCode::Char('k'), "attic"),
        (KeyCode::Up, "attic"),
        (KeyCode::End, "AC:CF:23:00:00:03"),
        (KeyCode::PageDown, "AC:CF:23:00:00:03"),
        (KeyCode::PageUp, "cellar"),
        (KeyCode::Char('G'), "AC:CF:23:00:00:03"),
        (KeyCode::Home, "attic"),
        (KeyCode::PageDown, "tv"),
        (KeyCode::Char('s'), "tv"),
    ] {
        assert_eq!(press(&mut app, code, 0), None);
        assert_eq!(cursor(&app), expected, "{code:?}");
    }
    // By power it stands in another row.
    app.arrange(now());
    assert_eq!((app.order.key, app.cursor_row()), (SortKey::Power, Some(1)));
    app.board.take(&Event::PlugRemoved(mac(1)), now());
    app.arrange(now());
    assert_eq!(cursor(&app), "-");
    press(&mut app, KeyCode::End, 0);
    assert_eq!(cursor(&app), "Fridge");
}

#[test]
fn nothing_is_switched_before_a_plug_is_chosen() {
    let mut app = app();
    assert_eq!(press(&mut app, KeyCode::Char(' '), 0), None);
    assert!(said(&app, 0).contains("choose a plug"));
    press(&mut app, KeyCode::Down, 0);
    press(&mut app, KeyCode::Esc, 0);
    assert_eq!(
        (said(&app, 0).as_str(), cursor(&app).as_str()),
        ("", "attic")
    );
    press(&mut app, KeyCode::Esc, 0);
    assert_eq!(cursor(&app), "-");
}

#[test]
fn a_switch_is_pending_until_it_is_confirmed() {
    let mut app = app();
    app.cursor = Some(mac(2));
    let on = AppRequest::Switch(mac(2), RelayCommand::On);
    assert_eq!(press(&mut app, KeyCode::Char(' '), 0), Some(on));
    assert_eq!(app.board.relay(mac(2)), Some(RelayState::Off));
    assert_eq!(press(&mut app, KeyCode::Enter, 1_000), None);
    assert!(said(&app, 1_000).contains("`on` is not confirmed yet"));
    app.switched(
        mac(2),
        RelayCommand::On,
        switched(RelayState::On, true),
        at(1_500),
    );
    assert_eq!(said(&app, 1_500), "Fridge is on (confirmed in 12 ms)");
    assert_eq!(app.board.relay(mac(2)), Some(RelayState::On));
    assert_eq!(said(&app, 20_000), "");
    let off = AppRequest::Switch(mac(2), RelayCommand::Off);
    assert_eq!(press(&mut app, KeyCode::Enter, 2_000), Some(off));
}

#[test]
fn a_key_that_is_held_down_switches_once() {
    let mut app = app();
    app.cursor = Some(mac(2));
    let mut requests = 0;
    for milliseconds in [0, 500, 530, 560, 590, 620, 1_000, 1_600] {
        if press(&mut app, KeyCode::Char(' '), milliseconds).is_some() {
            requests += 1;
            app.switched(
                mac(2),
                RelayCommand::On,
                switched(RelayState::On, true),
                at(milliseconds),
            );
        }
    }
    assert_eq!(requests, 1);
    assert!(press(&mut app, KeyCode::Char(' '), 2_400).is_some());
}

#[test]
fn failures_name_plug_and_reason() {
    let mut app = app();
    app.cursor = Some(mac(2));
    press(&mut app, KeyCode::Char(' '), 0);
    app.switched(
        mac(2),
        RelayCommand::On,
        switched(RelayState::Off, false),
        at(100),
    );
    let expected = "Fridge accepted `on`, but its relay is still off (try again; if it stays like that, the relay may be stuck)";
    assert_eq!(said(&app, 10_000), expected);
    assert_eq!(app.board.plug(mac(2)).unwrap().pending, None);
    assert_eq!(app.board.relay(mac(2)), Some(RelayState::Off));
    let failure = Failure::new(Kind::NoAnswer, "no reply from 127.0.0.2");
    app.switched(mac(2), RelayCommand::On, Err(failure), at(200));
    assert_eq!(said(&app, 200), "Fridge: no reply from 127.0.0.2");
}

#[test]
fn a_plug_whose_relay_is_unknown_is_toggled_and_a_module_is_not_switched() {
    let mut app = app();
    for (last, family) in [(7, FamilyId::RECO), (8, FamilyId::MODULE)] {
        let mut unknown = view(last, None, RelayState::On);
        unknown.plug = Plug::new(mac(last), family, [127, 0, 0, last].into(), now());
        app.board.take(&Event::Plug(unknown.into()), now());
    }
    app.cursor = Some(mac(7));
    let toggle = AppRequest::Switch(mac(7), RelayCommand::Toggle);
    assert_eq!(press(&mut app, KeyCode::Char(' '), 0), Some(toggle));
    app.cursor = Some(mac(8));
    assert_eq!(press(&mut app, KeyCode::Char(' '), 1_000), None);
    assert!(said(&app, 1_000).contains("cannot be switched"));
}

#[test]
fn keys_of_the_filter_are_text() {
    let mut app = app();
    type_text(&mut app, "/q s");
    assert_eq!(
        (app.focus, app.order.filter.as_str()),
        (Focus::Filter, "q s")
    );
    press(&mut app, KeyCode::Esc, 0);
    assert_eq!((app.focus, app.order.filter.as_str()), (Focus::Plugs, ""));
    type_text(&mut app, "/fri");
    press(&mut app, KeyCode::Down, 0);
    assert_eq!(cursor(&app), "Fridge");
    press(&mut app, KeyCode::Enter, 0);
    app.arrange(now());
    assert_eq!((app.focus, app.shown.len()), (Focus::Plugs, 1));
    assert!(press(&mut app, KeyCode::Char(' '), 0).is_some());
    press(&mut app, KeyCode::Esc, 0);
    assert_eq!(app.order.filter, "");
    // Backspace beyond the beginning leaves it.
    type_text(&mut app, "/a");
    press(&mut app, KeyCode::Backspace, 0);
    assert_eq!(app.focus, Focus::Filter);
    press(&mut app, KeyCode::Backspace, 0);
    assert_eq!(app.focus, Focus::Plugs);
    type_text(&mut app, "/abc");
    app.handle(&event(KeyCode::Char('u'), KeyModifiers::CONTROL), now());
    assert_eq!((app.focus, app.order.filter.as_str()), (Focus::Filter, ""));
    type_text(&mut app, &"x".repeat(200));
    assert_eq!(app.order.filter.len(), MAX_FILTER_LEN);
}

#[test]
fn a_pasted_text_is_no_command() {
    let mut app = app();
    app.cursor = Some(mac(2));
    let paste = TerminalEvent::Paste("q \n\u{1b}s".to_owned());
    assert_eq!(app.handle(&paste, now()), None);
    assert_eq!(app.board.plug(mac(2)).unwrap().pending, None);
    press(&mut app, KeyCode::Char('/'), 0);
    assert_eq!(app.handle(&paste, now()), None);
    assert_eq!(app.order.filter, "q s");
}

#[test]
fn keys_that_work_everywhere() {
    for focus in [Focus::Plugs, Focus::Filter, Focus::Help] {
        let mut app = app();
        app.focus = focus;
        for (character, expected) in [
            ('c', AppRequest::Quit),
            ('z', AppRequest::Suspend),
            ('l', AppRequest::Refresh),
        ] {
            let event = event(KeyCode::Char(character), KeyModifiers::CONTROL);
            assert_eq!(app.handle(&event, now()), Some(expected));
        }
        assert_eq!(app.focus, focus);
    }
    let mut app = app();
    assert_eq!(
        press(&mut app, KeyCode::Char('q'), 0),
        Some(AppRequest::Quit)
    );
    press(&mut app, KeyCode::Char('?'), 0);
    assert_eq!(app.focus, Focus::Help);
    press(&mut app, KeyCode::Down, 0);
    assert_eq!(press(&mut app, KeyCode::Char('q'), 0), None);
    assert_eq!(app.focus, Focus::Plugs);
    press(&mut app, KeyCode::Char('S'), 0);
    assert!(app.order.is_reversed);
}

#[test]
fn what_the_feed_reports_is_shown() {
    let mut app = app();
    let received = |event| {
        FeedItem::Received(ReceivedEvent {
            id: None,
            event: Some(event),
        })
    };
    app.take(&received(plug(9, Some("new"), RelayState::On)), now());
    app.take(&received(metered(9, 12.0, None)), now());
    assert!(
        app.board
            .plug(mac(9))
            .unwrap()
            .present_reading(now())
            .is_some()
    );
    let problem = HubProblem {
        at: now(),
        part: "history".to_owned(),
        plug: None,
        solved: false,
        message: "the database cannot be written".to_owned(),
    };
    app.take(&received(Event::Problem(problem)), now());
    assert_eq!(said(&app, 0), "the database cannot be written");
    app.take(&FeedItem::Disconnected, now());
    assert_eq!(app.board.disconnected(), Some(now()));
    // A gap in the stream of events says nothing of the plugs.
    app.take(
        &FeedItem::Received(ReceivedEvent {
            id: None,
            event: None,
        }),
        now(),
    );
    assert!(app.board.disconnected().is_some());
}
