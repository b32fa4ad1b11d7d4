use super::*;

const KITCHEN: Mac = Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x56]);
const CELLAR: Mac = Mac::new([0xAC, 0xCF, 0x23, 0x12, 0x34, 0x57]);

fn quarter(plug: Mac, t: &str, energy_wh: f64) -> Quarter {
    Quarter {
        plug,
        t: t.parse().unwrap(),
        energy_wh,
    }
}

fn tariff(json: &str) -> Tariff {
    serde_json::from_str(json).unwrap()
}

fn flat(name: &str, price: f64, more: &str) -> Tariff {
    tariff(&format!(
        r#"{{"name":"{name}","currency":"EUR","kind":"flat","price":{price}{more}}}"#
    ))
}

fn rows(quarters: &[Quarter], tariffs: &[Tariff], by: By) -> Vec<String> {
    let timezone = TimeZone::get("Europe/Berlin").unwrap();
    let (from, to) = (Timestamp::UNIX_EPOCH, "2199-12-31T00:00Z".parse().unwrap());
    let rows = report(quarters.iter().copied(), tariffs, &timezone, by, from, to);
    rows.iter()
        .map(|row| serde_json::to_string(row).unwrap())
        .collect()
}

#[test]
fn by_local_day_and_month() {
    let quarters = [
        quarter(KITCHEN, "2026-11-30T22:45Z", 100.0),
        quarter(KITCHEN, "2026-11-30T23:00Z", 250.0),
        quarter(CELLAR, "2026-11-30T22:30Z", 0.1),
        quarter(CELLAR, "2026-11-30T22:45Z", 0.2),
    ];
    let tariffs = [flat("home", 0.4, "")];
    assert_eq!(
        rows(&quarters, &tariffs, By::Day),
        [
            r#"{"mac":"accf23123456","period":"2026-11-30","energy_wh":100.0,"cost":0.04,"currency":"EUR"}"#,
            r#"{"mac":"accf23123457","period":"2026-11-30","energy_wh":0.3,"cost":0.00012,"currency":"EUR"}"#,
            r#"{"mac":"accf23123456","period":"2026-12-01","energy_wh":250.0,"cost":0.1,"currency":"EUR"}"#,
        ]
    );
    assert_eq!(
        rows(&quarters[..2], &[], By::Month),
        [
            r#"{"mac":"accf23123456","period":"2026-11","energy_wh":100.0,"cost":null,"currency":null}"#,
            r#"{"mac":"accf23123456","period":"2026-12","energy_wh":250.0,"cost":null,"currency":null}"#,
        ]
    );
}

#[test]
fn the_range_is_from_until_before() {
    let quarters = ["10:00", "10:15", "10:30"]
        .map(|time| quarter(KITCHEN, &format!("2026-11-22T{time}Z"), 1.0));
    let found = report(
        quarters,
        &[],
        &TimeZone::UTC,
        By::Day,
        quarters[1].t,
        quarters[2].t,
    );
    assert_eq!(found[0].energy_wh, 1.0);
    assert!(
        report(
            quarters,
            &[],
            &TimeZone::UTC,
            By::Day,
            quarters[2].t,
            quarters[0].t
        )
        .is_empty()
    );
}

#[test]
fn the_nearer_and_the_later_tariff_holds() {
    let tariffs = [
        flat("old", 1.0, ""),
        flat("new", 2.0, r#","valid_from":"2026-06-01""#),
        flat("cellar", 3.0, r#","plugs":["accf23123457"]"#),
        flat(
            "cellar next year",
            4.0,
            r#","plugs":["accf23123457"],"valid_from":"2027-01-01""#,
        ),
    ];
    for (plug, time, cost) in [
        (KITCHEN, "2026-05-31T21:45Z", 1.0),
        // Midnight in Berlin.
        (KITCHEN, "2026-05-31T22:00Z", 2.0),
        (KITCHEN, "2027-05-31T22:00Z", 2.0),
        (CELLAR, "2026-05-31T21:45Z", 3.0),
        (CELLAR, "2026-12-31T22:45Z", 3.0),
        (CELLAR, "2026-12-31T23:00Z", 4.0),
    ] {
        let timezone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let used = [quarter(plug, time, 1000.0)];
        let rows = report(used, &tariffs, &timezone, By::Day, from, to);
        assert_eq!(rows[0].cost, Some(cost), "{plug} {time}");
    }
}

#[test]
fn what_has_no_price_and_other_money_are_rows_of_their_own() {
    let mut swiss = flat("move", 2.0, r#","valid_from":"2026-11-20""#);
    swiss.currency = "CHF".to_owned();
    let tariffs = [flat("first", 1.0, r#","valid_from":"2026-11-10""#), swiss];
    let quarters = [
        quarter(KITCHEN, "2026-11-05T12:00Z", 1000.0),
        quarter(KITCHEN, "2026-11-15T12:00Z", 2000.0),
        quarter(KITCHEN, "2026-11-25T12:00Z", 3000.0),
        quarter(CELLAR, "2026-11-05T12:00Z", 0.0),
        quarter(CELLAR, "2026-11-15T12:00Z", 500.0),
    ];
    assert_eq!(
        rows(&quarters, &tariffs, By::Month),
        [
            r#"{"mac":"accf23123456","period":"2026-11","energy_wh":1000.0,"cost":null,"currency":null}"#,
            r#"{"mac":"accf23123456","period":"2026-11","energy_wh":3000.0,"cost":6.0,"currency":"CHF"}"#,
            r#"{"mac":"accf23123456","period":"2026-11","energy_wh":2000.0,"cost":2.0,"currency":"EUR"}"#,
            r#"{"mac":"accf23123457","period":"2026-11","energy_wh":500.0,"cost":0.5,"currency":"EUR"}"#,
        ]
    );
}

#[test]
fn market_prices_can_be_negative() {
    let market = tariff(
        r#"{"name":"m","currency":"EUR","kind":"hourly","prices":[{"t":"2026-11-22T10:00:00Z","price":-0.5},{"t":"2026-11-22T10:15:00Z","price":0.25}]}"#,
    );
    let quarters = [
        quarter(KITCHEN, "2026-11-22T10:00Z", 1000.0),
        quarter(KITCHEN, "2026-11-22T10:15Z", 1000.0),
        quarter(KITCHEN, "2026-11-22T11:15Z", 1000.0),
    ];
    assert_eq!(
        rows(&quarters, &[market], By::Day),
        [
            r#"{"mac":"accf23123456","period":"2026-11-22","energy_wh":1000.0,"cost":null,"currency":null}"#,
            r#"{"mac":"accf23123456","period":"2026-11-22","energy_wh":2000.0,"cost":-0.25,"currency":"EUR"}"#,
        ]
    );
}
