//! A headless Chromium, driven by WebDriver over plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::house::WITHIN;
use crate::needs;

/// A browser window with a profile of its own.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

/// The look of a window.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub is_dark: bool,
    pub has_script: bool,
}

/// Chromium without the windows and menus of its own, which take more than the pages. The script that Debian has for it in /usr/bin
/// would be ended in its place.
const BROWSER: &str = "/usr/lib/chromium/chromium-headless-shell";

impl Default for Look {
    fn default() -> Self {
        Self {
            width: 1280,
            is_dark: false,
            has_script: true,
        }
    }
}

impl Browser {
    /// Opens a window; `None`, and the test is skipped, where there is no Chromium.
    #[track_caller]
    pub fn open(look: Look) -> Option<Self> {
        needs::met(needs::tool(BROWSER, "--version", "chromium-headless-shell"))?;
        needs::met(needs::tool("chromedriver", "--version", "chromium-driver"))?;
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
        };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < WITHIN, "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let size = format!("--window-size={},900", look.width.max(500));
        let options = json!({
            "binary": BROWSER,
            "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", size],
        });
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.call("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        // A window has a least width; what is emulated has not.
        let metrics = json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": look.width < 600});
        browser.cdp("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.cdp("Emulation.setEmulatedMedia", &features);
        let scripts = json!({"value": !look.has_script});
        browser.cdp("Emulation.setScriptExecutionDisabled", &scripts);
        Some(browser)
    }

    pub fn go(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// Opens a further tab, and returns its name; the one in front stays.
    pub fn new_tab(&self) -> String {
        self.new_window("tab")
    }

    /// Opens a further tab or window, and returns its name.
    pub fn new_window(&self, kind: &str) -> String {
        let window = self.command("POST", "/window/new", &json!({ "type": kind }));
        window["handle"].as_str().unwrap().to_owned()
    }

    /// Drives another window, which stays where it is.
    pub fn drive(&self, window: &str) {
        self.command("POST", "/window", &json!({ "handle": window }));
    }

    /// The tab in front.
    pub fn tab(&self) -> String {
        let tab = self.command("GET", "/window", &Value::Null);
        tab.as_str().unwrap().to_owned()
    }

    /// Brings a tab to the front.
    pub fn show_tab(&self, tab: &str) {
        self.drive(tab);
        self.cdp("Page.bringToFront", &json!({}));
    }

    /// Runs a script and returns its value.
    pub fn js(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Runs a script that calls its last argument with its value.
    pub fn js_async(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/async",
            &json!({"script": script, "args": []}),
        )
    }

    fn element(&self, css: &str) -> String {
        let found = self.command(
            "POST",
            "/element",
            &json!({"using": "css selector", "value": css}),
        );
        let id = found.as_object().unwrap().values().next().unwrap();
        format!("/element/{}", id.as_str().unwrap())
    }

    /// Does these things to an element; anew to the one that took its place when the page was refreshed in between.
    #[track_caller]
    fn act(&self, css: &str, actions: &[(&str, Value)]) {
        for _ in 0..5 {
            let element = format!("{}{}", self.session, self.element(css));
            let is_stale = actions.iter().any(|(action, body)| {
                let path = format!("{element}/{action}");
                let value = self.answer("POST", &path, body);
                let is_stale = value["error"] == "stale element reference";
                assert!(is_stale || value["error"].is_null(), "{path}: {value}");
                is_stale
            });
            if !is_stale {
                return;
            }
        }
        panic!("{css} is replaced again and again");
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        self.act(css, &[("click", json!({}))]);
    }

    /// Replaces the text of a field.
    #[track_caller]
    pub fn enter(&self, css: &str, text: &str) {
        let actions = [("clear", json!({})), ("value", json!({ "text": text }))];
        self.act(css, &actions);
    }

    /// Chooses a file.
    #[track_caller]
    pub fn attach(&self, css: &str, file: &str) {
        self.act(css, &[("value", json!({ "text": file }))]);
    }

    pub fn attribute(&self, css: &str, name: &str) -> Value {
        let element = self.element(css);
        self.command("GET", &format!("{element}/attribute/{name}"), &Value::Null)
    }

    /// Name, role and state as assistive technology has them.
    pub fn name_and_role(&self, css: &str) -> (String, String) {
        let element = self.element(css);
        let of = |what: &str| self.command("GET", &format!("{element}/{what}"), &Value::Null);
        let text = |value: Value| value.as_str().unwrap().to_owned();
        (text(of("computedlabel")), text(of("computedrole")))
    }

    /// Waits until an element is there, and returns its text.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let css = json!(css);
        self.until(&format!("return !!document.querySelector({css})"));
        // In one script, because the page may be replaced between two.
        let text = self.js(&format!("return document.querySelector({css})?.innerText"));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element has this text, e.g. on the page to which a click leads.
    #[track_caller]
    pub fn shows(&self, css: &str, text: &str) {
        let (css, text) = (json!(css), json!(text));
        self.until(&format!(
            "return document.querySelector({css})?.innerText === {text}"
        ));
    }

    /// Waits until the page to which a click leads is there.
    #[track_caller]
    pub fn arrives(&self, url: &str) {
        let url = json!(url);
        self.until(&format!(
            "return location.href === {url} && document.readyState === 'complete'"
        ));
    }

    /// Text in a field.
    pub fn js_value(&self, css: &str) -> String {
        let element = self.element(css);
        let value = self.command("GET", &format!("{element}/property/value"), &Value::Null);
        value.as_str().unwrap().to_owned()
    }

    /// Presses keys, one after the other.
    pub fn press(&self, keys: &[&str]) {
        let actions: Vec<_> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.command("POST", "/actions", &actions);
    }

    /// Points in an element at its middle, as parts of its width.
    fn points(&self, css: &str, parts: &[f64]) -> Vec<(i64, i64)> {
        let css = json!(css);
        let found = self.js(&format!("const box = document.querySelector({css}).getBoundingClientRect(); return {}.map(part => [Math.round(box.left + part * box.width), Math.round(box.top + box.height / 2)])", json!(parts)));
        let points = found.as_array().unwrap().iter();
        points
            .map(|point| (point[0].as_i64().unwrap(), point[1].as_i64().unwrap()))
            .collect()
    }

    fn pointers(&self, kind: &str, ways: &[[(i64, i64); 2]]) {
        let pointer = |(id, [from, to]): (usize, &[(i64, i64); 2])| {
            let go = |(x, y): &(i64, i64), duration: u32| json!({"type": "pointerMove", "x": x, "y": y, "duration": duration});
            let actions = [
                go(from, 0),
                json!({"type": "pointerDown", "button": 0}),
                go(to, 200),
                json!({"type": "pointerUp", "button": 0}),
            ];
            json!({"type": "pointer", "id": format!("{kind}{id}"), "parameters": {"pointerType": kind}, "actions": actions})
        };
        let actions: Vec<_> = ways.iter().enumerate().map(pointer).collect();
        self.command("POST", "/actions", &json!({ "actions": actions }));
    }

    /// Drags the mouse over an element, from and to parts of its width.
    pub fn drag(&self, css: &str, from: f64, to: f64) {
        let points = self.points(css, &[from, to]);
        self.pointers("mouse", &[[points[0], points[1]]]);
    }

    /// Moves two fingers on an element, from and to parts of its width.
    pub fn pinch(&self, css: &str, from: [f64; 2], to: [f64; 2]) {
        let points = self.points(css, &[from[0], to[0], from[1], to[1]]);
        self.pointers("touch", &[[points[0], points[1]], [points[2], points[3]]]);
    }

    /// Waits until a script returns true, without loading the page again.
    #[track_caller]
    pub fn until(&self, script: &str) {
        let begin = Instant::now();
        while self.js(script) != json!(true) {
            let text = self.js("return document.body.innerText");
            assert!(
                begin.elapsed() < WITHIN,
                "not within {WITHIN:?}: {script}\n{text}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The cookies of the page.
    pub fn cookies(&self) -> Value {
        self.command("GET", "/cookie", &Value::Null)
    }

    /// Replaces the cookies of the page.
    pub fn set_cookies(&self, cookies: &Value) {
        self.command("DELETE", "/cookie", &Value::Null);
        for cookie in cookies.as_array().unwrap() {
            self.command("POST", "/cookie", &json!({ "cookie": cookie }));
        }
    }

    /// The window as a PNG.
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.command("GET", "/screenshot", &Value::Null);
        STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// Drives the first frame of the page.
    pub fn enter_frame(&self) {
        self.command("POST", "/frame", &json!({"id": 0}));
    }

    /// Messages on the console since the last call, without those of a lost connection.
    pub fn console(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}));
        let texts = log.as_array().unwrap().iter();
        texts
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Addresses of all requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({"type": "performance"}));
        let events = log.as_array().unwrap().iter();
        events
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
            .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                Some(
                    event["message"]["params"]["request"]["url"]
                        .as_str()?
                        .to_owned(),
                )
            })
            .collect()
    }

    pub fn cdp(&self, method: &str, params: &Value) {
        self.command(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": method, "params": params}),
        );
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.answer(method, path, body);
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }

    fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser too, which is no child of this process.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.command("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
