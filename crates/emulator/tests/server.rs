//! Twins on real sockets, spoken to with bare sockets as a client of another maker would.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail like tests"
)]

#[allow(
    dead_code,
    reason = "shared with other tests, which use other parts of it"
)]
#[path = "../../mains/tests/cli/needs.rs"]
mod needs;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use emulator::server::{self, ServerError, TwinReady};
use emulator::{Mode, PlugConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Time in which a further reply arrives, even on a busy machine.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
/// Bound of every wait for an event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Twins that are served until the test ends.
struct ServedTwins {
    ready: Vec<TwinReady>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServerError>>,
}

impl ServedTwins {
    async fn start(configs: Vec<PlugConfig>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
        let count = configs.len();
        let task = tokio::spawn(server::run(
            configs,
            None,
            move |one| ready.send(one).unwrap(),
            async {
                let _ = stopped.await;
            },
        ));
        let mut all = Vec::new();
        while all.len() < count {
            all.push(is_ready.recv().await.expect("the server ended early"));
        }
        Self {
            ready: all,
            stop: Some(stop),
            task,
        }
    }

    async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap().unwrap();
    }
}

fn plug(address: [u8; 4], faults: &[&str]) -> PlugConfig {
    let mut config = PlugConfig::at(address.into());
    config.faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
    config
}

/// A client on its own address, with the port on which an SP-2 answers.
fn client(address: [u8; 4]) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddrV4::new(address.into(), 48899)).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
    socket
}

fn ask(socket: &UdpSocket, to: [u8; 4], bytes: &[u8]) -> Vec<String> {
    socket
        .send_to(bytes, SocketAddrV4::new(to.into(), 48899))
        .unwrap();
    listen(socket)
}

fn listen(socket: &UdpSocket) -> Vec<String> {
    let mut buffer = [0; 2048];
    let mut replies = Vec::new();
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        replies.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    replies
}

/// Scans for a plug until it answers.
fn scanned_at_last(socket: &UdpSocket, address: [u8; 4]) -> Vec<String> {
    let deadline = Instant::now() + EVENT_TIMEOUT;
    loop {
        let replies = ask(socket, address, b"YZ-RECOSCAN");
        if !replies.is_empty() {
            return replies;
        }
        assert!(Instant::now() < deadline, "the plug does not come back");
    }
}

fn tcp(address: [u8; 4], chunk: &[u8]) -> std::io::Result<String> {
    let target = SocketAddrV4::new(address.into(), 8899);
    let mut stream = TcpStream::connect_timeout(&target.into(), Duration::from_secs(2))?;
    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
    stream.write_all(chunk)?;
    let mut reply = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => reply.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Runs the blocking client beside the server.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn unicast_and_broadcast_reach_every_twin() {
    let served =
        ServedTwins::start([2, 3, 4].map(|last| plug([127, 80, 1, last], &[])).to_vec()).await;
    let macs: Vec<_> = served
        .ready
        .iter()
        .map(|ready| ready.mac.to_string())
        .collect();
    assert_eq!(
        macs,
        [
            "AC:CF:23:50:01:02",
            "AC:CF:23:50:01:03",
            "AC:CF:23:50:01:04"
        ]
    );
    beside(|| {
        let socket = client([127, 80, 1, 1]);
        let one = ask(&socket, [127, 80, 1, 3], b"YZ-RECOSCAN");
        assert_eq!(one, ["127.80.1.3,ACCF23500103,905243139,0,0,"]);
        let mut all = ask(&socket, [127, 255, 255, 255], b"HF-A11ASSISTHREAD");
        all.retain(|reply| reply.starts_with("127.80.1."));
        all.sort();
        let expected = [2, 3, 4].map(|d| format!("127.80.1.{d},ACCF2350010{d},HF-LPB100"));
        assert_eq!(all, expected);
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn a_plug_is_switched_over_tcp() {
    let served = ServedTwins::start(vec![plug([127, 80, 2, 2], &[])]).await;
    beside(|| {
        let address = [127, 80, 2, 2];
        assert_eq!(
            tcp(address, b"AT+YZSWITCH=1,ON,201704031153").unwrap(),
            "+ok\r\n\r\n"
        );
        let socket = client([127, 80, 2, 1]);
        assert_eq!(
            ask(&socket, address, b"YZ-RECOSCAN"),
            ["127.80.2.2,ACCF23500202,905243394,0,1,"]
        );
        assert!(
            tcp(address, b"AT+YZOUT\r\n")
                .unwrap()
                .starts_with("+ok=0,2")
        );
        assert_eq!(tcp(address, b"hello\r\n").unwrap(), "+ERROR\r\n\r\n");
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn a_restart_is_silence_and_refused_connections_until_it_is_over() {
    let served = ServedTwins::start(vec![plug(
        [127, 80, 3, 2],
        &["restart=5s", "association=300ms"],
    )])
    .await;
    beside(|| {
        let address = [127, 80, 3, 2];
        let socket = client([127, 80, 3, 1]);
        let mut open = TcpStream::connect((Ipv4Addr::from(address), 8899)).unwrap();
        assert_eq!(ask(&socket, address, b"HF-A11ASSISTHREAD").len(), 1);
        assert_eq!(ask(&socket, address, b"+ok").len(), 0);
        assert_eq!(ask(&socket, address, b"AT+Z\r").len(), 0);
        assert_eq!(ask(&socket, address, b"YZ-RECOSCAN").len(), 0);
        assert!(
            tcp(address, b"AT+VER\r\n").is_err(),
            "TCP answers while the plug restarts"
        );
        let dead = open.read(&mut [0; 8]).unwrap_err();
        assert_eq!(dead.kind(), std::io::ErrorKind::ConnectionReset);
        scanned_at_last(&socket, address);
        assert!(tcp(address, b"AT+VER\r\n").unwrap().starts_with("+ok=1.0"));
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn a_plug_that_joins_turns_up_at_its_new_address_alone() {
    let mut config = plug([127, 80, 4, 2], &["restart=100ms", "association=100ms"]);
    config.mode = Mode::Ap;
    config.home_address = Some(Ipv4Addr::new(127, 80, 4, 77));
    config.home_networks = vec!["Home:secret-key".parse().unwrap()];
    let served = ServedTwins::start(vec![config]).await;
    beside(|| {
        let (old, new) = ([127, 80, 4, 2], [127, 80, 4, 77]);
        let socket = client([127, 80, 4, 1]);
        assert_eq!(ask(&socket, new, b"YZ-RECOSCAN").len(), 0);
        assert!(tcp(new, b"AT+VER\r\n").is_err());
        for datagram in [
            "HF-A11ASSISTHREAD",
            "+ok",
            "AT+WSSSID=Home\r",
            "AT+WSKEY=WPA2PSK,AES,secret-key\r",
            "AT+WMODE=STA\r",
            "AT+Z\r",
        ] {
            ask(&socket, old, datagram.as_bytes());
        }
        assert_eq!(
            scanned_at_last(&socket, new),
            ["127.80.4.77,ACCF23500402,905243906,0,0,"]
        );
        assert_eq!(ask(&socket, old, b"YZ-RECOSCAN").len(), 0);
        assert!(tcp(old, b"AT+VER\r\n").is_err());
        assert!(tcp(new, b"AT+VER\r\n").unwrap().starts_with("+ok"));
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn connections_meet_the_faults_of_the_plug() {
    let first = plug([127, 80, 5, 2], &["busy"]);
    let second = plug([127, 80, 5, 3], &["half-open"]);
    let third = plug([127, 80, 5, 4], &["babble"]);
    let fourth = plug([127, 80, 5, 5], &["reset"]);
    let served = ServedTwins::start(vec![first, second, third, fourth]).await;
    beside(|| {
        let refused = tcp([127, 80, 5, 2], b"AT+VER\r\n").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(tcp([127, 80, 5, 3], b"AT+VER\r\n").unwrap(), "");
        let reset = tcp([127, 80, 5, 5], b"AT+VER\r\n").unwrap_err();
        assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
        let mut babble = TcpStream::connect((Ipv4Addr::new(127, 80, 5, 4), 8899)).unwrap();
        let mut heard = vec![0; 20_000];
        babble
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        babble.read_exact(&mut heard).unwrap();
        assert!(!heard.contains(&b'\n') && !heard.contains(&b'\r'));
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn the_sixth_client_is_sent_away() {
    let served = ServedTwins::start(vec![plug([127, 80, 6, 2], &[])]).await;
    beside(|| {
        let address = (Ipv4Addr::new(127, 80, 6, 2), 8899);
        let _five: Vec<_> = (0..5)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        // The first five are surely admitted once the last of them was answered.
        let mut sixth = TcpStream::connect(address).unwrap();
        sixth
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        assert!(!matches!(sixth.read(&mut [0; 8]), Ok(length) if length > 0));
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn the_web_page_asks_for_a_login_and_has_nothing() {
    let served = ServedTwins::start(vec![plug([127, 80, 7, 2], &[])]).await;
    if !served.ready[0].http {
        needs::skip("port 80 needs a privilege");
        return served.stop().await;
    }
    beside(|| {
        let get = |header: &str| {
            let mut stream = TcpStream::connect((Ipv4Addr::new(127, 80, 7, 2), 80)).unwrap();
            write!(
                stream,
                "GET / HTTP/1.1\r\nHost: plug\r\nConnection: close\r\n{header}\r\n"
            )
            .unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).unwrap();
            reply
        };
        let denied = get("");
        assert!(
            denied.starts_with("HTTP/1.1 401") && denied.contains("Basic realm=\"HF-LPB100\""),
            "{denied}"
        );
        let found = get("Authorization: Basic QURNSU46QURNSU4=\r\n");
        assert!(
            found.starts_with("HTTP/1.1 404") && found.ends_with("ERROR:404 Not Found"),
            "{found}"
        );
        assert!(get("Authorization: Basic QURNSU46d3Jvbmc=\r\n").starts_with("HTTP/1.1 401"));
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let address = Ipv4Addr::new(127, 80, 8, 2);
    let run = || server::run(vec![PlugConfig::at(address)], None, |_| {}, async {});
    let udp = UdpSocket::bind((address, 48899)).unwrap();
    let error = run().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "UDP port 48899 on 127.80.8.2 is taken by another program"
    );
    drop(udp);
    let tcp = std::net::TcpListener::bind((address, 8899)).unwrap();
    let error = run().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "TCP port 8899 on 127.80.8.2 is taken by another program"
    );
    drop(tcp);
    run().await.unwrap();
}

#[tokio::test]
async fn a_second_emulator_hears_broadcasts_as_well_but_cannot_have_the_same_address() {
    let first = ServedTwins::start(vec![plug([127, 80, 9, 2], &[])]).await;
    let second = ServedTwins::start(vec![plug([127, 80, 9, 3], &[])]).await;
    let third = server::run(vec![plug([127, 80, 9, 2], &[])], None, |_| {}, async {}).await;
    assert!(
        matches!(third, Err(ServerError::Taken { port: 48899, .. })),
        "{third:?}"
    );
    let found = beside(|| {
        let socket = client([127, 80, 9, 1]);
        let mut found = ask(&socket, [127, 255, 255, 255], b"YZ-RECOSCAN");
        found.retain(|reply| reply.starts_with("127.80.9."));
        found.len()
    })
    .await;
    assert_eq!(found, 2);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn addresses_that_cannot_be_are_refused() {
    let elsewhere = server::run(vec![plug([192, 0, 2, 7], &[])], None, |_| {}, async {}).await;
    assert!(
        matches!(elsewhere, Err(ServerError::NotLocal { .. })),
        "{elsewhere:?}"
    );
    let twice = vec![plug([127, 80, 10, 2], &[]), plug([127, 80, 10, 2], &[])];
    let twice = server::run(twice, None, |_| {}, async {}).await;
    assert!(matches!(twice, Err(ServerError::Twice { .. })), "{twice:?}");
}
