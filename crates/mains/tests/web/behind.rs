//! Pages behind a reverse proxy, in frames, and logins that would lead elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use serde_json::json;

use crate::browser::{Browser, Look};
use crate::house::{eventually, plugs};
use crate::live::house_with;

const LIVE: &str = "return document.querySelector('#live')?.textContent === 'Live'";
const SWITCH: &str = "article[data-mac=accf23000001] button[role=switch]";
const HUB: ([u8; 4], u16) = ([127, 0, 0, 1], 8480);
/// Links and forms of a page whose path does not begin with a prefix.
const FOREIGN: &str = "return [...document.querySelectorAll('a[href], form')].map(link => new URL(link.getAttribute('href') ?? link.getAttribute('action') ?? '', location).pathname).filter(path => !path.startsWith";

/// Serves each connection on a port by a function, in threads of its own, until the test ends.
fn serve(
    port: u16,
    each: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + Copy + 'static,
) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || each(stream));
        }
    });
}

/// Reads the head of a request: its lines, without the empty one.
fn head(reader: &mut impl BufRead) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(lines);
        }
        lines.push(line.trim().to_owned());
    }
}

/// Passes one request on to the hub without the prefix of its path, with the headers that a proxy adds.
fn pass(stream: TcpStream, prefix: &str, added: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let lines = head(&mut reader)?;
    let Some((first, headers)) = lines.split_first() else {
        return Ok(());
    };
    let first = first.replacen(&format!(" {prefix}"), " ", usize::from(!prefix.is_empty()));
    let first = first.replacen("  ", " / ", 1);
    let of = |name: &str| {
        let mut values = headers.iter().filter_map(|line| line.split_once(':'));
        values
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let length: usize = of("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let kept = headers
        .iter()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    let mut hub = TcpStream::connect(SocketAddr::from(HUB))?;
    write!(hub, "{first}\r\n{head}{added}connection: close\r\n\r\n")?;
    hub.write_all(&body)?;
    std::io::copy(&mut hub, &mut &stream)?;
    stream.shutdown(Shutdown::Both)
}

#[test]
fn behind_a_proxy_that_strips_its_prefix() {
    let config = "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let Some((home, hub, browser)) = house_with(Look::default(), config, &[]) else {
        return;
    };
    serve(9001, |stream| {
        pass(
            stream,
            "/home",
            "x-forwarded-prefix: /home\r\nx-forwarded-for: 127.0.0.7\r\n",
        )
    });
    let base = "http://127.0.0.1:9001/home";
    // Ports share their cookies.
    browser.set_cookies(&json!([]));
    let link = home.json(&["hub", "login-url"]).ends_with(0).json();
    let link = link["url"].as_str().unwrap().replace(&hub.url, base);
    browser.go(&link);
    browser.until(LIVE);
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
    for path in [
        "/",
        "/energy",
        "/schedules",
        "/rules",
        "/groups",
        "/add",
        "/tariffs",
        "/hue",
        "/events",
        "/settings",
    ] {
        stays_below(&browser, &format!("{base}{path}"), "/home/");
    }
    saves_a_group(&browser, base);
    browser.arrives(&format!("{base}/groups"));
    browser.go(&format!("{base}/settings"));
    browser.click("form[action$='/logout'] button");
    browser.arrives(&format!("{base}/login"));
    browser.go(&format!("{base}/energy"));
    browser.arrives(&format!("{base}/login?next=/energy"));
}

#[test]
fn behind_a_proxy_that_does_not() {
    let config = "[web]\nbase_path = \"/mains\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let Some((home, hub, browser)) = house_with(Look::default(), config, &[]) else {
        return;
    };
    serve(9002, |stream| {
        pass(stream, "", "x-forwarded-for: 127.0.0.7\r\n")
    });
    let base = "http://127.0.0.1:9002/mains";
    // Ports share their cookies.
    browser.set_cookies(&json!([]));
    let link = home.json(&["hub", "login-url"]).ends_with(0).json();
    browser.go(&link["url"].as_str().unwrap().replace(&hub.url, base));
    browser.until(LIVE);
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
    assert_eq!(browser.js(&format!("{FOREIGN}('/mains/'))")), json!([]));
}

#[test]
fn what_a_stranger_says_of_himself_counts_for_nothing() {
    let Some((home, hub, browser)) = house_with(Look::default(), "", &[]) else {
        return;
    };
    serve(9003, |stream| {
        let forged = "x-forwarded-prefix: /evil\r\nx-ingress-path: /evil\r\nx-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\nx-forwarded-for: 10.0.0.1\r\n";
        pass(stream, "", forged)
    });
    let base = "http://127.0.0.1:9003";
    // Ports share their cookies.
    browser.set_cookies(&json!([]));
    let link = home.json(&["hub", "login-url"]).ends_with(0).json();
    browser.go(&link["url"].as_str().unwrap().replace(&hub.url, base));
    browser.until(LIVE);
    browser.arrives(&format!("{base}/"));
    let evil = browser.js("return [...document.querySelectorAll('[href], [action], [src]')].filter(node => /evil|https:/.test(node.outerHTML)).length");
    assert_eq!(evil, json!(0));
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// A user of Home Assistant opens the hub in a frame of its page, below the path of the ingress, without a login of the hub.
#[test]
fn in_the_ingress_of_home_assistant() {
    const PREFIX: &str = "/api/hassio_ingress/Zx9-_k3";
    let config = "[web]\ntrusted_proxies = [\"127.0.0.1\"]\ningress_login = \"admin\"\n";
    let Some((home, _hub, browser)) = house_with(Look::default(), config, &[]) else {
        return;
    };
    serve(9007, |stream| {
        let mut first = [0; 64];
        let read = stream.peek(&mut first)?;
        if !first[..read].starts_with(b"GET /lovelace ") {
            let added = "x-ingress-path: /api/hassio_ingress/Zx9-_k3\r\nx-remote-user-id: 5d41402abc4b2a76b9719d911017c592\r\n\
                x-forwarded-for: 127.0.0.7, 172.30.32.1\r\nx-forwarded-host: homeassistant.localhost:9007\r\nx-forwarded-proto: http\r\n";
            return pass(stream, PREFIX, added);
        }
        frame(stream, &format!("{PREFIX}/"))
    });
    // A name that the hub does not know.
    let outer = "http://homeassistant.localhost:9007";
    let base = format!("{outer}{PREFIX}");
    browser.set_cookies(&json!([]));
    browser.go(&format!("{outer}/lovelace"));
    browser.enter_frame();
    browser.until(LIVE);
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
    for path in ["/", "/energy", "/schedules", "/rules", "/add", "/settings"] {
        stays_below(&browser, &format!("{base}{path}"), &format!("{PREFIX}/"));
    }
    saves_a_group(&browser, &base);
    // The login is the proxy's, so there is none to end here.
    browser.go(&format!("{base}/settings"));
    let logout = browser.js("return document.querySelectorAll(\"form[action$='/logout']\").length");
    assert_eq!(logout, json!(0));
}

/// Opens a page that is live, and all of whose addresses begin with this prefix.
#[track_caller]
fn stays_below(browser: &Browser, url: &str, prefix: &str) {
    browser.go(url);
    browser.until(LIVE);
    let foreign = browser.js(&format!("{FOREIGN}('{prefix}'))"));
    assert_eq!(foreign, json!([]), "{url}");
}

/// Saves a group by its form.
#[track_caller]
fn saves_a_group(browser: &Browser, base: &str) {
    browser.go(&format!("{base}/groups?new=1"));
    browser.enter("#name", "lamps");
    browser.click("#form button:not([name])");
    browser.shows(".note.good", "Saved.");
}

/// A page of another origin with the hub in a frame.
fn framing(stream: TcpStream) -> std::io::Result<()> {
    frame(stream, "http://127.0.0.1:8480/")
}

/// Answers a request with a page that holds this one in a frame.
fn frame(mut stream: TcpStream, address: &str) -> std::io::Result<()> {
    head(&mut BufReader::new(stream.try_clone()?))?;
    let page = format!(
        "<!doctype html><title>outer</title><iframe src=\"{address}\" width=1000 height=700></iframe>"
    );
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
    )
}

#[test]
fn in_a_frame_where_it_is_allowed() {
    let config = "[web]\nframe_ancestors = [\"http://127.0.0.1:9004\"]\n";
    let Some((home, _hub, browser)) = house_with(Look::default(), config, &[]) else {
        return;
    };
    browser.until(LIVE);
    serve(9004, framing);
    browser.go("http://127.0.0.1:9004/");
    browser.enter_frame();
    browser.until(LIVE);
    browser.click(SWITCH);
    eventually("the switch works", || plugs(&home)[0]["relay"] == "off");
}

#[test]
fn in_no_frame_where_it_is_not() {
    for config in ["", "[web]\nframe_ancestors = [\"http://127.0.0.1:9999\"]\n"] {
        let Some((_home, _hub, browser)) = house_with(Look::default(), config, &[]) else {
            return;
        };
        browser.until(LIVE);
        browser.console();
        let port = if config.is_empty() { 9005 } else { 9006 };
        serve(port, framing);
        browser.go(&format!("http://127.0.0.1:{port}/"));
        eventually("the browser refuses the frame", || {
            let console = browser.console().join("\n");
            console.contains("frame-ancestors") || console.contains("refused to connect")
        });
        browser.enter_frame();
        assert_eq!(
            browser.js("return document.querySelectorAll('article, form').length"),
            json!(0)
        );
    }
}

#[test]
fn a_login_leads_nowhere_else() {
    let Some((home, hub, browser)) = house_with(Look::default(), "", &[]) else {
        return;
    };
    let file = home.write("password", "a long enough secret\n");
    home.run(&["hub", "password", "--file", file.to_str().unwrap()])
        .ends_with(0);
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "%2F%2Fevil.example",
    ] {
        browser.go(&format!("{}/login?next={next}", hub.url));
        browser.enter("#password", "a long enough secret");
        browser.click("form button");
        browser.arrives(&format!("{}/", hub.url));
        browser.go(&format!("{}/settings", hub.url));
        browser.click("form[action$='/logout'] button");
        browser.shows("h1", "Log in");
    }
}
