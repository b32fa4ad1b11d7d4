//! Several holders of one port, as in several processes.

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::PORT;
use crate::net::{BindError, UdpPort};

const WITHIN: Duration = Duration::from_secs(10);

fn ours(test: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 63, test, 1)
}

fn place(directory: &TempDir, test: u8) -> SharePlace {
    SharePlace::within(&directory.path().join("run"), ours(test), PORT)
}

async fn port(directory: &TempDir, test: u8) -> UdpPort {
    let place = Some(place(directory, test));
    UdpPort::bind_at(ours(test), PORT, place).await.unwrap()
}

async fn plug(test: u8) -> UdpSocket {
    let address = Ipv4Addr::new(127, 63, test, 2);
    UdpSocket::bind((address, PORT)).await.unwrap()
}

/// Sends a datagram from each port to the plug, which replies, and checks that each port gets each reply.
async fn converse(ports: &[&UdpPort], plug: &UdpSocket) {
    let to = match plug.local_addr().unwrap() {
        std::net::SocketAddr::V4(address) => address,
        other => panic!("{other}"),
    };
    let mut receivers: Vec<_> = ports.iter().map(|port| port.subscribe()).collect();
    for (number, port) in ports.iter().enumerate() {
        let word = format!("word {number}");
        port.send_to(word.as_bytes(), to).await.unwrap();
        let mut buffer = [0; 100];
        let receiving = timeout(WITHIN, plug.recv_from(&mut buffer));
        let (length, from) = receiving.await.unwrap().unwrap();
        assert_eq!(&buffer[..length], word.as_bytes());
        assert_eq!(
            from,
            (port.address(), PORT).into(),
            "it leaves from the port"
        );
        plug.send_to(&buffer[..length], from).await.unwrap();
        for receiver in &mut receivers {
            let datagram = timeout(WITHIN, receiver.recv()).await.unwrap().unwrap();
            assert_eq!((datagram.from, &datagram.bytes[..]), (to, word.as_bytes()));
        }
    }
}

/// Repeats a datagram until the port has a new holder, and it arrives.
async fn handed_over(port: &UdpPort, plug: &UdpSocket) {
    let to = format!("{}", plug.local_addr().unwrap()).parse().unwrap();
    let mut buffer = [0; 100];
    let arrived = async {
        loop {
            let _ = port.send_to(b"again", to).await;
            if let Ok(received) =
                timeout(Duration::from_millis(50), plug.recv_from(&mut buffer)).await
            {
                return received;
            }
        }
    };
    timeout(WITHIN, arrived).await.unwrap().unwrap();
}

#[tokio::test]
async fn all_share_a_port_and_the_next_takes_it_over() {
    let directory = tempfile::tempdir().unwrap();
    let plug = plug(1).await;
    let first = port(&directory, 1).await;
    let second = port(&directory, 1).await;
    let third = port(&directory, 1).await;
    assert!(second.is_assigned());
    converse(&[&first, &second, &third], &plug).await;
    drop(first);
    handed_over(&second, &plug).await;
    handed_over(&third, &plug).await;
    // What was repeated meanwhile is read first.
    let mut buffer = [0; 100];
    while timeout(Duration::from_millis(100), plug.recv_from(&mut buffer))
        .await
        .is_ok()
    {}
    converse(&[&second, &third], &plug).await;
    let fourth = port(&directory, 1).await;
    converse(&[&third, &fourth, &second], &plug).await;
}

#[tokio::test]
async fn a_datagram_that_must_not_wait_leaves_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let plug = plug(2).await;
    let first = port(&directory, 2).await;
    let second = port(&directory, 2).await;
    let to = format!("{}", plug.local_addr().unwrap()).parse().unwrap();
    second.try_send_to(b"AT+Q\r", to).unwrap();
    drop(second);
    let mut buffer = [0; 100];
    let received = timeout(WITHIN, plug.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[..received.unwrap().0], b"AT+Q\r");
    drop(first);
}

#[tokio::test]
async fn only_this_user_can_open_it() {
    let directory = tempfile::tempdir().unwrap();
    let _port = port(&directory, 3).await;
    let path = place(&directory, 3).path();
    let listening = async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, listening).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    // It is closed to others between its making and its own mode, too, by the directory.
    let closed = async {
        while mode(&path) != 0o600 {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, closed).await.unwrap();
}

#[tokio::test]
async fn what_a_peer_sends_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let plug = plug(4).await;
    let first = port(&directory, 4).await;
    let second = port(&directory, 4).await;
    let path = place(&directory, 4).path();
    let mut to_plug = GREETING.to_vec();
    to_plug.extend([127, 63, 4, 2, 0xbf, 0x03]);
    let cut: &[&[u8]] = &[
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        GREETING,
        &to_plug,
        &[&to_plug[..], &[0xff, 0xff, 1]].concat(),
    ];
    for bytes in cut {
        let mut stranger = UnixStream::connect(&path).await.unwrap();
        let _ = stranger.write_all(bytes).await;
        let _ = stranger.shutdown().await;
        let mut rest = Vec::new();
        let _ = timeout(WITHIN, stranger.read_to_end(&mut rest))
            .await
            .unwrap();
    }
    // One that says nothing is left alone before it holds a place for ever.
    let silent = UnixStream::connect(&path).await.unwrap();
    let mut rest = Vec::new();
    let mut silent = silent;
    timeout(WITHIN, silent.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    // To nowhere, and an empty datagram.
    for address in ["0.0.0.0:0", "127.63.4.2:1"] {
        second.send_to(b"", address.parse().unwrap()).await.unwrap();
    }
    converse(&[&first, &second], &plug).await;
}

#[tokio::test]
async fn there_are_not_too_many_and_none_that_does_not_read_holds_up_another() {
    let directory = tempfile::tempdir().unwrap();
    let plug = plug(5).await;
    let first = port(&directory, 5).await;
    let path = place(&directory, 5).path();
    let second = port(&directory, 5).await;
    let mut deaf = Vec::new();
    for _ in 0..MAX_PEERS + 10 {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let _ = stream.write_all(GREETING).await;
        deaf.push(stream);
    }
    let mut served = 0;
    for stream in &mut deaf {
        let mut greeting = [0; GREETING.len()];
        let read = timeout(WITHIN, stream.read_exact(&mut greeting)).await;
        served += usize::from(read.unwrap().is_ok());
    }
    assert_eq!(served, MAX_PEERS - 1, "the second port is one of them");
    // More than fits into the sockets of those who do not read.
    for _ in 0..3000 {
        plug.send_to(&[7; 1000], (ours(5), PORT)).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut receiver = second.subscribe();
    while timeout(Duration::from_millis(300), receiver.recv())
        .await
        .is_ok()
    {}
    converse(&[&first, &second], &plug).await;
}

#[tokio::test]
async fn a_foreign_program_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let _holder = std::net::UdpSocket::bind((ours(6), PORT)).unwrap();
    let place = Some(place(&directory, 6));
    let error = UdpPort::bind_at(ours(6), PORT, place).await.unwrap_err();
    let BindError::Taken {
        holder: Some(holder),
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(holder.pid, std::process::id());
}

#[tokio::test]
async fn what_an_ended_holder_left_is_no_hindrance() {
    let directory = tempfile::tempdir().unwrap();
    let plug = plug(7).await;
    let place = place(&directory, 7);
    drop(place.listen().unwrap());
    assert!(place.path().exists());
    let first = port(&directory, 7).await;
    let second = port(&directory, 7).await;
    converse(&[&first, &second], &plug).await;
}
