//! A connection that is kept between commands, with a scripted plug.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hiflying::Mac;
use jiff::Timestamp;
use plugs::net::{ContactError, Lan, PlugHandle, PlugObserver};
use plugs::{FamilyId, Minutes, Plug, RelayState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{BUDGET, host, interface};

const METER: &[u8] = b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n";

/// The plug's reaction to a command.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Say(&'static [u8]),
    /// Replies, and sends another text this many milliseconds later.
    SayTwice(&'static [u8], u64, &'static [u8]),
    /// Replies and closes the connection.
    SayAndClose(&'static [u8]),
    Close,
}

/// A plug that follows a script over all its connections, and repeats its last line.
struct Scripted {
    connections: Arc<AtomicUsize>,
    /// Number of commands that it has handled.
    done: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most_open: Arc<AtomicUsize>,
    handle: PlugHandle,
    observed: Arc<ConnectionLog>,
}

/// The observed connection of a task.
#[derive(Debug, Default)]
struct ConnectionLog {
    open: AtomicUsize,
    lost: AtomicUsize,
}

impl PlugObserver for ConnectionLog {
    fn connection_changed(&self, is_open: bool) {
        self.open.store(usize::from(is_open), Ordering::Relaxed);
    }

    fn connection_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Scripted {
    async fn start(network: u8, script: Vec<Reply>) -> Self {
        let address = host(network, 2);
        let listener = TcpListener::bind((address, 8899)).await.unwrap();
        let [connections, open, most_open, next, done]: [Arc<AtomicUsize>; 5] = Default::default();
        let lan = Lan::open(&[interface(network)]).await.unwrap();
        let observed = Arc::new(ConnectionLog::default());
        let observer = Arc::clone(&observed) as Arc<dyn PlugObserver>;
        let (task, handle) = lan.reported_plug(plug_at(address));
        tokio::spawn(task.observed_by(observer).run());
        let plug = Self {
            connections: Arc::clone(&connections),
            done: Arc::clone(&done),
            open: Arc::clone(&open),
            most_open: Arc::clone(&most_open),
            handle,
            observed,
        };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let now_open = open.fetch_add(1, Ordering::Relaxed) + 1;
                most_open.fetch_max(now_open, Ordering::Relaxed);
                let (open, script) = (Arc::clone(&open), script.clone());
                let (next, done) = (Arc::clone(&next), Arc::clone(&done));
                tokio::spawn(async move {
                    serve(stream, &next, &done, &script).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        plug
    }

    /// Commands whose reply is an acknowledgement.
    async fn delays(&self) {
        let minutes = Minutes::MIN;
        self.handle
            .delay(RelayState::Off, minutes, BUDGET)
            .await
            .unwrap();
    }

    async fn meters(&self) {
        let reading = self.handle.meter(BUDGET).await.unwrap();
        assert_eq!(reading.energy_wh, Some(3548));
    }

    fn is_open(&self) -> bool {
        self.observed.open.load(Ordering::Relaxed) == 1
    }

    /// Returns the number of lost connections since the last call.
    fn take_lost(&self) -> usize {
        self.observed.lost.swap(0, Ordering::Relaxed)
    }

    fn connections(&self) -> usize {
        assert!(self.most_open.load(Ordering::Relaxed) <= 1, "two at once");
        self.connections.load(Ordering::Relaxed)
    }
}

fn plug_at(address: Ipv4Addr) -> Plug {
    Plug::new(
        Mac::new([0xAC, 0xCF, 0x23, 1, 2, 3]),
        FamilyId::RECO,
        address,
        Timestamp::UNIX_EPOCH,
    )
}

/// Waits until a counter reaches a value.
async fn comes_to(counter: &AtomicUsize, expected: usize) {
    let waiting = async {
        while counter.load(Ordering::Relaxed) != expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(BUDGET, waiting).await.unwrap();
}

async fn serve(mut stream: TcpStream, next: &AtomicUsize, done: &AtomicUsize, script: &[Reply]) {
    let mut buffer = [0; 100];
    while let Ok(1..) = stream.read(&mut buffer).await {
        let line = next.fetch_add(1, Ordering::Relaxed).min(script.len() - 1);
        let said = match script[line] {
            Reply::Say(bytes) => stream.write_all(bytes).await,
            Reply::SayTwice(first, pause, second) => {
                stream.write_all(first).await.unwrap();
                tokio::time::sleep(Duration::from_millis(pause)).await;
                stream.write_all(second).await
            }
            Reply::SayAndClose(bytes) => {
                stream.write_all(bytes).await.unwrap();
                return;
            }
            Reply::Close => return,
        };
        done.fetch_add(1, Ordering::Relaxed);
        if said.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_hundred_orders_go_over_one_connection() {
    let plug = Scripted::start(80, vec![Reply::Say(METER)]).await;
    assert!(!plug.is_open());
    let start = Instant::now();
    for _ in 0..100 {
        plug.meters().await;
        assert!(plug.is_open());
    }
    // A connection for each would take 20 s, with the pauses between them.
    assert!(start.elapsed() < BUDGET, "{:?}", start.elapsed());
    assert_eq!(plug.connections(), 1);
    assert_eq!(plug.take_lost(), 0);
}

#[tokio::test]
async fn one_that_the_plug_closed_is_replaced_unseen() {
    let plug = Scripted::start(81, vec![Reply::SayAndClose(METER)]).await;
    plug.meters().await;
    comes_to(&plug.observed.lost, 1).await;
    comes_to(&plug.observed.open, 0).await;
    plug.take_lost();
    let start = Instant::now();
    for _ in 0..50 {
        plug.meters().await;
    }
    // Without the pause that a plug gets that hangs up instead of answering: that would be 10 s.
    assert!(start.elapsed() < BUDGET, "{:?}", start.elapsed());
    assert_eq!(plug.connections(), 51);
    assert!(plug.take_lost() > 0);
}

#[tokio::test]
async fn one_that_dies_under_an_order_is_replaced_unseen() {
    let mut script = vec![Reply::Say(METER)];
    script.extend([Reply::Close, Reply::Say(METER)].repeat(50));
    let plug = Scripted::start(82, script).await;
    plug.meters().await;
    let start = Instant::now();
    for replaced in 1..=50 {
        plug.meters().await;
        assert_eq!(plug.connections(), 1 + replaced);
        assert_eq!(plug.take_lost(), 1);
    }
    // With a pause before each they would take 10 s.
    assert!(start.elapsed() < BUDGET, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_late_second_line_is_not_the_answer_to_the_next_order() {
    let late = Reply::SayTwice(b"+ok\r\n\r\n", 50, b"+error\r\n\r\n");
    let plug = Scripted::start(83, vec![late, Reply::Say(METER)]).await;
    plug.delays().await;
    comes_to(&plug.done, 1).await;
    plug.meters().await;
    assert_eq!(plug.connections(), 1);
}

#[tokio::test]
async fn a_line_that_comes_too_late_costs_a_second_connection_and_no_more() {
    let late = Reply::SayTwice(b"+ok\r\n\r\n", 500, b"+error\r\n\r\n");
    let plug = Scripted::start(84, vec![late, Reply::Say(METER)]).await;
    plug.delays().await;
    // Asked before the late line is there, which then looks like its answer.
    plug.meters().await;
    assert_eq!(plug.connections.load(Ordering::Relaxed), 2);
    plug.meters().await;
    assert_eq!(plug.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_answer_without_an_end_is_heard_out_before_the_next_order() {
    let mut quickest = Duration::MAX;
    // The quickest of some: one may meet a busy moment.
    for network in 90..95 {
        let script = vec![Reply::Say(b"+ok=3,22694,5007,0,0,3548,0\r\n")];
        let plug = Scripted::start(network, script).await;
        let start = Instant::now();
        plug.meters().await;
        quickest = quickest.min(start.elapsed());
        for _ in 0..2 {
            plug.meters().await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(590), "{took:?}");
        assert!(took < BUDGET, "{took:?}");
        assert_eq!(plug.connections(), 1);
        if quickest < Duration::from_millis(100) {
            return;
        }
    }
    panic!("the first is heard out as well: {quickest:?}");
}

#[tokio::test]
async fn a_refusal_is_believed_on_a_new_connection() {
    let plug = Scripted::start(86, vec![Reply::Say(METER), Reply::Say(b"+ERROR\r\n\r\n")]).await;
    plug.meters().await;
    let refused = plug.handle.meter(BUDGET).await;
    assert!(
        matches!(refused, Err(ContactError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(plug.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_order_that_is_dropped_closes_the_connection() {
    let plug = Scripted::start(
        87,
        vec![Reply::Say(METER), Reply::Say(b""), Reply::Say(METER)],
    )
    .await;
    plug.meters().await;
    let patience = Duration::from_millis(500);
    assert!(
        tokio::time::timeout(patience, plug.handle.meter(BUDGET))
            .await
            .is_err()
    );
    comes_to(&plug.observed.open, 0).await;
    plug.meters().await;
    assert_eq!(plug.connections.load(Ordering::Relaxed), 2);
    comes_to(&plug.open, 1).await;
}

#[tokio::test]
async fn a_plug_that_moves_gets_a_connection_at_its_new_address() {
    let plug = Scripted::start(88, vec![Reply::Say(METER)]).await;
    plug.meters().await;
    plug.handle.locate(Some(host(88, 2)));
    assert!(plug.is_open());
    plug.handle.locate(Some(host(88, 3)));
    comes_to(&plug.observed.open, 0).await;
    let nobody = plug.handle.meter(Duration::from_millis(300));
    assert!(nobody.await.is_err());
    assert_eq!(plug.take_lost(), 0, "it was not the plug's doing");
    plug.handle.locate(Some(host(88, 2)));
    plug.meters().await;
    assert_eq!(plug.connections(), 2);
}
