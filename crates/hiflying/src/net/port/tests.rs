//! The port on loopback addresses.

use super::*;

// Each test has addresses of its own, because they all need port 48899.

#[tokio::test]
async fn replies_arrive_and_own_echo_does_not() {
    let (ours, peers) = (Ipv4Addr::new(127, 60, 1, 1), Ipv4Addr::new(127, 60, 1, 2));
    let port = UdpPort::bind(ours).await.unwrap();
    assert!(port.is_assigned());
    let mut datagrams = port.subscribe();
    let peer = UdpSocket::bind((peers, 0)).await.unwrap();
    port.send_to(b"echo", SocketAddrV4::new(ours, PORT))
        .await
        .unwrap();
    peer.send_to(b"reply", (ours, PORT)).await.unwrap();
    let datagram = datagrams.recv().await.unwrap();
    assert_eq!(
        (datagram.from.ip(), datagram.bytes.as_slice()),
        (&peers, &b"reply"[..])
    );
}

#[tokio::test]
async fn a_taken_port_names_its_holder() {
    let address = Ipv4Addr::new(127, 60, 2, 1);
    let _holder = std::net::UdpSocket::bind((address, PORT)).unwrap();
    let error = UdpPort::bind(address).await.unwrap_err();
    let BindError::Taken {
        holder: Some(holder),
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(holder.pid, std::process::id());
    assert!(error.to_string().contains("taken by"), "{error}");
    let (port, error) = UdpPort::bind_or_ephemeral(address).await.unwrap();
    assert!(!port.is_assigned());
    assert!(matches!(error, Some(BindError::Taken { .. })));
}

#[tokio::test]
async fn a_foreign_address_is_an_error() {
    let error = UdpPort::bind(Ipv4Addr::new(192, 0, 2, 1))
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_port_that_is_given_back_is_waited_for() {
    let address = Ipv4Addr::new(127, 60, 4, 1);
    let holder = std::net::UdpSocket::bind((address, PORT)).unwrap();
    let giving_back = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(holder);
    };
    let (port, ()) = tokio::join!(UdpPort::bind(address), giving_back);
    assert!(port.unwrap().is_assigned());
}

#[tokio::test]
async fn time_spent_on_finding_the_holder_is_not_time_spent_on_waiting() {
    let mut attempts = 0;
    let bound = retry(|| {
        attempts += 1;
        // A machine with thousands of processes that has other things to do.
        std::thread::sleep(OWN_RELEASE_TIMEOUT);
        let taken = BindError::Taken {
            address: Ipv4Addr::LOCALHOST,
            port: PORT,
            holder: Some(PortHolder {
                pid: std::process::id(),
                name: holder::own_name(),
            }),
        };
        std::future::ready(if attempts > 1 { Ok(()) } else { Err(taken) })
    });
    assert!(bound.await.is_ok());
}

#[tokio::test]
async fn the_port_is_free_again_when_dropped() {
    let address = Ipv4Addr::new(127, 60, 3, 1);
    drop(UdpPort::bind(address).await.unwrap());
    assert!(UdpPort::bind(address).await.is_ok());
}
