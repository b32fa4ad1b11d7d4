//! Every fault of the catalogue does what it says. One that has no case here fails the last test.

use std::collections::BTreeSet;

use super::super::announce;
use super::super::server::{announced, certificate};
use super::super::touchlink::TouchlinkScript;
use super::*;

/// A bridge with a fault, and what is to be seen of it.
type BridgeFaultCase = (&'static str, fn(&str));

fn with(fault: &str) -> RoomBench {
    RoomBench::square(&[fault], &["near:foreign", "near", "near:1"])
}

fn status(fault: &str, expected: u16, part: &str) {
    let mut bench = with(fault);
    for (method, path) in [("GET", "/api/config"), ("POST", "/api/K/lights")] {
        let answer = bench.answer(0, method, path, "");
        assert_eq!(answer.status, expected, "{fault}");
        assert!(
            String::from_utf8(answer.body).unwrap().contains(part),
            "{fault}"
        );
    }
    assert_eq!(bench.room.poll_timeout(), None, "{fault}: nothing is done");
}

fn error(fault: &str, number: u64) {
    let mut bench = with(fault);
    assert_eq!(
        bench.errors("POST", "/api/K/lights", ""),
        [number],
        "{fault}"
    );
    assert_eq!(bench.room.poll_timeout(), None, "{fault}: nothing is done");
}

/// The order is carried out; what comes back is spoilt by the way that `server::mangle` knows.
fn spoilt(fault: &str, mangle: Mangle) {
    let mut bench = with(fault);
    let answer = bench.answer(0, "POST", "/api/K/lights", "");
    assert_eq!(answer.mangles, [mangle], "{fault}");
    assert!(
        bench.room.poll_timeout().is_some(),
        "{fault}: the search runs"
    );
}

/// The words of port 30000 with a bulb in range.
fn script(fault: &str) -> TouchlinkScript {
    let mut bench = RoomBench::of(
        vec![config(TwinModel::Round, "", &[fault])],
        &["near:foreign"],
    );
    bench.room.touchlink(bench.now, 0)
}

fn words(fault: &str) -> Vec<String> {
    script(fault)
        .lines
        .into_iter()
        .map(|line| String::from_utf8(line.bytes).unwrap())
        .collect()
}

fn other_certificate(fault: &str) {
    let made = |faults: &[&str]| {
        let config = config(TwinModel::Square, "", faults);
        certificate(&config, &config.quirks().tls).unwrap()
    };
    assert_eq!(made(&[]), made(&["slow=1s"]));
    assert_ne!(made(&[]), made(&[fault]), "{fault}");
}

/// Which ports of a bridge are open: HTTP, HTTPS, touchlink.
fn doors(model: TwinModel, fault: &str) -> [bool; 3] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let mut config = config(model, "", &[fault]);
    config.listen = Ipv4Addr::new(127, 93, 4, 1);
    (config.http_port, config.https_port, config.touchlink_port) = (0, 0, 0);
    let room = server::RoomHandle::new(vec![config], &[]).unwrap();
    let ready = server::open(room, None).unwrap().ready()[0];
    [
        ready.http.is_some(),
        ready.https.is_some(),
        ready.touchlink.is_some(),
    ]
}

fn is_announced(fault: &str) -> (bool, bool) {
    let mut config = config(TwinModel::Square, "", &[fault]);
    config.announce = true;
    announced(&config, &config.quirks())
}

const CASES: &[BridgeFaultCase] = &[
    ("error=8", |fault| error(fault, 8)),
    ("status=500", |fault| status(fault, 500, "500")),
    ("busy", |fault| error(fault, 901)),
    ("key-revoked", |fault| error(fault, 1)),
    ("429", |fault| status(fault, 429, "429")),
    ("503", |fault| status(fault, 503, "503")),
    ("html", |fault| status(fault, 200, "<html>")),
    ("empty-list", |fault| status(fault, 200, "[]")),
    ("empty-object", |fault| status(fault, 200, "{}")),
    ("redirect-elsewhere", |fault| {
        status(fault, 301, "");
        let location = with(fault)
            .answer(0, "GET", "/api/config", "")
            .location
            .unwrap();
        assert!(!location.contains("127.1.2.3"), "{location}");
    }),
    ("half", |fault| spoilt(fault, Mangle::Half)),
    ("giant", |fault| spoilt(fault, Mangle::Giant)),
    ("chunked", |fault| spoilt(fault, Mangle::Chunked)),
    ("close-delimited", |fault| {
        spoilt(fault, Mangle::CloseDelimited);
    }),
    ("lf-only", |fault| spoilt(fault, Mangle::LfOnly)),
    ("charset", |fault| spoilt(fault, Mangle::Charset)),
    ("no-content-type", |fault| {
        spoilt(fault, Mangle::NoContentType);
    }),
    ("trickle", |fault| spoilt(fault, Mangle::Trickle)),
    ("hang", |fault| spoilt(fault, Mangle::Hang)),
    ("silent", |fault| spoilt(fault, Mangle::Silent)),
    ("garbage", |fault| spoilt(fault, Mangle::Garbage)),
    ("slow=3s", |fault| {
        assert_eq!(
            with(fault).answer(0, "GET", "/api/config", "").after,
            Duration::from_secs(3)
        );
    }),
    ("text-numbers", |fault| {
        assert_eq!(
            with(fault).ask("GET", "/api/wrong/lights", "")[0]["error"]["type"],
            "1"
        );
    }),
    ("other-id", |fault| {
        let told = with(fault).ask("GET", "/api/config", "");
        assert_eq!(
            (&told["bridgeid"], &told["mac"]),
            (&"001788FFFE010256".into(), &"00:17:88:01:02:56".into())
        );
    }),
    ("told-model=BSB009", |fault| {
        assert_eq!(
            with(fault).ask("GET", "/api/config", "")["modelid"],
            "BSB009"
        );
    }),
    ("no-http", |fault| {
        assert_eq!(doors(TwinModel::Square, fault), [false, true, false]);
    }),
    ("no-https", |fault| {
        assert_eq!(doors(TwinModel::Square, fault), [true, false, false]);
    }),
    ("touchlink-closed", |fault| {
        assert_eq!(doors(TwinModel::Round, "slow=1s"), [true, false, true]);
        assert_eq!(doors(TwinModel::Round, fault), [true, false, false]);
    }),
    ("no-mdns", |fault| {
        assert_eq!(is_announced(fault), (false, true));
    }),
    ("no-ssdp", |fault| {
        assert_eq!(is_announced(fault), (true, false));
    }),
    ("cert-wrong-name", other_certificate),
    ("cert-expired", other_certificate),
    ("cert-changed", other_certificate),
    ("cert-upper-case", other_certificate),
    ("touchlink-failed", |fault| {
        let mut bench = with(fault);
        bench.touchlink(0);
        assert_eq!(bench.owner(0).as_deref(), Some("foreign"));
        assert_eq!(words(fault)[1], "[Link,Touchlink,failed]\n");
    }),
    ("touchlink-time=9s", |fault| {
        let mut bench = with(fault);
        bench.touchlink(0);
        assert_eq!(bench.owner(0).as_deref(), Some("foreign"));
        bench.wait(Duration::from_secs(8));
        assert_eq!(bench.owner(0).as_deref(), Some(FIRST));
        assert_eq!(script(fault).lines[1].after, Duration::from_secs(9));
    }),
    ("touchlink-silence", |fault| {
        assert!(words(fault).len() == 1 && !script(fault).closes);
    }),
    ("touchlink-eof", |fault| {
        assert!(words(fault).len() == 1 && script(fault).closes);
    }),
    ("touchlink-no-echo", |fault| {
        assert!(words(fault).len() == 1 && words(fault)[0].contains("success"));
    }),
    ("touchlink-split", |fault| assert!(words(fault).len() > 5)),
    ("touchlink-joined", |fault| {
        assert!(words(fault).len() == 1 && words(fault)[0].lines().count() == 2);
    }),
    ("touchlink-crlf", |fault| {
        assert!(words(fault).iter().all(|line| line.ends_with("]\r\n")));
    }),
    ("touchlink-word=foo", |fault| {
        assert_eq!(words(fault)[1], "[Link,Touchlink,foo]\n");
        let mut bench = RoomBench::of(
            vec![config(TwinModel::Round, "", &[fault])],
            &["near:foreign"],
        );
        bench.room.touchlink(bench.now, 0);
        bench.wait(SEARCH);
        assert_eq!(bench.owner(0).as_deref(), Some("foreign"));
    }),
    ("search-time=40s", |fault| {
        let mut bench = with(fault);
        bench.ask("POST", "/api/K/lights", "");
        bench.wait(Duration::from_secs(39));
        assert_eq!(
            bench.ask("GET", "/api/K/lights/new", "")["lastscan"],
            "active"
        );
        assert_eq!(bench.lights(0).len(), 2);
        bench.wait(Duration::from_secs(1));
        assert_ne!(
            bench.ask("GET", "/api/K/lights/new", "")["lastscan"],
            "active"
        );
    }),
    ("search-finds-nothing", |fault| {
        assert_eq!(with(fault).search(0, ""), 0);
    }),
    ("late-search", |fault| {
        let mut bench = with(fault);
        bench.ask("POST", "/api/K/lights", "");
        bench.wait(Duration::from_secs(4));
        assert_eq!(bench.lights(0).len(), 1);
        bench.wait(Duration::from_secs(1));
        assert_eq!(bench.lights(0).len(), 2);
    }),
    ("endless-search", |fault| {
        let mut bench = with(fault);
        bench.ask("POST", "/api/K/lights", "");
        bench.wait(Duration::from_secs(100_000));
        assert_eq!(
            bench.ask("GET", "/api/K/lights/new", "")["lastscan"],
            "active"
        );
        assert_eq!(bench.lights(0).len(), 2);
    }),
    ("unlisted", |fault| {
        let mut bench = with(fault);
        assert_eq!(bench.search(0, ""), 0);
        assert_eq!(bench.lights(0).len(), 2);
    }),
    ("capacity=2", |fault| {
        let mut bench = with(fault);
        assert_eq!(bench.search(0, ""), 1);
        assert_eq!(bench.errors("POST", "/api/K/lights", ""), [203]);
    }),
    ("full", |fault| error(fault, 203)),
    ("delete-orphans", |fault| {
        let mut bench = with(fault);
        bench.ask("DELETE", "/api/K/lights/1", "");
        assert_eq!(bench.owner(2).as_deref(), Some("lost"));
    }),
    ("dotted", |fault| {
        assert_eq!(
            with(fault).text("DELETE", "/api/K/lights/1", ""),
            r#"[{"success":"/lights/1 deleted."}]"#
        );
    }),
    ("powered-for=40m", |fault| {
        let mut bench = with(fault);
        bench.touchlink(0);
        assert_eq!(bench.owner(0).as_deref(), Some("foreign"));
        assert_eq!(bench.search(0, ""), 1, "a search does not mind");
    }),
    ("unpowered", |fault| {
        let mut bench = with(fault);
        assert!(!bench.bulb(0).powered);
        assert_eq!(bench.search(0, ""), 0);
    }),
];

#[test]
fn every_case() {
    for (fault, see) in CASES {
        see(fault);
    }
}

#[test]
fn no_fault_is_without_a_case() {
    let cases: BTreeSet<&str> = CASES
        .iter()
        .map(|(spec, _)| spec.parse::<BridgeFault>().unwrap().name())
        .collect();
    for (spec, _) in BridgeFault::catalogue() {
        let name = spec.split(['=', '[']).next().unwrap();
        assert!(cases.contains(name), "{name} has no case");
    }
}

#[test]
fn a_fault_comes_about_where_and_as_often_as_it_says() {
    let mut bench = with("busy=POST/lights*2");
    assert!(bench.errors("GET", "/api/K/lights", "").is_empty());
    for numbers in [vec![901], vec![901], vec![]] {
        assert_eq!(bench.errors("POST", "/api/K/lights", ""), numbers);
    }
    let mut bench = with("error=101POST/*1");
    bench.room.press(bench.now, 0);
    assert_eq!(
        bench.errors("POST", "/api", r#"{"devicetype":"a#b"}"#),
        [101]
    );
    assert!(
        bench
            .errors("POST", "/api", r#"{"devicetype":"a#b"}"#)
            .is_empty()
    );
}

#[test]
fn two_faults_in_one_place_come_one_after_the_other() {
    let mut bench = RoomBench::square(&["503=*1", "busy=GET/lights*1"], &[]);
    assert_eq!(bench.answer(0, "GET", "/api/K/lights", "").status, 503);
    assert_eq!(bench.errors("GET", "/api/K/lights", ""), [901]);
    assert_eq!(bench.text("GET", "/api/K/lights", ""), "{}");
    bench
        .room
        .replace_faults(bench.now, 0, vec!["html".parse().unwrap()]);
    assert!(
        bench
            .answer(0, "GET", "/api/K/lights", "")
            .content_type
            .contains("html")
    );
}

#[test]
fn models_are_announced_as_they_are() {
    for (model, expected) in [
        (TwinModel::Round, (false, true)),
        (TwinModel::Square, (true, true)),
        (TwinModel::Pro, (true, false)),
    ] {
        let mut config = config(model, "", &[]);
        assert_eq!(
            announced(&config, &config.quirks()),
            (false, false),
            "unless asked to"
        );
        config.announce = true;
        assert_eq!(announced(&config, &config.quirks()), expected, "{model}");
        assert!(announce::mdns::announcement(&config).is_some());
    }
}
