//! PostgreSQL alone: what keeps the hub from using a database, partitions, a server that goes away.

use std::time::Duration;

use api::{HubRole, Period};
use hub::store::{
    Claim, ClaimKind, Claimed, Heartbeat, HistoryStore as _, PlugStore as _, Postgres,
    PostgresConfig, Retention, SettingStore as _, Store as _, StoreError,
};
use zeroize::Zeroizing;

use crate::fixture::{mac, ms, record, sample, t};
use crate::needs;
use crate::server::{PostgresServer, config};

const DAY: i64 = 86_400_000;

async fn open(config: &PostgresConfig) -> Result<Postgres, StoreError> {
    Postgres::open(config.clone(), Retention::default()).await
}

/// Returns the error of opening with all its causes, and what it says to do next.
async fn refused(config: &PostgresConfig) -> String {
    let error = open(config).await.unwrap_err();
    let inspected = Postgres::inspect(config, "password").await;
    assert!(inspected.is_err(), "{error} is not found by an inspection");
    let hint = error.refusal_hint().unwrap_or("-");
    format!("{}; {hint}", api::ErrorChain(&error))
}

#[tokio::test]
async fn an_inspection_changes_nothing() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let config = server.config(&name);
    let inspect = || Postgres::inspect(&config, "password");
    assert_eq!(inspect().await.unwrap(), None);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.execute(&name, tables), "0");
    let store = open(&config).await.unwrap();
    store.save_setting("password", Some("hash")).await.unwrap();
    assert_eq!(inspect().await.unwrap().unwrap(), "hash");
}

#[tokio::test]
async fn a_database_of_something_else_or_of_the_future_is_refused() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let foreign = server.database();
    server.execute(&foreign, "CREATE TABLE settings (key TEXT, value TEXT)");
    let error = refused(&server.config(&foreign)).await;
    let told = "cannot be opened: it holds tables of another program; name an empty database";
    assert!(error.contains(told), "{error}");
    assert!(error.contains(&foreign), "{error}");

    let newer = server.database();
    let config = server.config(&newer);
    open(&config).await.unwrap().close().await;
    let future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (1000, 'future', true, '', 0)";
    server.execute(&newer, future);
    // A hub that is upgraded later goes on beside a newer one, unless that says that it cannot.
    open(&config).await.unwrap().close().await;
    server.execute(&newer, "UPDATE lease SET oldest_schema = 1000");
    let error = open(&config).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 1000, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_the_server_refuses_is_told_without_the_password() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let port = server.port;
    server.execute(&name, "CREATE ROLE guest LOGIN PASSWORD 'right'");
    let url = |host: &str| format!("postgres://guest@{host}:{port}/{name}");
    let with = |url: String, password: &str| PostgresConfig {
        password: Some(Zeroizing::new(password.to_owned())),
        ca_file: Some(server.certificate.clone()),
        ..config(&url)
    };
    // It may come in, but not make tables.
    let guest = with(url("localhost"), "right");
    let error = open(&guest).await.unwrap_err();
    let hint = error.refusal_hint().unwrap();
    assert!(hint.contains("GRANT CREATE"), "{error:?}");
    let error = api::ErrorChain(&error).to_string();
    assert!(error.contains("permission denied"), "{error}");
    server.execute(&name, "GRANT CREATE ON SCHEMA public TO guest");
    open(&guest).await.unwrap().close().await;

    let error = refused(&with(url("localhost"), "wrong")).await;
    let told =
        "cannot be opened: password authentication failed for user \"guest\"; check the user";
    assert!(error.contains(told), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    // The certificate is for `localhost`.
    let error = refused(&with(url("127.0.0.1"), "right")).await;
    assert!(
        error.contains("not valid for name \"127.0.0.1\""),
        "{error}"
    );
    assert!(
        error.contains("; the address has to have the name"),
        "{error}"
    );
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("other.pem");
    std::fs::write(&ca_file, other.cert.pem()).unwrap();
    let error = refused(&PostgresConfig {
        ca_file: Some(ca_file),
        ..with(url("localhost"), "right")
    })
    .await;
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(error.contains("`database_ca_file`"), "{error}");
    let error = refused(&server.config("nowhere")).await;
    let told = "\"nowhere\" does not exist; make the database";
    assert!(error.contains(told), "{error}");
    let error = refused(&config("postgres://mains@127.0.0.1:1/mains")).await;
    assert_eq!(error.matches("refused").count(), 1, "{error}");
}

#[tokio::test]
async fn months_that_are_over_are_dropped_whole() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let retention = Retention {
        readings: Period::seconds(86_400),
        minutes: Period::seconds(40 * 86_400),
    };
    let config = server.config(&name);
    let store = Postgres::open(config, retention).await.unwrap();
    let begin = t("2026-09-20T00:00:15Z").as_millisecond();
    let samples: Vec<_> = (0..60)
        .map(|day| sample(1, ms(begin + day * DAY), 60.0, 0.5))
        .collect();
    store.append(&samples).await.unwrap();
    let partitions = || {
        let sql = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits \
            JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'";
        server.execute(&name, sql)
    };
    assert_eq!(
        partitions(),
        "minutes_2026_09 minutes_2026_10 minutes_2026_11 readings_2026_09 readings_2026_10 readings_2026_11"
    );
    store.tidy(ms(begin + 60 * DAY)).await.unwrap();
    assert_eq!(
        partitions(),
        "minutes_2026_10 minutes_2026_11 readings_2026_11"
    );
    let info = store.info().await.unwrap();
    assert_eq!((info.readings, info.minutes, info.quarters), (1, 40, 60));
    // What comes late makes its month again.
    store
        .append(&[sample(1, ms(begin + 1), 60.0, 0.5)])
        .await
        .unwrap();
    assert!(partitions().contains("readings_2026_09"));
    // Another program has dropped a partition: one batch fails, and is written the next time.
    server.execute(&name, "DROP TABLE readings_2026_11");
    let late = [sample(1, ms(begin + 60 * DAY), 60.0, 0.5)];
    store.append(&late).await.unwrap_err();
    store.append(&late).await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_away_is_used_again_when_it_is_back() {
    let Some(server) = needs::met(PostgresServer::start()) else {
        return;
    };
    let config = server.config(&server.database());
    let store = open(&config).await.unwrap();
    let at = t("2026-11-22T12:00:00Z").as_millisecond();
    let batch = |number: i64| [sample(1, ms(at + number * 10_000), 60.0, 0.5)];
    store.save_plug(&record(1)).await.unwrap();
    store.append(&batch(1)).await.unwrap();
    server.tell("stop");
    let error = store.append(&batch(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    server.tell("start");
    store.append(&batch(2)).await.unwrap();
    assert_eq!(store.plugs().await.unwrap(), [record(1)]);
    assert_eq!(store.recorded().await.unwrap(), [mac(1)]);
    // A restart between two batches costs nothing.
    server.tell("stop");
    server.tell("start");
    store.append(&batch(3)).await.unwrap();
    assert_eq!(store.info().await.unwrap().readings, 3);
    let log = store.close();
    tokio::time::timeout(Duration::from_secs(10), log)
        .await
        .unwrap();
}

fn heartbeat(id: &str, held: Option<u64>) -> Heartbeat {
    Heartbeat {
        id: id.to_owned(),
        url: format!("http://{id}"),
        role: HubRole::Standby,
        held,
        reaches: None,
        certificate: None,
        summary: serde_json::json!({"plugs": 3}),
    }
}

#[tokio::test]
async fn a_hub_whose_state_directory_was_lost_is_replaced_by_the_next_one_at_its_address() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let store = open(&server.config(&name)).await.unwrap();
    let shared = store.shared().unwrap();
    let beat = async |id: &str, url: &str| {
        let beat = Heartbeat {
            url: url.to_owned(),
            ..heartbeat(id, None)
        };
        let site = shared.beat(&beat).await.unwrap();
        let hubs = site.hubs.into_iter().map(|hub| hub.id);
        hubs.collect::<Vec<String>>()
    };
    for (url, hubs) in [
        ("http://10.0.0.1:8480", &["new"][..]),
        ("http://127.0.0.1:8480", &["new", "old"]),
        ("https://[::1]:8480", &["new", "old"]),
    ] {
        server.execute(&name, "DELETE FROM hubs");
        beat("old", url).await;
        assert_eq!(beat("new", url).await, ["new", "old"], "{url}: both run");
        server.execute(
            &name,
            "UPDATE hubs SET seen = now() - interval '16 s' WHERE id = 'old'",
        );
        assert_eq!(beat("new", url).await, hubs, "{url}");
        assert_eq!(
            beat("other", "http://10.0.0.2:8480").await.len(),
            hubs.len() + 1
        );
    }
    let known = shared.hubs().await.unwrap();
    assert_eq!(known.len(), 3, "{known:?}");
}

#[tokio::test]
async fn one_hub_has_the_lease_and_what_it_lost_is_fenced() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let config = server.config(&name);
    let (first, second) = (open(&config).await.unwrap(), open(&config).await.unwrap());
    let (a, b) = (first.shared().unwrap(), second.shared().unwrap());
    let free = a.beat(&heartbeat("a", None)).await.unwrap();
    assert_eq!((free.lease.holder.clone(), free.seen_before), (None, None));
    let seen = b.beat(&heartbeat("b", None)).await.unwrap();
    assert_eq!(seen.hubs.len(), 2);
    assert_eq!(seen.hubs[0].summary["plugs"], 3);
    let number = a.take("a", &free.lease, 0).await.unwrap().unwrap();
    assert_eq!(b.take("b", &seen.lease, 0).await.unwrap(), None);
    a.fence(Some(number)).unwrap();
    first.save_plug(&record(1)).await.unwrap();
    let renewed = a.beat(&heartbeat("a", Some(number))).await.unwrap();
    assert!(renewed.is_renewed && !renewed.lease.is_over);

    let claim = |resumes| Claim {
        kind: ClaimKind::Schedule,
        id: "s-00000001".parse().unwrap(),
        due: t("2026-11-22T12:00:00Z"),
        resumes,
    };
    assert_eq!(a.claim(number, &claim(false)).await.unwrap(), Claimed::New);
    assert_eq!(
        a.claim(number, &claim(false)).await.unwrap(),
        Claimed::Taken
    );
    // The reply to the first may have been lost, as when the server restarts.
    assert_eq!(
        a.claim(number, &claim(true)).await.unwrap(),
        Claimed::Resumed
    );
    a.release("a", number).await.unwrap();
    let seen = b.beat(&heartbeat("b", None)).await.unwrap();
    let next = b.take("b", &seen.lease, number).await.unwrap().unwrap();
    assert!(next > number);
    // The first does not know yet.
    let error = first.save_plug(&record(2)).await.unwrap_err();
    assert!(
        api::ErrorChain(&error)
            .to_string()
            .contains("another hub of this site is active")
    );
    assert!(
        !a.beat(&heartbeat("a", Some(number)))
            .await
            .unwrap()
            .is_renewed
    );
    assert_eq!(a.claim(number, &claim(true)).await.unwrap(), Claimed::Taken);
    assert_eq!(b.claim(next, &claim(false)).await.unwrap(), Claimed::Taken);
    assert_eq!(b.claim(next, &claim(true)).await.unwrap(), Claimed::Resumed);
    // A batch of readings counts whoever writes it.
    let at = t("2026-11-22T12:00:00Z").as_millisecond();
    first.append(&[sample(1, ms(at), 60.0, 0.5)]).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_somebody_has_edited_is_had_again() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let store = open(&server.config(&name)).await.unwrap();
    let shared = store.shared().unwrap();
    let mut highest = 0;
    for edit in [
        "DELETE FROM lease",
        "UPDATE lease SET until = 'infinity', holder = 'x', number = 9223372036854775807",
        "UPDATE lease SET until = '-infinity', holder = '', number = -5",
    ] {
        server.execute(&name, edit);
        let site = shared.beat(&heartbeat("a", Some(highest))).await.unwrap();
        assert!(!site.is_renewed, "{edit}");
        let number = shared
            .take("a", &site.lease, highest)
            .await
            .unwrap()
            .unwrap();
        assert!(number > highest && number < 1_000, "{edit}: {number}");
        highest = number;
    }
}

#[tokio::test]
async fn a_change_is_told_to_the_other_hubs() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let config = server.config(&server.database());
    let (first, second) = (open(&config).await.unwrap(), open(&config).await.unwrap());
    let heard = async {
        let shared = second.shared().unwrap();
        loop {
            if shared.next_change().await.unwrap() == "plugs" {
                return;
            }
        }
    };
    let telling = async {
        loop {
            first.save_plug(&record(1)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        heard = tokio::time::timeout(Duration::from_secs(10), heard) => heard.unwrap(),
        () = telling => {}
    }
}

#[tokio::test]
async fn sites_in_one_database_do_not_see_each_other() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let of_site = |site: &str| PostgresConfig {
        site: site.parse().unwrap(),
        ..server.config(&name)
    };
    let alone = open(&server.config(&name)).await.unwrap();
    assert_eq!(alone.other_sites().await.unwrap(), []);
    let berlin = open(&of_site("berlin")).await.unwrap();
    let berlin_2 = open(&of_site("berlin-2")).await.unwrap();
    for (number, store) in (1..).zip([&alone, &berlin, &berlin_2]) {
        store.save_plug(&record(number)).await.unwrap();
        let day = t("2026-11-01T00:00:00Z").as_millisecond();
        let reading = sample(number, ms(day), 60.0, 0.1);
        store.append(&[reading]).await.unwrap();
        store.save_setting("whose", Some("own")).await.unwrap();
    }
    for (number, store) in (1..).zip([&alone, &berlin, &berlin_2]) {
        assert_eq!(store.plugs().await.unwrap(), [record(number)]);
        assert_eq!(store.recorded().await.unwrap(), [mac(number)]);
    }
    let schemas = "SELECT string_agg(schemaname, ' ' ORDER BY schemaname) FROM pg_tables WHERE tablename = 'plugs'";
    let found = server.execute(&name, schemas);
    assert_eq!(found, "public site_berlin site_berlin_2");

    // What a site sees of the others, and that it cannot change them.
    let others = async |store: &Postgres| {
        let sites = store.other_sites().await.unwrap().into_iter();
        let names = sites.map(|other| other.site.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(others(&alone).await, ["berlin", "berlin-2"]);
    assert_eq!(others(&berlin).await, ["", "berlin-2"]);
    // It takes no connection for each of them.
    let connections = || {
        server.execute(
            &name,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
        )
    };
    let before = connections();
    let mut plugs = alone.plugs_of_other_sites().await.unwrap();
    plugs.sort();
    let of = |number, site: &str| (mac(number), site.parse().unwrap());
    assert_eq!(plugs, [of(2, "berlin"), of(3, "berlin-2")]);
    let mut plugs = berlin.plugs_of_other_sites().await.unwrap();
    plugs.sort();
    assert_eq!(plugs, [of(1, ""), of(3, "berlin-2")]);
    assert_eq!(connections(), before);
    let reader = alone.site_reader(&"berlin-2".parse().unwrap()).unwrap();
    assert_eq!(reader.plugs().await.unwrap(), [record(3)]);
    let error = reader.save_setting("whose", None).await.unwrap_err();
    let error = api::ErrorChain(&error).to_string();
    assert!(error.contains("read-only transaction"), "{error}");
    let unnamed = berlin.site_reader(&api::SiteName::default()).unwrap();
    assert_eq!(unnamed.plugs().await.unwrap(), [record(1)]);
    // A later start finds its own.
    drop(berlin);
    let berlin = open(&of_site("berlin")).await.unwrap();
    assert_eq!(berlin.plugs().await.unwrap(), [record(2)]);
}

#[tokio::test]
async fn a_user_may_be_limited_to_one_site() {
    let Some(server) = needs::met(PostgresServer::shared()) else {
        return;
    };
    let name = server.database();
    let hamburg = PostgresConfig {
        site: "hamburg".parse().unwrap(),
        ..server.config(&name)
    };
    open(&hamburg).await.unwrap().close().await;
    server.execute(
        &name,
        "CREATE ROLE berlin LOGIN; CREATE SCHEMA site_berlin AUTHORIZATION berlin",
    );
    let as_berlin = |site: &str| {
        let url = hamburg.url.to_string().replace("mains@", "berlin@");
        PostgresConfig {
            site: site.parse().unwrap(),
            ..config(&url)
        }
    };
    let store = open(&as_berlin("berlin")).await.unwrap();
    store.save_plug(&record(1)).await.unwrap();
    assert_eq!(store.other_sites().await.unwrap(), []);
    assert_eq!(store.plugs_of_other_sites().await.unwrap(), []);
    let error = open(&as_berlin("munich")).await.unwrap_err();
    let error = api::ErrorChain(&error).to_string();
    assert!(error.contains("permission denied"), "{error}");
    let remedy = "`CREATE SCHEMA site_munich AUTHORIZATION \"berlin\"`";
    assert!(error.contains(remedy), "{error}");
    // It would be a line of the server's source.
    assert!(!error.contains("at line"), "{error}");
}
