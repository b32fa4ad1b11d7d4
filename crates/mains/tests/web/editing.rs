//! Editors in a browser with a script: what fires, what collides, what outlives a login, and keys alone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::{Hub, eventually, plugs};
use crate::live::house;

const LIVE: &str = "return document.querySelector('#live')?.textContent === 'Live'";
const MAC: &str = "AC:CF:23:00:00:01";
/// The clock of a schedule has minutes.
const FIRES_WITHIN: Duration = Duration::from_secs(90);

fn documents(home: &Home, verb: &str) -> Vec<Value> {
    let json = home.json(&[verb, "list"]).ends_with(0).json();
    json.as_array().unwrap().clone()
}

#[test]
fn a_schedule_is_made_and_fires() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.go(&format!("{}/schedules", hub.url));
    browser.click("a.btn[href*='new=1']");
    browser.enter("#name", "Lights out");
    browser.click(&format!("input[name=targets][value='{MAC}']"));
    browser.click("label:has(input[name=action][value=off])");
    browser.click("label:has(input[name=kind][value=cron])");
    browser.enter("#cron", "* * * * *");
    browser.click("button[name=preview]");
    browser.until("return document.querySelectorAll('.sentence li').length === 3");
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
    let text = browser.text("#main");
    assert!(
        text.contains("Lights out") && text.contains("Next:"),
        "{text}"
    );
    browser.go(&format!("{}/", hub.url));
    browser.until(LIVE);
    let begin = Instant::now();
    while plugs(&home)[0]["relay"] == "on" {
        assert!(begin.elapsed() < FIRES_WITHIN, "the schedule does not fire");
        std::thread::sleep(Duration::from_millis(200));
    }
    browser.until("return document.querySelector('article [role=switch]').ariaChecked === 'false'");
    browser.go(&format!("{}/events", hub.url));
    let events = browser.text("#main");
    assert!(events.contains("Lights out"), "{events}");
}

#[test]
fn two_tabs_edit_the_same_rule() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    let rule = [
        "rule", "add", "late", "--plug", MAC, "--kind", "auto-off", "--after", "2h",
    ];
    home.json(&rule).ends_with(0);
    let id = documents(&home, "rule")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let editor = format!("{}/rules?edit={id}", hub.url);
    browser.go(&editor);
    browser.enter("#after", "3h");
    let first = browser.tab();
    let second = browser.new_tab();
    browser.show_tab(&second);
    browser.go(&editor);
    browser.enter("#after", "4h");
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
    browser.show_tab(&first);
    // What the other tab has saved does not touch what is typed here.
    browser.until(LIVE);
    assert_eq!(browser.js_value("#after"), "3h");
    browser.click("#form button:not([name])");
    let alert = browser.text("#form [role=alert]");
    assert!(alert.contains("changed elsewhere meanwhile"), "{alert}");
    assert_eq!(browser.js_value("#after"), "3h");
    browser.until(LIVE);
    browser.shows("#form button:not([name])", "Save mine");
    // Renewed by an event, the page keeps the form.
    home.json(&["off", MAC]).ends_with(0);
    browser.until("return document.querySelector('#after')?.value === '3h'");
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
    assert_eq!(documents(&home, "rule")[0]["after"], "3h");
    // In the other tab it is removed while it is edited here.
    browser.go(&editor);
    browser.enter("#name", "my rule");
    home.json(&["rule", "remove", "late"]).ends_with(0);
    let note = browser.text("#note-removed");
    assert!(
        note.contains("late was removed in another window."),
        "{note}"
    );
    assert_eq!(
        browser.js_value("#name"),
        "my rule",
        "the text is still there"
    );
    browser.click("#form button:not([name])");
    let alert = browser.text("#form [role=alert]");
    assert!(alert.contains("removed elsewhere meanwhile"), "{alert}");
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
    assert_eq!(documents(&home, "rule")[0]["name"], "my rule");
}

/// Ends all sessions by a new password.
fn end_sessions(home: &Home) {
    let file = home.write("password", "a long enough secret\n");
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
}

fn edited_over_a_login(browser: &Browser, home: &Home, hub: &Hub, log_in: impl Fn()) {
    browser.go(&format!("{}/schedules?new=1&action=on&at=18:00", hub.url));
    browser.enter("#name", "Evening <b>lights</b>");
    browser.click(&format!("input[name=targets][value='{MAC}']"));
    end_sessions(home);
    log_in();
    browser.shows("h1", "Log in");
    browser.enter("#password", "a long enough secret");
    browser.click("form button");
    browser.shows("h1", "Schedules");
    assert_eq!(browser.js_value("#name"), "Evening <b>lights</b>");
    let note = browser.text("#form .note");
    assert!(note.contains("What you typed is still here"), "{note}");
    assert_eq!(documents(home, "schedule").len(), 0);
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
    assert_eq!(documents(home, "schedule")[0]["targets"], json!([MAC]));
}

#[test]
fn a_session_that_ends_in_an_edit_loses_nothing() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    edited_over_a_login(&browser, &home, &hub, || {
        browser.shows("#live", "You were logged out.");
        browser.click("#note-login a");
    });
}

#[test]
fn nor_does_it_without_a_script() {
    let look = Look {
        has_script: false,
        ..Look::default()
    };
    let Some((home, hub, browser)) = house(look) else {
        return;
    };
    edited_over_a_login(&browser, &home, &hub, || {
        browser.click("#form button:not([name])");
    });
}

#[test]
fn a_group_by_keys_alone() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    const TAB: &str = "\u{e004}";
    let reach = |script: &str| {
        for _ in 0..40 {
            browser.press(&[TAB]);
            if browser.js(script) == json!(true) {
                return;
            }
        }
        panic!("not reached by the tabulator: {script}");
    };
    browser.go(&format!("{}/groups", hub.url));
    browser.until(LIVE);
    reach("return document.activeElement.innerText === 'New group'");
    browser.press(&["\u{e007}"]);
    browser.until("return !!document.querySelector('#name')");
    reach("return document.activeElement.id === 'name'");
    browser.press(&["l", "a", "m", "p", "s"]);
    reach("return document.activeElement.name === 'plugs'");
    browser.press(&[" "]);
    reach("return document.activeElement.innerText === 'Save'");
    browser.press(&["\u{e007}"]);
    browser.shows(".note.good", "Saved.");
    assert_eq!(documents(&home, "group")[0]["plugs"], json!([MAC]));
    // The question is a dialog, which gives the focus back.
    browser.click("li h3 a");
    browser.until("return !!document.querySelector('a[data-dialog]')");
    browser.until(LIVE);
    browser.js("document.querySelector('a[data-dialog]').focus()");
    browser.press(&["\u{e007}"]);
    browser
        .until("return document.querySelector('dialog[open] h1')?.innerText === 'Delete lamps?'");
    browser.press(&["\u{e00c}"]);
    browser.until("return !document.querySelector('dialog') && document.activeElement.matches('a[data-dialog]')");
    browser.press(&["\u{e007}"]);
    browser.until("return !!document.querySelector('dialog[open] button')");
    browser.press(&["\u{e007}"]);
    eventually("the group is deleted", || {
        documents(&home, "group").is_empty()
    });
}

#[test]
fn a_plug_is_added_and_named_by_a_walk() {
    let mut home = Home::with_network();
    let Some(browser) = Browser::open(Look::default()) else {
        return;
    };
    let config =
        "[hub]\nlisten = \"127.0.0.1:8480\"\ninterfaces = [\"127.0.0.1\"]\nscan = \"1s\"\n";
    home.write(".config/mains/mains.toml", config);
    let hub = Hub::start(&home, &[]);
    browser.go(&hub.login_url);
    browser.go(&format!("{}/add", hub.url));
    browser.until(LIVE);
    // It is heard while the page is open.
    let options = format!("--listen 127.0.0.2 --mac {MAC} --relay off");
    home.emulate(&options.split(' ').collect::<Vec<_>>(), 1);
    browser.until("return document.querySelectorAll('#offered form').length === 1");
    browser.click("#offered form button");
    eventually("the plug is added", || plugs(&home).len() == 1);
    browser.go(&format!("{}/add/names", hub.url));
    browser.shows("h1", "Which plug is this?");
    browser.click("form[action$='/identify'] button");
    browser.shows(".note.good", "It has clicked twice, and is as before.");
    browser.enter("#name", "Kettle");
    browser.enter("#room", "Kitchen");
    browser.click("form:has(#name) button");
    browser.shows("h1", "That was the last one");
    assert_eq!(plugs(&home)[0]["name"], "Kettle");
}
