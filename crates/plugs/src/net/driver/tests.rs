//! Exchanges over scripted sockets.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant as Time};

use hiflying::net::Interface;

use super::*;
use crate::net::Lan;
use crate::reco::Reco;

const OURS: Ipv4Addr = Ipv4Addr::new(127, 62, 1, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(127, 62, 1, 2);

/// An exchange over datagrams, as for an Orvibo S20: repeats the request until the second reply.
#[derive(Debug)]
struct RepeatedDatagram {
    actions: VecDeque<ExchangeAction>,
    again: Option<Time>,
    answers: Vec<Vec<u8>>,
}

impl Exchange for RepeatedDatagram {
    fn handle_open(&mut self, now: Time) {
        self.handle_timeout(now);
    }

    fn handle_input(&mut self, _now: Time, bytes: &[u8]) {
        self.answers.push(bytes.to_vec());
        if self.answers.len() == 2 {
            self.actions.push_back(ExchangeAction::Close);
        }
    }

    fn handle_closed(&mut self, _now: Time, _how: NoReplyReason) {}

    fn handle_timeout(&mut self, now: Time) {
        self.actions.push_back(ExchangeAction::Send(b"dc".to_vec()));
        self.again = Some(now + Duration::from_millis(30));
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.again
    }

    fn poll_action(&mut self) -> Option<ExchangeAction> {
        self.actions.pop_front()
    }

    fn poll_outcome(&mut self) -> Option<Result<PlugReply, ExchangeError>> {
        let [_, last] = &self.answers[..] else {
            return None;
        };
        Some(Ok(PlugReply::Version(
            String::from_utf8_lossy(last).into_owned(),
        )))
    }
}

#[tokio::test]
async fn datagrams_go_out_from_the_shared_port_and_come_back_to_it() {
    let plug = UdpSocket::bind((THEIRS, 10_000)).unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::new(127, 62, 1, 3), 0)).unwrap();
    let script = std::thread::spawn(move || {
        let mut buffer = [0; 10];
        for answer in ["echo", "sf"] {
            let (length, from) = plug.recv_from(&mut buffer).unwrap();
            assert_eq!(
                (&buffer[..length], from),
                (&b"dc"[..], (OURS, 48899).into())
            );
            stranger.send_to(b"not me", from).unwrap();
            plug.send_to(answer.as_bytes(), from).unwrap();
        }
    });
    let interface = Interface {
        name: "lo".into(),
        address: OURS,
        prefix: 24,
        peer: None,
        broadcast: Ipv4Addr::new(127, 62, 1, 255),
        loopback: true,
        up: true,
        index: 1,
    };
    let lan = Lan::open(&[interface]).await.unwrap();
    let patient = RepeatedDatagram {
        actions: [ExchangeAction::Open].into(),
        again: None,
        answers: Vec::new(),
    };
    let sent = watch::Sender::new(false);
    let route = ExchangeRoute {
        lan: &lan,
        address: THEIRS,
        family: &Reco,
        transport: PlugTransport::Udp {
            local_port: 48899,
            port: 10_000,
        },
        sent: &sent,
    };
    let mut driver = ExchangeDriver::new(Box::new(patient), route, None);
    let outcome = driver.outcome().await.unwrap();
    assert_eq!(outcome, PlugReply::Version("sf".into()));
    assert!(*sent.borrow());
    driver.finish().await.unwrap();
    script.join().unwrap();
}
