//! Every page in every look: no finding of axe-core, no message on the console, no request to another host, nothing wider than
//! the window.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::{Hub, plugs};
use crate::live::house;
use crate::needs;

const PAGES: [&str; 21] = [
    "/",
    "/plugs/accf23000001",
    "/plugs/accf23000001?range=year",
    "/plugs/accf23000001/remove",
    "/energy",
    "/energy?by=month",
    "/schedules",
    "/schedules?new=1&action=on&at=18:00",
    "/rules",
    "/rules?new=1&kind=standby_kill",
    "/rules?new=1&kind=follow",
    "/rules?new=1&kind=power_on",
    "/groups?new=1",
    "/tariffs?new=1&kind=day_night&currency=EUR",
    "/add",
    "/add/names",
    "/plugs/accf23000001/identify",
    "/hue",
    "/events",
    "/settings",
    "/settings/view-password/delete",
];

/// Checks that nothing is wider than the window.
#[track_caller]
pub fn fits(browser: &Browser, what: &str) {
    let width = browser.js("return document.documentElement.scrollWidth - innerWidth");
    assert!(
        width.as_i64().unwrap() <= 0,
        "{what} is {width} px too wide"
    );
}

fn looks_right(look: Look) {
    let axe = needs::met(needs::client("node/node_modules/axe-core/axe.min.js"));
    let Some((_home, hub, browser)) = house(look) else {
        return;
    };
    browser.console();
    for path in PAGES {
        browser.go(&format!("{}{path}", hub.url));
        browser.until("return document.querySelector('#live')?.textContent === 'Live'");
        fits(&browser, &format!("{path} at {}", look.width));
        if let Some(axe) = &axe {
            assert_eq!(
                findings(&browser, axe),
                json!([]),
                "{path} at {}",
                look.width
            );
        }
        assert_eq!(browser.console(), Vec::<String>::new(), "{path}");
    }
    browser.go(&format!("{}/settings", hub.url));
    // On a phone it may lie below the bar.
    browser.js("document.querySelector(\"form[action$='/logout']\").submit()");
    browser.shows("h1", "Log in");
    if let Some(axe) = &axe {
        assert_eq!(
            findings(&browser, axe),
            json!([]),
            "login at {}",
            look.width
        );
    }
    for request in browser.requests() {
        let is_own = request.starts_with(&hub.url)
            || request.starts_with("data:")
            || request.starts_with("chrome");
        assert!(is_own, "{request}");
    }
}

/// Runs axe-core on the page.
pub fn findings(browser: &Browser, axe: &Path) -> Value {
    let axe = fs::read_to_string(axe).unwrap();
    browser.js_async(&format!(
        "{axe}; const done = arguments[arguments.length - 1]; axe.run(document).then(result => done(result.violations.map(found => found.id + ': ' + found.nodes.map(node => node.html).join('; '))), error => done([String(error)]));"
    ))
}

#[test]
fn on_a_desk_in_the_dark() {
    looks_right(Look {
        is_dark: true,
        ..Look::default()
    });
}

#[test]
fn on_a_phone() {
    looks_right(Look {
        width: 390,
        ..Look::default()
    });
}

#[test]
fn on_a_desk() {
    looks_right(Look::default());
}

#[test]
fn on_a_phone_in_the_dark() {
    looks_right(Look {
        width: 390,
        is_dark: true,
        ..Look::default()
    });
}

#[test]
fn on_the_smallest_screen() {
    looks_right(Look {
        width: 320,
        ..Look::default()
    });
}

#[test]
fn with_text_of_twice_the_size() {
    // A desk at 200 % has half the width; a phone has larger letters.
    for (width, size) in [(640, "100%"), (390, "200%")] {
        let look = Look {
            width,
            ..Look::default()
        };
        let Some((_home, hub, browser)) = house(look) else {
            return;
        };
        for path in PAGES {
            browser.go(&format!("{}{path}", hub.url));
            browser.js(&format!(
                "document.documentElement.style.fontSize = '{size}'"
            ));
            browser.until("return document.querySelector('#live')?.textContent === 'Live'");
            fits(&browser, &format!("{path} with {size} at {width}"));
        }
    }
}

#[test]
fn with_names_of_any_kind() {
    let look = Look {
        width: 320,
        ..Look::default()
    };
    let Some((home, hub, browser)) = house(look) else {
        return;
    };
    for name in [
        "<img src=x onerror=alert(1)>",
        "مصباح غرفة المعيشة",
        "\u{1f50c} Kühlschrank \u{2744}\u{fe0f}",
        "Donaudampfschifffahrtsgesellschaftskapit",
        "&amp; \"quoted\" 'both' %20",
    ] {
        home.json(&["name", "AC:CF:23:00:00:01", name]).ends_with(0);
        for (path, css) in [
            ("/", "article h3 bdi"),
            ("/plugs/accf23000001", "h1 bdi"),
            ("/energy", "table a bdi"),
        ] {
            browser.go(&format!("{}{path}", hub.url));
            browser.shows(css, name);
            fits(&browser, &format!("{path} with {name}"));
        }
    }
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn with_five_hundred_plugs() {
    let mut home = Home::with_network();
    let Some(browser) = Browser::open(Look::default()) else {
        return;
    };
    home.write(
        ".config/mains/mains.toml",
        "[hub]\nlisten = \"127.0.0.1:8480\"\ninterfaces = [\"127.0.0.1\"]\n",
    );
    home.emulate(
        &["--listen", "127.9.0.1", "--count", "500", "--relay", "on"],
        500,
    );
    let hub = Hub::start(&home, &["--adopt"]);
    for _ in 0..6 {
        if plugs(&home).len() == 500 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(10));
    }
    assert_eq!(plugs(&home).len(), 500);
    browser.go(&hub.login_url);
    browser.until("return document.querySelector('#live')?.textContent === 'Live'");
    browser
        .until("return document.querySelectorAll('article[data-available=true]').length === 500");
    let last = plugs(&home)[499]["mac"].as_str().unwrap().to_owned();
    browser.enter("#find-plug", &last.to_lowercase());
    browser.until("return [...document.querySelectorAll('article')].filter(plug => plug.checkVisibility()).length === 1");
    let article = format!(
        "article[data-mac='{}']",
        last.replace(':', "").to_lowercase()
    );
    browser.click(&format!("{article} [role=switch]"));
    browser.until(&format!("const plug = document.querySelector(\"{article}\"); return plug.classList.contains('off') && !plug.querySelector('[aria-busy]')"));
    browser.until("return [...document.querySelectorAll('article')].filter(plug => plug.checkVisibility()).length === 1");
    assert_eq!(browser.console(), Vec::<String>::new());
}
