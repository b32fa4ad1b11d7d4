//! Tariffs: every kind, their effect on the past, and the import of prices.

use axum::http::Method;

use crate::browser::Browser;
use crate::twins::in_network;
use crate::world::House;

const FLAT: [(&str, &str); 4] = [
    ("name", "home"),
    ("currency", "EUR"),
    ("kind", "flat"),
    ("price", "0,32"),
];

#[test]
fn tariffs_by_forms() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        for (fields, field) in [
            (
                &[("name", "x"), ("currency", "EUR"), ("price", "")][..],
                "price",
            ),
            (
                &[("name", "x"), ("currency", "EUR"), ("price", "cheap")],
                "price",
            ),
            (
                &[("name", "x"), ("currency", "a b"), ("price", "1")],
                "currency",
            ),
            (
                &[("name", "x"), ("currency", "EUF"), ("price", "1")],
                "currency",
            ),
            (
                &[
                    ("name", "x"),
                    ("currency", "EUR"),
                    ("price", "1"),
                    ("valid_from", "soon"),
                ],
                "valid_from",
            ),
            (
                &[
                    ("name", "x"),
                    ("currency", "EUR"),
                    ("price", "1"),
                    ("standing_charge.price", "-1"),
                ],
                "standing_charge.price",
            ),
        ] {
            let refused = browser.post("/tariffs", fields).await;
            refused.refuses(400, field);
            refused.shows(400, "value=\"x\"");
        }
        browser.post("/tariffs", &FLAT).await.leads_to("/tariffs");
        browser.get("/settings").await.shows(200, "0.32 EUR");
        let both = [
            ("name", "night"),
            ("currency", "CHF"),
            ("kind", "day_night"),
            ("day", "0.34"),
            ("night", "0.26"),
            ("day_begins", "06:00"),
            ("night_begins", "22:00"),
            ("days", "mon"),
            ("price", ""),
            ("standing_charge.price", "9.90"),
            ("standing_charge.per", "month"),
        ];
        // A plug has one price at a time: the first goes before another one comes.
        let taken = browser.post("/tariffs", &both).await;
        taken.refuses(409, "valid_from");
        let first = house.hub.tariffs().all().remove(0).id;
        let path = format!("/tariffs/{first}");
        browser
            .get(&format!("{path}/delete"))
            .await
            .shows(200, "Costs of the past stay");
        browser
            .post(&format!("{path}/delete"), &[])
            .await
            .leads_to("/tariffs");
        browser.post("/tariffs", &both).await.leads_to("/tariffs");
        browser.get("/settings").await.shows(200, "0.34 CHF");
        let stored = house.hub.tariffs().all().remove(0);
        assert!(stored.body.standing_charge.is_some());
        let editor = browser.get(&format!("/tariffs?edit={}", stored.id)).await;
        editor.shows(200, "value=\"9.9\"");
        let later: Vec<_> = both
            .iter()
            .copied()
            .chain([("valid_from", "2199-01-01"), ("revision", "1")])
            .collect();
        browser
            .post(&format!("/tariffs/{}", stored.id), &later)
            .await
            .leads_to("/tariffs");
        browser
            .get("/tariffs")
            .await
            .shows(200, "from 2199-01-01 on");
        house.close().await;
    });
}

#[test]
fn prices_come_from_a_file_or_a_text() {
    in_network(async {
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        let hourly = [
            ("name", "market"),
            ("currency", "EUR"),
            ("kind", "hourly"),
            ("otherwise", "0.3"),
        ];
        browser.post("/tariffs", &hourly).await.leads_to("/tariffs");
        let id = house.hub.tariffs().all().remove(0).id;
        let path = format!("/tariffs/{id}/prices");
        let send = async |part: &str, text: &str| {
            let body =
                format!("--x\r\ncontent-disposition: form-data; {part}\r\n\r\n{text}\r\n--x--\r\n");
            browser
                .send(
                    Method::POST,
                    &path,
                    "multipart/form-data; boundary=x",
                    &body,
                )
                .await
        };
        let file = "name=\"file\"; filename=\"a.csv\"";
        send(
            file,
            "time,price\n2026-11-23T00:00,0.2871\n2026-11-23T01:00,-0.1",
        )
        .await
        .leads_to("/tariffs");
        let json = r#"[{"t":"2026-11-24T00:00:00Z","price":0.1}]"#;
        send("name=\"prices\"", json).await.leads_to("/tariffs");
        let shown = browser.get(&format!("/tariffs?edit={id}")).await;
        shown.shows(200, "3 prices, the last from 2026-11-24T00:00:00Z.");
        for (text, message) in [
            ("time,price\n2026-11-23T00:07,1", "Line 2"),
            ("when,cost\n", "The first line of a price file is"),
            ("", "Choose a file, or paste its text."),
        ] {
            let refused = send("name=\"prices\"", text).await;
            refused.shows(400, message);
            refused.refuses(400, "prices");
            assert!(refused.html.contains(text), "{}", refused.html);
        }
        // An edit keeps the prices.
        let edited = [
            ("name", "market"),
            ("currency", "EUR"),
            ("kind", "hourly"),
            ("otherwise", ""),
        ];
        browser
            .post(&format!("/tariffs/{id}"), &edited)
            .await
            .leads_to("/tariffs");
        browser
            .get(&format!("/tariffs?edit={id}"))
            .await
            .shows(200, "3 prices");
        house.close().await;
    });
}
