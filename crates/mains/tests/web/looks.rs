//! Every page in every look: no finding of axe-core, no message on the console, no request to another host, nothing wider than
//! the window.

use std::fs;

use serde_json::json;

use crate::browser::Look;
use crate::live::house;
use crate::needs;

const PAGES: [&str; 9] = [
    "/",
    "/plugs/accf23000001",
    "/plugs/accf23000001?range=year",
    "/plugs/accf23000001/remove",
    "/energy",
    "/energy?by=month",
    "/schedules",
    "/events",
    "/settings",
];

fn looks_right(look: Look) {
    let axe = needs::met(needs::client("node/node_modules/axe-core/axe.min.js"));
    let Some((_home, hub, browser)) = house(look) else {
        return;
    };
    browser.console();
    for path in PAGES {
        browser.go(&format!("{}{path}", hub.url));
        browser.until("return document.querySelector('#live')?.textContent === 'Live'");
        let width = browser.js("return document.documentElement.scrollWidth - innerWidth");
        assert!(
            width.as_i64().unwrap() <= 0,
            "{path} is {width} px too wide at {}",
            look.width
        );
        if let Some(axe) = &axe {
            let axe = fs::read_to_string(axe).unwrap();
            let findings = browser.js_async(&format!(
                "{axe}; const done = arguments[arguments.length - 1]; axe.run(document).then(result => done(result.violations.map(found => found.id + ': ' + found.nodes.map(node => node.html).join('; '))), error => done([String(error)]));"
            ));
            assert_eq!(findings, json!([]), "{path} at {}", look.width);
        }
        assert_eq!(browser.console(), Vec::<String>::new(), "{path}");
    }
    for request in browser.requests() {
        let is_own = request.starts_with(&hub.url)
            || request.starts_with("data:")
            || request.starts_with("chrome");
        assert!(is_own, "{request}");
    }
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
