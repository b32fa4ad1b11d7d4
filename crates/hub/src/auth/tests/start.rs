//! Access control at the start of a hub.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use api::ErrorKind;

use super::super::{check_listen, settings};
use super::fixture::{AuthRequest, TestHub};

const PLUGS: &str = "/api/v1/plugs";

#[tokio::test]
async fn the_first_start_makes_an_admin_token_for_its_owner_alone() {
    let fixture = TestHub::new().await;
    let mode = std::fs::metadata(fixture.admin_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fixture.admin();
    assert!(fixture.lets_in(AuthRequest::get(PLUGS).token(&first)).await);
    assert_eq!(fixture.restarted().await.admin(), first);
}

#[tokio::test]
async fn one_that_was_taken_away_is_made_anew_and_the_old_is_worth_nothing() {
    let fixture = TestHub::new().await;
    let old = fixture.admin();
    std::fs::remove_file(fixture.admin_file()).unwrap();
    let later = fixture.restarted().await;
    assert_ne!(later.admin(), old);
    assert!(!later.lets_in(AuthRequest::get(PLUGS).token(&old)).await);
    assert!(later.lets_in(AuthRequest::get(PLUGS).admin(&later)).await);
}

#[test]
fn nobody_is_served_from_elsewhere_without_a_password() {
    for address in [
        "0.0.0.0:8480",
        "[::]:8480",
        "192.168.1.5:8480",
        "[2001:db8::1]:80",
        "[::ffff:10.0.0.1]:80",
    ] {
        let listening: SocketAddr = address.parse().unwrap();
        let error = check_listen(listening, false).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Usage, Some("listen")),
            "{address}"
        );
        assert!(error.message().contains(address), "{error}");
        assert_eq!(check_listen(listening, true), Ok(()));
    }
    for address in [
        "127.0.0.1:8480",
        "127.75.0.1:0",
        "[::1]:8480",
        "[::ffff:127.0.0.1]:80",
    ] {
        assert_eq!(
            check_listen(address.parse().unwrap(), false),
            Ok(()),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_hub_does_not_start_there() {
    let fixture = TestHub::new().await;
    let open = |address: [u8; 4]| {
        let (state, memory) = (Arc::clone(&fixture.state), Arc::clone(&fixture.memory));
        TestHub::open(
            state,
            fixture.config.clone(),
            memory,
            (address, 8480).into(),
        )
    };
    let error = open([0, 0, 0, 0]).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
    fixture.set_password("correct horse").await;
    let exposed = open([0, 0, 0, 0]).await.unwrap();
    assert_eq!(exposed.auth.url(), "http://127.0.0.1:8480");
}

#[tokio::test]
async fn an_address_of_its_own_is_a_name_of_the_hub() {
    let fixture = TestHub::new().await;
    fixture.set_password("correct horse").await;
    let (state, memory) = (Arc::clone(&fixture.state), Arc::clone(&fixture.memory));
    let exposed = TestHub::open(
        state,
        fixture.config.clone(),
        memory,
        ([10, 75, 0, 1], 8480).into(),
    );
    let exposed = exposed.await.unwrap();
    for (host, is_own) in [
        ("10.75.0.1:8480", true),
        ("localhost", true),
        ("10.75.0.2:8480", false),
    ] {
        let asking = AuthRequest::get(PLUGS).admin(&exposed).with("host", host);
        assert_eq!(exposed.lets_in(asking).await, is_own, "{host}");
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let fixture = TestHub::new().await;
    let mut config = fixture.config.clone();
    config.hosts = vec!["http://nas.local".to_owned()];
    let (state, memory) = (Arc::clone(&fixture.state), Arc::clone(&fixture.memory));
    let error = TestHub::open(state, config, memory, ([127, 0, 0, 1], 1).into())
        .await
        .err();
    assert_eq!(error.unwrap().field(), Some("hosts"));
}

#[tokio::test]
async fn tokens_that_cannot_be_read_are_set_aside() {
    let fixture = TestHub::new().await;
    let write = |value: &str| {
        let mut values = fixture.memory.values.lock().unwrap();
        values.insert(settings::TOKENS.to_owned(), value.to_owned());
    };
    write("[{\"id\":7}]");
    let later = fixture.restarted().await;
    assert!(later.lets_in(AuthRequest::get(PLUGS).admin(&later)).await);
    let values = fixture.memory.values.lock().unwrap();
    assert_eq!(values[settings::UNREADABLE_TOKENS], "[{\"id\":7}]");
}
