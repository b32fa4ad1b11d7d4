//! Screenshots of every page for the documentation, from the home of `mains demo`. They are written only with `MAINS_RENEW=1`, so
//! that a test run leaves the tree as it is.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::Hub;
use crate::needs;

/// Directory of the screenshots.
const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/screenshots");
/// Names of the pages and their paths; `PLUG` stands for the first plug with a meter that is on.
const PAGES: [(&str, &str); 13] = [
    ("home", "/"),
    ("plug", "/plugs/PLUG"),
    ("energy", "/energy"),
    ("schedules", "/schedules?new=1&action=on&at=18:00"),
    ("rules", "/rules?new=1&kind=standby_kill"),
    ("groups", "/groups"),
    ("add", "/add"),
    ("events", "/events"),
    ("settings", "/settings"),
    ("tariffs", "/tariffs"),
    ("hue", "/hue"),
    ("remove", "/plugs/PLUG/remove"),
    ("login", "/login"),
];
/// Name, width and colours of each picture of a page.
const WINDOWS: [(&str, u32, bool); 3] = [
    ("light", 1280, false),
    ("dark", 1280, true),
    ("phone", 390, false),
];
/// Limit of all pictures together in bytes.
const MAX_BYTES: u64 = 2_000_000;

#[test]
fn pictures_of_every_page() {
    let directory = Path::new(DIRECTORY);
    if std::env::var_os("MAINS_RENEW").is_none() {
        return;
    }
    let Some(()) = needs::met(needs::tool("pngquant", "--version", "pngquant")) else {
        return;
    };
    std::fs::create_dir_all(directory).unwrap();
    let home = Home::with_network();
    let mut command = home.command();
    command.args(["demo", "--no-open"]);
    let demo = Hub::run(command);
    let url = demo.url.clone();
    let mut login = Some(demo.login_url.clone());
    let mut cookie = None;
    for (look, width, is_dark) in WINDOWS {
        let look_of_window = Look {
            width,
            is_dark,
            ..Look::default()
        };
        let Some(browser) = Browser::open(look_of_window) else {
            return;
        };
        browser.cdp("Emulation.setScrollbarsHidden", &json!({"hidden": true}));
        // The link works once; the other windows take over its session.
        match login.take() {
            Some(login) => {
                browser.go(&login);
                cookie = Some(browser.cookies());
            }
            None => {
                browser.go(&format!("{url}/healthz"));
                browser.set_cookies(cookie.as_ref().unwrap());
                browser.go(&format!("{url}/"));
                // A page without an icon asks for one, which needs the session.
                browser.console();
            }
        }
        browser.until("return document.querySelector('#live')?.textContent === 'Live'");
        let plug = browser.js("return document.querySelector('article.on[data-mac]:has([data-field=power])').dataset.mac");
        for (name, path) in PAGES {
            if name == "login" {
                browser.set_cookies(&Value::Array(Vec::new()));
            }
            browser.go(&format!(
                "{url}{}",
                path.replace("PLUG", plug.as_str().unwrap())
            ));
            browser.until("return document.readyState === 'complete' && (!document.querySelector('#live') || document.querySelector('#live').textContent === 'Live')");
            let file = directory.join(format!("{name}-{look}.png"));
            std::fs::write(&file, browser.picture()).unwrap();
            let quantised = Command::new("pngquant")
                .args(["--force", "--skip-if-larger", "--ext", ".png", "64"])
                .arg(&file)
                .status();
            assert!(
                matches!(quantised.unwrap().code(), Some(0 | 98)),
                "{file:?}"
            );
        }
        assert_eq!(browser.console(), Vec::<String>::new());
    }
    demo.end(Signal::SIGTERM);
    let files = std::fs::read_dir(directory).unwrap();
    let bytes: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}
