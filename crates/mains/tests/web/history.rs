//! The graph of a plug: cursor, zoom by mouse, fingers and keys, a day of 25 hours, a browser with a wrong clock.

use std::fmt::Write as _;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::browser::{Browser, Look};
use crate::home::Home;
use crate::house::Hub;
use crate::live::house_with;

const CONFIG: &str = "[place]\nlatitude = 52.52\nlongitude = 13.4\ntimezone = \"Europe/Berlin\"\n";
const LIVE: &str = "return document.querySelector('#live')?.textContent === 'Live'";
const ZOOMED: &str = "return !!document.querySelector('.area .uplot canvas') && getComputedStyle(document.querySelector('.area > svg')).display === 'none'";
const WHOLE: &str = "return !document.querySelector('.uplot') && getComputedStyle(document.querySelector('.area > svg')).display !== 'none'";

/// A hub in Berlin whose plug has a day of 80 W, twice as much from 12:30 after midnight on, and two hours without data.
struct Graph {
    browser: Browser,
    hub: Hub,
    _home: Home,
    page: String,
    midnight: i64,
    /// Length of the day in minutes.
    length: f64,
}

impl Graph {
    /// Opens the page of a day of which quarter-hours are known, and minutes if it is not long ago.
    fn open(look: Look, day: Date) -> Option<Self> {
        let (home, hub, browser) = house_with(look, CONFIG, &[])?;
        let start = |day: Date| day.in_tz("Europe/Berlin").unwrap().timestamp();
        let midnight = start(day).as_second();
        let length = (start(day.tomorrow().unwrap()).as_second() - midnight) / 60;
        let is_recent = Timestamp::now().as_second() - midnight < 7 * 86_400;
        let mut csv = "kind,time,power_w,power_min_w,power_max_w,energy_wh,readings\n".to_owned();
        for minute in (0..length).filter(|minute| !(240..360).contains(minute)) {
            let at = Timestamp::from_second(midnight + minute * 60).unwrap();
            let watts = if minute < 750 { 80.0 } else { 160.0 };
            let (low, high) = (watts - 10.0, watts + 20.0);
            let mut line = |kind: &str, hours: f64| {
                let _ = writeln!(
                    csv,
                    "{kind},{at},{watts},{low},{high},{:.3},6",
                    watts * hours
                );
            };
            if is_recent {
                line("minute", 1.0 / 60.0);
            }
            if minute % 15 == 0 {
                line("quarter", 0.25);
            }
        }
        let file = home.write("history.csv", &csv);
        let words = ["hub", "import", "AC:CF:23:00:00:01", file.to_str().unwrap()];
        home.json(&words).ends_with(0);
        let page = format!(
            "{}/plugs/accf23000001?range=day&from={day}&to={day}",
            hub.url
        );
        let graph = Self {
            browser,
            hub,
            _home: home,
            page,
            midnight,
            length: length as f64,
        };
        graph.load();
        Some(graph)
    }

    fn load(&self) {
        self.browser.go(&self.page);
        self.browser
            .until("return !!document.querySelector('.scrub')");
        self.browser
            .js("document.querySelector('.area').scrollIntoView({block: 'center'})");
    }

    /// The range of the cursor in minutes since midnight.
    fn range(&self) -> [f64; 2] {
        let range = self.browser.js(
            "const cursor = document.querySelector('.scrub'); return [+cursor.min, +cursor.max]",
        );
        [0, 1].map(|end| (range[end].as_f64().unwrap() - self.midnight as f64) / 60.0)
    }

    /// Moves the cursor to a minute after midnight, and returns what it shows.
    fn readout(&self, minute: i64) -> String {
        let value = self.midnight + minute * 60 + 1;
        self.browser.js(&format!("const cursor = document.querySelector('.scrub'); cursor.value = {value}; cursor.dispatchEvent(new Event('input'))"));
        self.browser.text(".readout").replace(['\n', ' '], "")
    }
}

fn day_before_yesterday() -> Date {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let now = Zoned::now().with_time_zone(berlin);
    now.date().checked_sub(2.days()).unwrap()
}

/// Points of the drawn chart, as the hub sent them.
fn steps(browser: &Browser) -> Vec<String> {
    let requests = browser.requests();
    let steps = requests.iter().filter_map(|url| url.split_once("&step="));
    steps.map(|(_, step)| step.to_owned()).collect()
}

#[test]
fn zoomed_by_mouse_and_keys() {
    let Some(graph) = Graph::open(Look::default(), day_before_yesterday()) else {
        return;
    };
    let browser = &graph.browser;
    browser.until(LIVE);
    let whole = [0.0, graph.length];
    assert_eq!(graph.range(), whole);
    assert_eq!(browser.js(WHOLE), json!(true));
    browser.requests();
    browser.drag(".scrub", 0.4, 0.5);
    browser.until(ZOOMED);
    let [from, to] = graph.range();
    let near = |minute: f64, part: f64| (minute - part * graph.length).abs() < 15.0;
    assert!(near(from, 0.4) && near(to, 0.5), "{from} to {to}");
    browser.until("return document.querySelector('.zoom p').textContent.includes('W on average')");
    browser.until("return performance.getEntriesByType('resource').some(entry => entry.name.includes('&step='))");
    // Two and a half hours in at most 700 points.
    assert_eq!(steps(browser), ["30s"]);
    let (name, role) = browser.name_and_role(".uplot");
    assert!(role == "image" || role == "img", "{role}");
    assert!(name.contains("80.0"), "{name}");
    let drawn = browser.js("const canvas = document.querySelector('.uplot canvas'); const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; return data.some((value, at) => at % 4 === 3 && value > 0)");
    assert_eq!(drawn, json!(true));

    // Address and CSV are those of the view; loaded again, it is there as a whole, and its CSV ends where it ends.
    let view = "const url = new URL(location); return url.searchParams.has('to') && !url.searchParams.has('range')";
    browser.until(view);
    let [csv, at] = ["document.querySelector('#power-csv').href", "location.href"]
        .map(|it| browser.js(&format!("return {it}.split('?')[1].split('#')[0]")));
    assert_eq!(csv, at);
    let zoomed = browser.js("return location.href");
    browser.js("window.isOld = true; location.reload()");
    browser.until("return !window.isOld && !!document.querySelector('.scrub')");
    // A graph of some hours has steps of five minutes, and begins with a whole one.
    let [a, b] = graph.range();
    let is_near = |minute: f64, other: f64| (minute - other).abs() < 6.0;
    assert!(
        is_near(a, from) && is_near(b, to),
        "{a} to {b}, not {from} to {to}"
    );
    let rows = browser.js_async("const done = arguments[0]; fetch(document.querySelector('#power-csv').href).then(response => response.text()).then(text => done(text.trim().split('\\n').slice(1).map(row => Date.parse(row.split(',')[0]) / 1000)))");
    let rows: Vec<f64> = serde_json::from_value(rows).unwrap();
    let minutes = rows.iter().map(|t| (t - graph.midnight as f64) / 60.0);
    assert!(
        minutes.clone().count() > 10 && minutes.clone().all(|t| (from - 6.0..to).contains(&t)),
        "{zoomed}"
    );
    graph.load();
    browser.until(LIVE);
    browser.drag(".scrub", 0.4, 0.5);
    browser.until(ZOOMED);
    let [from, to] = graph.range();

    browser.js("document.querySelector('.scrub').focus()");
    browser.press(&["+"]);
    let [a, b] = graph.range();
    assert!((b - a) * 2.0 < to - from + 1.0, "{a} to {b}");
    for _ in 0..20 {
        browser.press(&["+"]);
    }
    let [a, b] = graph.range();
    assert!(
        (b - a - 1.0).abs() < 0.01,
        "a minute is the shortest: {a} to {b}"
    );
    browser.press(&["0"]);
    browser.until(WHOLE);
    assert_eq!(graph.range(), whole);

    browser.click(".zoom button");
    browser.until(ZOOMED);
    browser.click(".zoom button:nth-of-type(3)");
    browser.until(WHOLE);
    let page = json!(graph.page);
    browser.until(&format!("return location.href === {page}"));
    // The page is renewed under a zoomed chart, which stays.
    browser.drag(".scrub", 0.1, 0.3);
    browser.until(ZOOMED);
    let before = graph.range();
    browser.js("window.renewed = 0; document.querySelector('#main').addEventListener('renewed', () => window.renewed++)");
    browser.until("return window.renewed > 0");
    browser.until(ZOOMED);
    assert_eq!(graph.range(), before);
    assert_eq!(browser.console(), Vec::<String>::new());
    let requests = browser.requests();
    assert!(
        requests.iter().all(|url| url.starts_with(&graph.hub.url)),
        "{requests:?}"
    );
}

#[test]
fn zoomed_by_fingers_on_a_phone() {
    let look = Look {
        width: 390,
        is_dark: true,
        ..Look::default()
    };
    let Some(graph) = Graph::open(look, day_before_yesterday()) else {
        return;
    };
    let browser = &graph.browser;
    browser.pinch(".scrub", [0.4, 0.6], [0.2, 0.8]);
    browser.until(ZOOMED);
    let [from, to] = graph.range();
    assert!(
        (to - from - graph.length / 3.0).abs() < 60.0,
        "{from} to {to}"
    );
    assert!(
        ((from + to - graph.length) / 2.0).abs() < 60.0,
        "{from} to {to}"
    );
    let width = browser.js("return document.documentElement.scrollWidth - innerWidth");
    assert!(width.as_i64().unwrap() <= 0, "{width} px too wide");
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
fn a_day_of_25_hours_and_a_browser_elsewhere() {
    let Some(graph) = Graph::open(Look::default(), date(2026, 10, 25)) else {
        return;
    };
    let browser = &graph.browser;
    browser.cdp(
        "Emulation.setTimezoneOverride",
        &json!({"timezoneId": "Asia/Tokyo"}),
    );
    let wrong = "const Right = Date; Date = class extends Right { constructor(...given) { given.length ? super(...given) : super(Right.now() + 4e10); } static now() { return Right.now() + 4e10; } };";
    browser.cdp(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({"source": wrong}),
    );
    graph.load();
    browser.until(LIVE);
    for (minute, words) in [
        (0, "80.0\u{a0}W00:00 CEST"),
        (120, "80.0\u{a0}W02:00 CEST"),
        (180, "80.0\u{a0}W02:00 CET"),
        (270, "No data"),
        (1495, "160\u{a0}W23:45 CET"),
    ] {
        let shown = graph.readout(minute);
        assert!(
            shown.starts_with(&words.replace(' ', "")),
            "{minute}: {shown}"
        );
    }
    let rows = browser.js(
        "return [...document.querySelectorAll('#power ~ .row time')].map(time => time.dateTime)",
    );
    let rows: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(rows.len(), 25);
    assert_eq!(rows[2], "2026-10-25T02:00:00+02:00");
    assert_eq!(rows[3], "2026-10-25T02:00:00+01:00");
    let labels = browser.js("return [...document.querySelectorAll('#power .xs span')].map((label, hour) => label.textContent && `${hour} ${label.textContent}`).filter(Boolean)");
    assert_eq!(
        labels,
        json!(["0 00:00", "7 06:00", "13 12:00", "19 18:00", "25 24:00"])
    );
    // What is from when is told by the clock of the hub.
    let before = Zoned::now().with_time_zone(TimeZone::get("Europe/Berlin").unwrap());
    graph.hub.end(Signal::SIGTERM);
    browser.until(
        "return document.querySelector('#live').textContent.startsWith('Mains is not reachable')",
    );
    let text = browser.text("#live");
    let times = [-2, -1, 0, 1].map(|minute| {
        (&before + SignedDuration::from_mins(minute))
            .strftime("%H:%M")
            .to_string()
    });
    assert!(
        times.iter().any(|time| text.contains(time)),
        "{text}: {times:?}"
    );
}
