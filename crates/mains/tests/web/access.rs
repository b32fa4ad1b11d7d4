//! Login, logout, logins that see alone, and a hub behind a prefix.

use serde_json::json;

use crate::browser::Look;
use crate::house::{eventually, plugs};
use crate::live::{house, house_with};

const SWITCH: &str = "article[data-mac=accf23000001] button[role=switch]";
const LIVE: &str = "return document.querySelector('#live')?.textContent === 'Live'";

#[test]
fn a_page_leads_to_the_login_and_back() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.arrives(&format!("{}/", hub.url));
    let file = home.write("password", "a long enough secret\n");
    // It logs all browsers out.
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    let page = format!("{}/energy?by=month", hub.url);
    browser.go(&page);
    let login = format!("{}/login?next=/energy%3Fby%3Dmonth", hub.url);
    browser.arrives(&login);
    browser.enter("#password", "a wrong password");
    browser.click("form button");
    browser.shows("[role=alert]", "That password is not right.");
    browser.until("return document.querySelector('#password').ariaInvalid === 'true'");
    browser.enter("#password", "a long enough secret");
    browser.click("form button");
    browser.arrives(&page);
    browser.go(&format!("{}/settings", hub.url));
    browser.click("form[action$='/logout'] button");
    browser.shows("h1", "Log in");
    browser.go(&page);
    browser.arrives(&login);
}

#[test]
fn a_view_login_sees_and_switches_nothing() {
    let Some((home, hub, browser)) = house(Look::default()) else {
        return;
    };
    for (name, view) in [("owner", &[][..]), ("tablet", &["--view"])] {
        let file = home.write(name, &format!("a long secret of the {name}\n"));
        let words = ["hub", "password", "--file", file.to_str().unwrap()];
        home.run(&[&words[..], view].concat()).ends_with(0);
    }
    browser.go(&format!("{}/", hub.url));
    browser.enter("#password", "a long secret of the tablet");
    browser.click("form button");
    browser.until(LIVE);
    let disabled = format!("return document.querySelector('{SWITCH}').disabled");
    assert_eq!(browser.js(&disabled), json!(true));
    home.json(&["off", "AC:CF:23:00:00:01"]).ends_with(0);
    browser.until(&format!(
        "return document.querySelector('{SWITCH}').getAttribute('aria-checked') === 'false'"
    ));
    assert_eq!(browser.js(&disabled), json!(true));
    browser.go(&format!("{}/plugs/accf23000001", hub.url));
    let changing = "return document.querySelectorAll(\"main form:not(:has([disabled]), [action$='/theme'], [action$='/logout'], [method=get])\").length";
    for path in [
        "/plugs/accf23000001",
        "/groups?new=1",
        "/schedules?new=1",
        "/rules",
        "/tariffs?new=1",
        "/add",
        "/hue",
        "/settings",
    ] {
        browser.go(&format!("{}{path}", hub.url));
        browser.until(LIVE);
        assert_eq!(browser.js(changing), json!(0), "{path}");
    }
}

#[test]
fn everything_stays_behind_the_prefix() {
    let config = "[web]\nbase_path = \"/mains\"\n";
    let Some((home, hub, browser)) = house_with(Look::default(), config, &[]) else {
        return;
    };
    assert!(hub.url.ends_with("/mains"), "{}", hub.url);
    browser.until(LIVE);
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
    browser.click("article h3 a");
    browser.enter("#name", "Kettle");
    browser.click("form:has(#name) button");
    browser.arrives(&format!("{}/plugs/accf23000001", hub.url));
    browser.shows("h1", "Kettle");
    for path in ["/", "/energy", "/schedules", "/events", "/settings"] {
        browser.go(&format!("{}{path}", hub.url));
        browser.until(LIVE);
        let foreign = browser.js("return [...document.querySelectorAll('a[href], form')].map(link => new URL(link.getAttribute('href') ?? link.getAttribute('action') ?? '', location).pathname).filter(path => !path.startsWith('/mains/'))");
        assert_eq!(foreign, json!([]), "{path}");
    }
    assert_eq!(browser.console(), Vec::<String>::new());
    for request in browser.requests() {
        let is_own = request.starts_with(&format!("{}/", hub.url)) || request.starts_with("data:");
        assert!(is_own, "{request}");
    }
    browser.click("form[action$='/logout'] button");
    browser.shows("h1", "Log in");
}

#[test]
fn a_tariff_gives_costs_and_a_table() {
    let Some((_home, hub, browser)) = house(Look::default()) else {
        return;
    };
    browser.go(&format!("{}/settings", hub.url));
    browser.until(LIVE);
    browser.click("#tariff a[href*='new=1']");
    browser.shows("h1", "Tariffs");
    browser.enter("#name", "home");
    browser.enter("#price", "0,32");
    browser.click("#form button");
    browser.until("return document.querySelectorAll('.note.good').length === 1");
    browser.go(&format!("{}/energy", hub.url));
    let tile = browser.text(".tile");
    assert!(tile.contains("EUR") || tile.contains('€'), "{tile}");
    let csv = browser.js_async("const done = arguments[arguments.length - 1]; fetch(document.querySelector('a[download]').href).then(async answer => done([answer.status, answer.headers.get('content-type'), await answer.text()]))");
    assert_eq!(csv[0], 200, "{csv}");
    assert_eq!(csv[1], "text/csv; charset=utf-8");
    let text = csv[2].as_str().unwrap();
    let head = "period,plug,name,energy_wh,cost,currency";
    assert_eq!(text.lines().next(), Some(head));
    assert!(text.contains("AC:CF:23:00:00:01"), "{text}");
}
