//! Hue bridges in a browser: the question about a certificate, and a takeover whose steps come while the page is open.

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::Hub;

const BRIDGE: &str = "127.0.0.30";

#[test]
fn a_bulb_is_taken_over_while_its_owner_looks_on() {
    let mut home = Home::with_network();
    let Some(browser) = Browser::open(Look::default()) else {
        return;
    };
    let config = "[hub]\nlisten = \"127.0.0.1:8480\"\ninterfaces = [\"127.0.0.1\"]\n";
    home.write(".config/mains/mains.toml", config);
    let options = format!(
        "--listen {BRIDGE} --press-after 0s --no-announce --bulb near:foreign --fault search-time=2s --fault touchlink-time=1s"
    );
    home.emulate_device("bridge", &options.split(' ').collect::<Vec<_>>(), 1);
    let hub = Hub::start(&home, &[]);
    browser.go(&hub.login_url);
    browser.go(&format!("{}/hue", hub.url));
    let pair = "#pair form.form button";
    browser.enter("#address", BRIDGE);
    browser.click(pair);
    // The bridge has made its certificate itself: it is shown, and accepted by the same button.
    let shown = "return document.querySelector('[role=alert] .mono')?.innerText === document.querySelector('[name=certificate]')?.value";
    browser.until(shown);
    browser.click(pair);
    browser.until("return !!document.querySelector('form[action*=takeovers]')");
    // That a page asks instead of pairing is a status of its own, which the console mentions.
    browser.console();
    browser.click("[name=nearby_lamps_are_mine]");
    browser.click("form[action*=takeovers] button");
    browser.until("return !!document.querySelector('#steps')");
    // It is the same document until the end.
    browser.js("window.isOpen = true; window.seen = new Set()");
    browser.until("seen.add(document.querySelectorAll('#steps li').length); return isOpen && document.querySelector('#state').innerText === 'Taken over'");
    let steps = browser.js("return [seen.size, document.querySelectorAll('#steps li').length]");
    assert!(
        steps[0].as_u64() > Some(1) && steps[1].as_u64() > Some(2),
        "{steps}"
    );
    assert!(browser.text("#light-1").starts_with("New: "));
    assert_eq!(browser.console(), Vec::<String>::new());
}
