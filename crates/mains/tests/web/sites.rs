//! The page of all sites: two hubs on one database.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::browser::{Browser, Look};
use crate::home::{Home, finish};
use crate::house::Hub;
use crate::live::house_with;
use crate::looks::{findings, fits};
use crate::needs;
use crate::server::PostgresServer;

/// The address of Hamburg's hub.
const HAMBURG: &str = "127.0.1.1";

/// A hub for Berlin with a window, and one for Hamburg beside it.
struct TwoSites {
    _server: PostgresServer,
    home: Home,
    database: String,
    berlin: Hub,
    browser: Browser,
}

impl TwoSites {
    fn open(look: Look) -> Option<Self> {
        let server = needs::met(PostgresServer::start())?;
        let database = server.config(&server.database()).url.to_string();
        let config = format!("site = \"berlin\"\ndatabase = \"{database}\"\n");
        let (mut home, berlin, browser) = house_with(look, &config, &[])?;
        // From now on it adopts no plug by itself.
        berlin.end(Signal::SIGTERM);
        let berlin = Hub::start(&home, &[]);
        browser.go(&berlin.login_url);
        let words = ["address", "add", &format!("{HAMBURG}/24"), "dev", "lo"];
        let added = Command::new("ip").args(words).status();
        assert!(added.is_ok_and(|status| status.success()));
        let plug = "--listen 127.0.0.3 --mac AC:CF:23:00:00:02 --relay on --load 40";
        let plug: Vec<&str> = plug.split(' ').collect();
        home.emulate(&plug, 1);
        Some(Self {
            _server: server,
            home,
            database,
            berlin,
            browser,
        })
    }

    fn hamburg(&self, words: &[&str]) -> Command {
        let mut command = self.home.command();
        command
            .env("MAINS_STATE", self.home.path("hamburg"))
            .env("MAINS_HUB_SITE", "hamburg")
            .env("MAINS_HUB_DATABASE", &self.database)
            .env("MAINS_HUB_LISTEN", "127.0.0.1:8481")
            // An address of its own, as on another computer: the port of the plugs at the other one is Berlin's.
            .env("MAINS_HUB_INTERFACES", HAMBURG)
            .args(words);
        command
    }

    /// Waits for a text in an element of a page of Berlin, which is loaded again until then.
    #[track_caller]
    fn shows(&self, path: &str, css: &str, text: &str) {
        let url = format!("{}{path}", self.berlin.url);
        self.browser.go(&url);
        self.browser.until(&format!(
            "const found = [...document.querySelectorAll('{css}')].some(node => node.innerText.includes('{text}')); \
             if (!found) location.reload(); return found"
        ));
    }
}

#[test]
fn one_site_or_all_of_them() {
    for look in [
        Look::default(),
        Look {
            width: 390,
            has_script: false,
            ..Look::default()
        },
    ] {
        let axe = needs::met(needs::client("node/node_modules/axe-core/axe.min.js"));
        let Some(world) = TwoSites::open(look) else {
            return;
        };
        let browser = &world.browser;
        // There is nothing about sites while there is one.
        assert_eq!(
            browser.js("return document.querySelectorAll(\"a[href$='/sites']\").length"),
            json!(0)
        );
        let hamburg = Hub::run(world.hamburg(&["serve"]));
        finish(world.hamburg(&["hub", "adopt", "127.0.0.3"]).output()).ends_with(0);
        world.shows("/sites", "#h-sites ~ *, tbody th", "hamburg");
        world.shows("/sites", "tbody tr", "berlin");
        fits(browser, "/sites");
        // axe waits for timers, which need scripts.
        if let Some(axe) = axe.as_ref().filter(|_| look.has_script) {
            assert_eq!(findings(browser, axe), json!([]), "/sites");
        }
        browser.click("nav.sites a[href$='site=hamburg']");
        browser.shows("#h-plugs", "Plugs");
        let plugs = browser.text("section[aria-labelledby=h-plugs] tbody");
        assert!(plugs.contains("AC:CF:23:00:00:02"), "{plugs}");
        fits(browser, "/sites?site=hamburg");
        browser.click("nav.sites a[href$='/']");
        browser.arrives(&format!("{}/", world.berlin.url));
        // Berlin hears it as well, but it is Hamburg's.
        let plug = "#offered-accf23000002";
        world.shows("/add", plug, "Belongs to site hamburg");
        let buttons = format!("return document.querySelectorAll('{plug} button').length");
        assert_eq!(browser.js(&buttons), json!(0));
        hamburg.end(Signal::SIGTERM);
    }
}

#[test]
fn the_settings_bind_a_password_and_a_token_to_sites() {
    let axe = needs::met(needs::client("node/node_modules/axe-core/axe.min.js"));
    let Some(world) = TwoSites::open(Look::default()) else {
        return;
    };
    let (browser, url) = (&world.browser, &world.berlin.url);
    let settings = format!("{url}/settings");
    let holds = |css: &str, text: &str| {
        let inner = format!("document.querySelector('{css}')?.innerText?.includes('{text}')");
        browser.until(&format!("return {inner} === true"));
    };
    let fields = "return [...document.querySelectorAll('input[name=sites]')].map(box => box.value)";
    browser.go(&settings);
    browser.shows("h1", "Settings");
    assert_eq!(browser.js(fields), json!([]), "there is one site");
    let hamburg = Hub::run(world.hamburg(&["serve"]));
    world.shows("/sites", "#h-sites ~ *, tbody th", "hamburg");

    browser.go(&settings);
    browser.shows("h1", "Settings");
    // Of both passwords, and of a new token.
    let both = ["berlin", "hamburg"];
    assert_eq!(browser.js(fields), json!([both, both, both].concat()));
    fits(browser, "/settings");
    if let Some(axe) = &axe {
        assert_eq!(findings(browser, axe), json!([]), "/settings");
    }
    let view = "#password-read";
    browser.enter(
        &format!("{view} input[name=password]"),
        "a long secret of a tablet",
    );
    browser.click(&format!("{view} input[value=hamburg]"));
    browser.click(&format!("{view} button"));
    holds(view, "It is set; its logins see hamburg.");
    let chosen = "return [...document.querySelectorAll('#password-read input:checked')].map(box => box.value)";
    assert_eq!(browser.js(chosen), json!(["hamburg"]));

    browser.click("#tokens summary");
    browser.enter("#name", "office");
    browser.click("#tokens input[value=berlin]");
    browser.click("#tokens form[action$='/settings/tokens'] button");
    holds("#new-token", "office");
    let run = world.home.json(&["hub", "token", "list"]).ends_with(0);
    let tokens = run.json();
    let mut tokens = tokens.as_array().unwrap().iter();
    let office = tokens.find(|token| token["name"] == "office").unwrap();
    assert_eq!(office["sites"], json!(["berlin"]));
    browser.go(&settings);
    holds("#tokens", "Sites: berlin.");

    // Who logs in with the password sees Hamburg, and no page of Berlin's plugs.
    browser.click("form[action$='/logout'] button");
    browser.shows("h1", "Log in");
    browser.enter("#password", "a long secret of a tablet");
    browser.click("form button");
    browser.arrives(&format!("{url}/sites"));
    let page = browser.text("main");
    assert!(
        page.contains("hamburg") && !page.contains("berlin"),
        "{page}"
    );
    browser.go(&format!("{url}/energy"));
    holds("main", "berlin");
    hamburg.end(Signal::SIGTERM);
}
