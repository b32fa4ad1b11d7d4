//! An open page follows the hub without being loaded again.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::{Hub, eventually, plugs};

const SWITCH: &str = "article[data-mac=accf23000001] button[role=switch]";
/// Quick enough for a test that waits for a plug to be gone.
const HUB: [&str; 1] = ["--adopt"];

/// A hub with one plug that is on, and a window that is logged in.
pub fn house(look: Look) -> Option<(Home, Hub, Browser)> {
    house_with(look, "", &[])
}

/// The same with further lines of the configuration, and with further options of the emulated plug.
pub fn house_with(look: Look, config: &str, plug: &[&str]) -> Option<(Home, Hub, Browser)> {
    let mut home = Home::with_network();
    let browser = Browser::open(look)?;
    let config = format!(
        "[hub]\nlisten = \"127.0.0.1:8480\"\ninterfaces = [\"127.0.0.1\"]\nmetering = \"1s\"\nscan = \"1s\"\n{config}"
    );
    home.write(".config/mains/mains.toml", &config);
    let options = "--listen 127.0.0.2 --mac AC:CF:23:00:00:01 --relay on --load 84";
    let words: Vec<&str> = options.split(' ').chain(plug.iter().copied()).collect();
    home.emulate(&words, 1);
    let hub = Hub::start(&home, &HUB);
    eventually("the plug is metered", || {
        plugs(&home)
            .first()
            .is_some_and(|plug| !plug["reading"].is_null())
    });
    browser.go(&hub.login_url);
    Some((home, hub, browser))
}

fn relay(home: &Home) -> String {
    plugs(home)[0]["relay"].as_str().unwrap().to_owned()
}

#[test]
fn switched_renamed_and_metered() {
    let Some((home, _hub, browser)) = house(Look::default()) else {
        return;
    };
    let article = "article[data-mac=accf23000001]";
    assert_eq!(browser.attribute(article, "data-available"), json!("true"));
    assert_eq!(
        browser.name_and_role(SWITCH),
        ("AC:CF:23:00:00:01".to_owned(), "switch".to_owned())
    );
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    browser.until(
        "return /^84(\\.\\d)?\\s?W$/.test(document.querySelector('[data-field=power]').innerText)",
    );
    browser.click(SWITCH);
    browser.until(&format!("const b = document.querySelector('{SWITCH}'); return b.getAttribute('aria-checked') === 'false' && !b.hasAttribute('aria-busy')"));
    assert_eq!(relay(&home), "off");
    browser.until(
        "return document.querySelector('[data-field=state]').innerText.startsWith('Off since')",
    );
    // What others do shows as well.
    home.json(&["on", "AC:CF:23:00:00:01"]).ends_with(0);
    browser.until(&format!(
        "return document.querySelector('{SWITCH}').getAttribute('aria-checked') === 'true'"
    ));
    home.json(&["name", "AC:CF:23:00:00:01", "<b>Fridge</b>"])
        .ends_with(0);
    browser.until("return document.querySelector('article h3').innerText === '<b>Fridge</b>'");
    assert_eq!(browser.name_and_role(SWITCH).0, "<b>Fridge</b>");
}

#[test]
fn a_plug_goes_and_comes_back() {
    let Some((mut home, _hub, browser)) = house(Look::default()) else {
        return;
    };
    home.end_emulators();
    browser.until("return document.querySelector('article').dataset.available === 'false'");
    browser.until("return document.querySelector('article').innerText.includes('No answer since')");
    browser.until(
        "return document.querySelector('[data-field=power]').innerText.trim() === '\u{2013}'",
    );
    assert_eq!(
        browser.js(&format!(
            "return document.querySelector('{SWITCH}').disabled"
        )),
        json!(true)
    );
    home.emulate(
        &[
            "--listen",
            "127.0.0.2",
            "--mac",
            "AC:CF:23:00:00:01",
            "--relay",
            "on",
        ],
        1,
    );
    browser.until("return document.querySelector('article').dataset.available === 'true'");
    browser.until(&format!(
        "return !document.querySelector('{SWITCH}').disabled"
    ));
}

#[test]
fn a_switch_that_is_not_confirmed_goes_back() {
    let Some((mut home, _hub, browser)) = house(Look::default()) else {
        return;
    };
    home.end_emulators();
    browser.click(SWITCH);
    browser.until("return !!document.querySelector('[role=alert]')");
    browser.until(&format!("const b = document.querySelector('{SWITCH}'); return b.getAttribute('aria-checked') === 'true' && !b.hasAttribute('aria-busy')"));
    let alert = browser.text("[role=alert]");
    assert!(
        alert.contains("did not answer") || alert.contains("did not switch off"),
        "{alert}"
    );
}

#[test]
fn a_plug_that_agrees_and_does_not_switch_is_told() {
    let fault = ["--fault", "stuck-relay"];
    let Some((home, _hub, browser)) = house_with(Look::default(), "", &fault) else {
        return;
    };
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    browser.click(SWITCH);
    browser.until("return !!document.querySelector('[role=alert]')");
    let alert = browser.text("[role=alert]");
    assert!(
        alert.contains("did not switch off") && alert.contains("It is still on"),
        "{alert}"
    );
    browser.until(&format!("const b = document.querySelector('{SWITCH}'); return b.getAttribute('aria-checked') === 'true' && !b.hasAttribute('aria-busy')"));
    assert_eq!(relay(&home), "on");
}

#[test]
fn the_hub_restarts_under_an_open_page() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    hub.end(Signal::SIGTERM);
    browser.until("return document.querySelector('#live[role=status]').textContent.startsWith('Connection lost')");
    let _hub = Hub::start(&home, &HUB);
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    browser.until("return document.querySelector('article').dataset.available === 'true'");
    browser.click(SWITCH);
    eventually("the switch works on", || relay(&home) == "off");
}

#[test]
fn by_keys_alone() {
    let Some((home, _hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    for _ in 0..30 {
        browser.press(&["\u{e004}"]);
        if browser.js("return document.activeElement.getAttribute('role') === 'switch'")
            == json!(true)
        {
            browser.press(&[" "]);
            eventually("the space bar switches", || relay(&home) == "off");
            return;
        }
    }
    panic!("the switch is not reached by the tabulator");
}

#[test]
fn eight_tabs_are_live() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    let live = "return document.querySelector('#live')?.textContent === 'Live'";
    browser.until(live);
    let mut tabs = vec![browser.tab()];
    for _ in 1..8 {
        let tab = browser.new_tab();
        browser.show_tab(&tab);
        browser.go(&format!("{}/", hub.url));
        browser.until(live);
        tabs.push(tab);
    }
    home.json(&["off", "AC:CF:23:00:00:01"]).ends_with(0);
    for tab in &tabs {
        browser.show_tab(tab);
        browser.until(&format!(
            "return document.querySelector('{SWITCH}').getAttribute('aria-checked') === 'false'"
        ));
        browser.until(live);
    }
    browser.click(SWITCH);
    eventually("the eighth tab switches", || relay(&home) == "on");
    // The hub restarts under all of them.
    hub.end(Signal::SIGTERM);
    let _hub = Hub::start(&home, &HUB);
    for tab in &tabs {
        browser.show_tab(tab);
        browser.until(live);
        browser.until(&format!(
            "return document.querySelector('{SWITCH}').getAttribute('aria-checked') === 'true'"
        ));
    }
}

#[test]
fn eight_windows_side_by_side_are_live() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    let live = "return document.querySelector('#live')?.textContent === 'Live'";
    browser.until(live);
    let mut windows = vec![browser.tab()];
    for _ in 1..8 {
        let window = browser.new_window("window");
        browser.drive(&window);
        browser.go(&format!("{}/", hub.url));
        windows.push(window);
    }
    // A browser allows six connections to a host, and all of them are seen at the same time.
    let is = |state: &str| {
        format!(
            "return document.visibilityState === 'visible' && document.querySelector('{SWITCH}').getAttribute('aria-checked') === '{state}'"
        )
    };
    for window in &windows {
        browser.drive(window);
        browser.until(live);
        browser.until(&is("true"));
    }
    home.json(&["off", "AC:CF:23:00:00:01"]).ends_with(0);
    for window in &windows {
        browser.drive(window);
        browser.until(&is("false"));
    }
    browser.click(SWITCH);
    eventually("the eighth window switches", || relay(&home) == "on");
    hub.end(Signal::SIGTERM);
    let _hub = Hub::start(&home, &HUB);
    for window in &windows {
        browser.drive(window);
        browser.until(live);
        browser.until(&is("true"));
    }
}

#[test]
fn a_hub_that_stands_still_is_told() {
    let Some((_home, hub, browser)) = house(Look::default()) else {
        return;
    };
    let live = "return document.querySelector('#live')?.textContent === 'Live'";
    browser.until(live);
    hub.freeze();
    browser
        .until("return document.querySelector('#live').textContent.startsWith('Connection lost')");
    hub.thaw();
    browser.until(live);
}

#[test]
fn a_plug_removed_in_another_tab() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.until("return document.querySelector('#live').textContent === 'Live'");
    let first = browser.tab();
    let second = browser.new_tab();
    browser.show_tab(&second);
    browser.go(&format!("{}/plugs/accf23000001", hub.url));
    browser.until("return document.querySelector('#live')?.textContent === 'Live'");
    home.json(&["hub", "forget", "AC:CF:23:00:00:01"])
        .ends_with(0);
    browser.until("return document.querySelector('#main').innerText.includes('AC:CF:23:00:00:01 was removed in another window.')");
    browser.show_tab(&first);
    browser.until("return !document.querySelector('article[data-mac]')");
}
