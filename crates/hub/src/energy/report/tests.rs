use proptest::prelude::*;

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

fn rows(quarters: &[Quarter], tariffs: &[Tariff], by: EnergyPeriod) -> Vec<String> {
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
        rows(&quarters, &tariffs, EnergyPeriod::Day),
        [
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11-30","energy_wh":100.0,"cost":0.04,"currency":"EUR"}"#,
            r#"{"mac":"AC:CF:23:12:34:57","period":"2026-11-30","energy_wh":0.3,"cost":0.00012,"currency":"EUR"}"#,
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-12-01","energy_wh":250.0,"cost":0.1,"currency":"EUR"}"#,
        ]
    );
    assert_eq!(
        rows(&quarters[..2], &[], EnergyPeriod::Month),
        [
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11","energy_wh":100.0,"cost":null,"currency":null}"#,
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-12","energy_wh":250.0,"cost":null,"currency":null}"#,
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
        EnergyPeriod::Day,
        quarters[1].t,
        quarters[2].t,
    );
    assert_eq!(found[0].energy_wh, 1.0);
    assert!(
        report(
            quarters,
            &[],
            &TimeZone::UTC,
            EnergyPeriod::Day,
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
        let rows = report(used, &tariffs, &timezone, EnergyPeriod::Day, from, to);
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
        rows(&quarters, &tariffs, EnergyPeriod::Month),
        [
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11","energy_wh":1000.0,"cost":null,"currency":null}"#,
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11","energy_wh":3000.0,"cost":6.0,"currency":"CHF"}"#,
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11","energy_wh":2000.0,"cost":2.0,"currency":"EUR"}"#,
            r#"{"mac":"AC:CF:23:12:34:57","period":"2026-11","energy_wh":500.0,"cost":0.5,"currency":"EUR"}"#,
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
        rows(&quarters, &[market], EnergyPeriod::Day),
        [
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11-22","energy_wh":1000.0,"cost":null,"currency":null}"#,
            r#"{"mac":"AC:CF:23:12:34:56","period":"2026-11-22","energy_wh":2000.0,"cost":-0.25,"currency":"EUR"}"#,
        ]
    );
}

/// Quarter-hours of two plugs within two years.
fn used() -> impl Strategy<Value = Vec<Quarter>> {
    let begin: Timestamp = "2026-01-01T00:00Z".parse().unwrap();
    let quarter = (0..2 * 365 * 96_i64, any::<bool>(), 0..1_000_000_u32).prop_map(
        move |(number, is_kitchen, mwh)| Quarter {
            plug: if is_kitchen { KITCHEN } else { CELLAR },
            t: Timestamp::from_second(begin.as_second() + number * 900).unwrap(),
            energy_wh: f64::from(mwh) / 1000.0,
        },
    );
    prop::collection::vec(quarter, 0..60)
}

fn tariffs() -> Vec<Tariff> {
    let mut other_money = flat(
        "abroad",
        5.0,
        r#","valid_from":"2027-03-28","plugs":["accf23123457"]"#,
    );
    other_money.currency = "CHF".to_owned();
    let day_night = r#"{"name":"later","currency":"EUR","valid_from":"2026-10-25","kind":"day_night","day":0.4,"night":0.2,"day_begins":"06:00","night_begins":"22:00"}"#;
    vec![
        flat("first", 0.3, r#","valid_from":"2026-02-01""#),
        tariff(day_night),
        other_money,
    ]
}

/// Energy and cost, by plug and currency.
fn sums(rows: &[EnergyRow]) -> BTreeMap<(Mac, Option<String>), (f64, f64)> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| row.energy_wh != 0.0) {
        let sum: &mut (f64, f64) = sums.entry((row.mac, row.currency.clone())).or_default();
        sum.0 += row.energy_wh;
        sum.1 += row.cost.unwrap_or(0.0);
    }
    sums
}

proptest! {
    #[test]
    fn however_it_is_divided_it_adds_up(quarters in used(), middle in 0..2 * 365 * 96_i64) {
        let timezone = TimeZone::get("Europe/Berlin").unwrap();
        let tariffs = tariffs();
        let (from, to): (Timestamp, Timestamp) = ("2026-01-01T00:00Z".parse().unwrap(), "2028-01-01T00:00Z".parse().unwrap());
        let middle = Timestamp::from_second(from.as_second() + middle * 900).unwrap();
        let rows = |by, from, to| report(quarters.iter().copied(), &tariffs, &timezone, by, from, to);
        let whole = sums(&rows(EnergyPeriod::Month, from, to));
        let halves = [rows(EnergyPeriod::Day, from, middle), rows(EnergyPeriod::Day, middle, to)].concat();
        let parts = sums(&halves);
        prop_assert_eq!(whole.keys().collect::<Vec<_>>(), parts.keys().collect::<Vec<_>>());
        for (key, (energy, cost)) in &whole {
            prop_assert!((energy - parts[key].0).abs() < 1e-6 * (1.0 + energy), "{key:?}");
            prop_assert!((cost - parts[key].1).abs() < 1e-4, "{key:?}");
        }
        let used: f64 = quarters.iter().map(|quarter| quarter.energy_wh).sum();
        let reported: f64 = whole.values().map(|(energy, _)| energy).sum();
        prop_assert!((used - reported).abs() < 1e-6 * (1.0 + used));
        // Each quarter-hour by itself costs what it costs among the others.
        let alone: f64 = quarters
            .iter()
            .flat_map(|quarter| report([*quarter], &tariffs, &timezone, EnergyPeriod::Day, from, to))
            .filter_map(|row| row.cost)
            .sum();
        let together: f64 = whole.values().map(|(_, cost)| cost).sum();
        prop_assert!((alone - together).abs() < 1e-3);
    }
}
