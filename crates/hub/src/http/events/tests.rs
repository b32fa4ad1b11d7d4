//! The stream alone in virtual time, and over real sockets.

use std::net::SocketAddr;

use api::{Event, HubProblem};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hiflying::Mac;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::super::problem::Problem;
use super::*;
use crate::event::MAX_RESUMABLE_EVENTS;
use crate::server::{Limits, serve_within};

const SOON: Duration = Duration::from_secs(10);
const BOUND: Duration = Duration::from_millis(400);

fn removed(number: u8) -> Event {
    Event::PlugRemoved(Mac::new([number; 6]))
}

fn stream(bus: &EventBus, last: Option<&str>) -> Stream {
    filtered(bus, last, EventFilter::default())
}

fn filtered(bus: &EventBus, last: Option<&str>, filter: EventFilter) -> Stream {
    let mut headers = HeaderMap::new();
    if let Some(last) = last {
        headers.insert(LAST_EVENT_ID, last.parse().unwrap());
    }
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let cancel = CancellationToken::new();
    Stream::new(bus, last_event(&headers), filter, place, cancel)
}

/// Returns the fields with this name in a chunk of the stream.
fn fields<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.split_once(": ").filter(|(key, _)| *key == name);
    text.lines()
        .filter_map(value)
        .map(|(_, value)| value)
        .collect()
}

#[tokio::test]
async fn a_new_client_learns_where_it_begins() {
    let bus = EventBus::new();
    bus.publish(removed(1));
    let mut first = stream(&bus, None);
    let preface = first.next().await.unwrap();
    assert!(preface.starts_with("retry: 2000\n\nid: "), "{preface}");
    assert!(!preface.contains("event:") && !preface.contains("data:"));
    let id = fields(&preface, "id")[0].to_owned();

    bus.publish(removed(2));
    let text = first.next().await.unwrap();
    assert_eq!(fields(&text, "event"), ["plug"]);
    assert_eq!(
        fields(&text, "data"),
        [r#"{"mac":"02:02:02:02:02:02","removed":true}"#]
    );
    // Cut off before anything happened, it still misses nothing.
    let mut again = stream(&bus, Some(&id));
    assert_eq!(again.next().await.unwrap(), "retry: 2000\n\n");
    assert_eq!(again.next().await.unwrap(), text);
}

#[tokio::test]
async fn an_unknown_client_is_told_to_read_everything_again() {
    let bus = EventBus::new();
    bus.publish(removed(1));
    for last in [
        "00000000-1",
        "nonsense",
        "-",
        "ffffffff-18446744073709551615",
    ] {
        let mut stream = stream(&bus, Some(last));
        let preface = stream.next().await.unwrap();
        assert_eq!(fields(&preface, "event"), ["reset"], "{last}");
        bus.publish(removed(2));
        let text = stream.next().await.unwrap();
        assert_eq!(fields(&text, "event"), ["plug"]);
    }
    let mut empty = stream(&bus, Some(""));
    assert_eq!(fields(&empty.next().await.unwrap(), "event"), [""; 0]);
}

#[tokio::test]
async fn who_falls_behind_is_told_so_and_goes_on() {
    let bus = EventBus::new();
    let mut slow = stream(&bus, None);
    slow.next().await.unwrap();
    for _ in 0..2 * MAX_RESUMABLE_EVENTS {
        bus.publish(removed(3));
    }
    let reset = slow.next().await.unwrap();
    assert_eq!(fields(&reset, "event"), ["reset"]);
    bus.publish(removed(4));
    let text = slow.next().await.unwrap();
    assert_eq!(fields(&text, "event"), ["plug"]);
    assert!(text.contains("04:04"), "{text}");
}

#[tokio::test]
async fn a_gap_behind_a_burst_is_not_lost() {
    let bus = EventBus::new();
    let mut slow = stream(&bus, None);
    slow.next().await.unwrap();
    bus.publish(removed(1));
    slow.waiting.push_back(slow.live.recv().await.unwrap());
    for _ in 0..2 * MAX_RESUMABLE_EVENTS {
        bus.publish(removed(3));
    }
    assert!(slow.next().await.unwrap().contains("01:01"));
    let reset = slow.next().await.unwrap();
    assert_eq!(fields(&reset, "event"), ["reset"]);
}

#[tokio::test]
async fn a_burst_is_few_writes() {
    let bus = EventBus::new();
    let mut stream = stream(&bus, None);
    stream.next().await.unwrap();
    for _ in 0..100 {
        bus.publish(removed(1));
    }
    assert_eq!(fields(&stream.next().await.unwrap(), "event").len(), BATCH);
    assert_eq!(
        fields(&stream.next().await.unwrap(), "event").len(),
        100 - BATCH
    );
}

#[tokio::test(start_paused = true)]
async fn a_quiet_line_still_beats() {
    let bus = EventBus::new();
    let mut stream = stream(&bus, None);
    stream.next().await.unwrap();
    let begin = Instant::now();
    assert_eq!(stream.next().await.unwrap(), ":\n\n");
    assert_eq!(begin.elapsed(), HEARTBEAT);
    tokio::time::sleep(HEARTBEAT / 2).await;
    bus.publish(removed(1));
    stream.next().await.unwrap();
    let begin = Instant::now();
    assert_eq!(stream.next().await.unwrap(), ":\n\n");
    assert_eq!(begin.elapsed(), HEARTBEAT);
}

fn filter(query: &str) -> Result<EventFilter, RequestError> {
    EventFilter::read(&Params::of(query))
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_the_kinds_and_plugs_that_it_wants() {
    let bus = EventBus::new();
    let reading = |number: u8| {
        let data = format!(
            r#"{{"plug":"{}","at":"2026-11-22T12:00:00Z","voltage_v":null,"current_a":null,"frequency_hz":null,"power_w":1.0,"energy_wh":null,"energy_total_wh":null}}"#,
            Mac::new([number; 6])
        );
        Event::parse("reading", &data).unwrap().unwrap()
    };
    for (query, expected) in [
        ("kinds=plug", vec!["plug", "plug"]),
        (
            "kinds=plug,reading",
            vec!["plug", "reading", "plug", "reading"],
        ),
        ("plugs=020202020202", vec!["plug", "reading"]),
        (
            "plugs=02:02:02:02:02:02,030303030303&kinds=reading",
            vec!["reading"],
        ),
    ] {
        let mut stream = filtered(&bus, None, filter(query).unwrap());
        stream.next().await.unwrap();
        for number in [1, 2] {
            bus.publish(removed(number));
            bus.publish(reading(number));
        }
        let text = stream.next().await.unwrap();
        assert_eq!(fields(&text, "event"), expected, "{query}");
    }
    // Where nothing is wanted the line still beats, and the place to resume from goes on.
    let mut stream = filtered(&bus, None, filter("kinds=tariff").unwrap());
    let begin = stream.next().await.unwrap();
    bus.publish(removed(1));
    let beat = stream.next().await.unwrap();
    assert!(
        beat.starts_with(":\nid: ") && fields(&beat, "event").is_empty(),
        "{beat}"
    );
    assert_ne!(fields(&beat, "id"), fields(&begin, "id"));

    for (query, field) in [
        ("kinds=weather", "kinds"),
        ("kinds=", "kinds"),
        ("kinds=plug&kinds=rule", "kinds"),
        ("plugs=kitchen", "plugs"),
        ("plugs=", "plugs"),
    ] {
        assert_eq!(filter(query).unwrap_err().field(), Some(field), "{query}");
    }
}

/// The stream behind a socket, as the hub serves it.
#[derive(Clone)]
struct Bench {
    bus: EventBus,
    listeners: Listeners,
    cancel: CancellationToken,
}

async fn listen(State(bench): State<Bench>, headers: HeaderMap) -> Result<Response, Problem> {
    let listening = bench.listeners.listen(
        &bench.bus,
        &headers,
        EventFilter::default(),
        bench.cancel.clone(),
    );
    Ok(listening?)
}

impl Bench {
    async fn start(places: usize) -> (Self, SocketAddr) {
        let bench = Self {
            bus: EventBus::new(),
            listeners: Listeners(Arc::new(Semaphore::new(places))),
            cancel: CancellationToken::new(),
        };
        let listener = TcpListener::bind("127.74.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/events", get(listen))
            .with_state(bench.clone());
        let limits = Limits {
            write_timeout: BOUND,
            ..Limits::default()
        };
        let cancel = CancellationToken::new();
        tokio::spawn(serve_within(limits, listener, router, None, cancel));
        (bench, address)
    }

    fn free(&self) -> usize {
        self.listeners.0.available_permits()
    }
}

/// Requests the stream, and returns the response after the status line.
async fn connect(address: SocketAddr, last: Option<&str>) -> (String, BufReader<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    // So that a client that does not read is noticed after kilobytes instead of megabytes.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = BufReader::new(socket.connect(address).await.unwrap());
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    let request = format!("GET /events HTTP/1.1\r\nHost: hub\r\n{last}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut status = String::new();
    timeout(SOON, socket.read_line(&mut status))
        .await
        .unwrap()
        .unwrap();
    (status, socket)
}

/// Reads up to the next event; returns its id and name.
async fn event(socket: &mut BufReader<TcpStream>) -> (String, String) {
    let mut id = String::new();
    loop {
        let mut line = String::new();
        let count = timeout(SOON, socket.read_line(&mut line)).await.unwrap();
        assert_ne!(count.unwrap(), 0, "the stream ended");
        if let Some(value) = line.trim().strip_prefix("id: ") {
            id = value.to_owned();
        } else if let Some(name) = line.trim().strip_prefix("event: ") {
            return (id, name.to_owned());
        }
    }
}

#[tokio::test]
async fn goes_on_after_a_cut() {
    let (bench, address) = Bench::start(8).await;
    let (status, mut socket) = connect(address, None).await;
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    bench.bus.publish(removed(1));
    let (first, _) = event(&mut socket).await;
    drop(socket);
    bench.bus.publish(removed(2));
    bench.bus.publish(removed(3));
    let (_, mut socket) = connect(address, Some(&first)).await;
    bench.bus.publish(removed(4));
    let mut ids = vec![first];
    for _ in 0..3 {
        let (id, name) = event(&mut socket).await;
        assert_eq!(name, "plug");
        ids.push(id);
    }
    let numbers: Vec<&str> = ids
        .iter()
        .map(|id| id.rsplit('-').next().unwrap())
        .collect();
    assert_eq!(numbers, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_stuck_client_is_dropped_and_slows_nobody() {
    let (bench, address) = Bench::start(2).await;
    let (_, stuck) = connect(address, None).await;
    let (_, mut healthy) = connect(address, None).await;
    assert_eq!(bench.free(), 0);
    let news = Event::Problem(HubProblem {
        at: jiff::Timestamp::UNIX_EPOCH,
        plug: None,
        part: "history".to_owned(),
        solved: false,
        message: "x".repeat(50_000),
    });
    let begin = std::time::Instant::now();
    for _ in 0..300 {
        bench.bus.publish(news.clone());
        assert_eq!(event(&mut healthy).await.1, "problem");
    }
    // The healthy one has it all, whatever the stuck one does.
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    timeout(SOON, async {
        while bench.free() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the stuck client keeps its place");
    assert_eq!(bench.free(), 1);
    bench.bus.publish(news);
    assert_eq!(event(&mut healthy).await.1, "problem");
    drop(stuck);
}

#[tokio::test]
async fn there_are_so_many_places_and_no_more() {
    let (bench, address) = Bench::start(1).await;
    let (_, first) = connect(address, None).await;
    let (status, _) = connect(address, None).await;
    assert!(status.starts_with("HTTP/1.1 503 "), "{status}");
    drop(first);
    timeout(SOON, async {
        while bench.free() == 0 {
            // A connection that is gone is noticed when something is written.
            bench.bus.publish(removed(1));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let (status, _) = connect(address, None).await;
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
}

#[tokio::test]
async fn the_stream_ends_with_the_hub() {
    let (bench, address) = Bench::start(1).await;
    let (_, mut socket) = connect(address, None).await;
    bench.cancel.cancel();
    let mut rest = String::new();
    let end = timeout(SOON, async {
        // The last chunk, and not a connection cut in the middle.
        while !rest.ends_with("\r\n0\r\n\r\n") {
            let count = socket.read_line(&mut rest).await.unwrap();
            assert_ne!(count, 0, "{rest}");
        }
    });
    end.await.unwrap();
}
