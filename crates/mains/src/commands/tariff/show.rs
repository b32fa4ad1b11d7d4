//! Tariffs for people.

use api::Collection;
use serde_json::Value;

use crate::commands::documents::names::Names;
use crate::commands::documents::people::{self, Clock, Line, figure, text};
use crate::commands::documents::{Document, Shown};
use crate::ui::BOLD;
use crate::ui::table::{Cell, Column, Table};

/// How tariffs are shown.
#[derive(Debug)]
pub(super) struct Tariffs;

impl Shown for Tariffs {
    const COLLECTION: Collection = Collection::Tariffs;

    fn table(documents: &[Document], names: &Names, _clock: &Clock) -> String {
        let mut table = Table::new([
            Column::text("NAME", 0),
            Column::text("PRICE OF A KWH", 0),
            Column::text("PLUGS", 0),
            Column::text("FROM", 0),
        ]);
        for document in documents {
            table.row([
                Cell::styled(BOLD, text(document, "name")),
                Cell::plain(price(document)),
                Cell::plain(plugs(document, names)),
                Cell::maybe(valid_from(document)),
            ]);
        }
        table.render()
    }

    fn details(document: &Document, names: &Names, clock: &Clock) -> Vec<Line> {
        let mut lines = people::heading(document);
        lines.extend([
            Line::new("kind", text(document, "kind")),
            Line::new("price", price(document)),
            Line::new("plugs", plugs(document, names)),
            Line::maybe("from", valid_from(document)),
        ]);
        if let Some(prices) = document.get("prices").and_then(Value::as_array) {
            let at = |price: Option<&Value>| clock.of(price.and_then(|price| price.get("t")));
            let known = match (at(prices.first()), at(prices.last())) {
                (Some(first), Some(last)) => Some(format!("{first} to {last}")),
                _ => None,
            };
            lines.push(Line::maybe("known", known));
        }
        lines
    }
}

fn plugs(document: &Document, names: &Names) -> String {
    match names.list(document.get("plugs").unwrap_or(&Value::Null)) {
        none if none.is_empty() => "all".to_owned(),
        some => some,
    }
}

fn valid_from(document: &Document) -> Option<String> {
    let date = text(document, "valid_from");
    (!date.is_empty()).then(|| date.to_owned())
}

/// Returns what a kilowatt-hour costs, as a sentence has it.
fn price(tariff: &Document) -> String {
    let currency = text(tariff, "currency");
    let price = |field| figure(tariff, field);
    match text(tariff, "kind") {
        "flat" => format!("{} {currency}", price("price")),
        "day_night" => {
            let (begin, end) = (text(tariff, "day_begins"), text(tariff, "night_begins"));
            let days = match people::days(tariff.get("days")).as_str() {
                "daily" => String::new(),
                days => format!(" {days}"),
            };
            let (day, night) = (price("day"), price("night"));
            format!("{day} {currency} {begin} to {end}{days}, else {night}")
        }
        "hourly" => {
            let count = tariff
                .get("prices")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            let otherwise = match tariff.get("otherwise") {
                None | Some(Value::Null) => String::new(),
                Some(_) => format!(", else {}", price("otherwise")),
            };
            format!("{currency} by the hour, {count} known{otherwise}")
        }
        kind => format!("{kind}, in {currency}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;
    use crate::commands::documents::people::tests::{clock, document};
    use serde_json::json;

    fn tariffs() -> Vec<Document> {
        vec![
            document(json!({
                "id": "t-1", "name": "home", "kind": "flat", "currency": "EUR", "price": 0.32, "plugs": [],
                "valid_from": null,
            })),
            document(json!({
                "name": "heat pump", "kind": "day_night", "currency": "CHF", "day": 0.34, "night": 0.26,
                "day_begins": "06:00", "night_begins": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
                "plugs": ["accf23000001"], "valid_from": "2027-01-01",
            })),
            document(json!({
                "name": "market", "kind": "hourly", "currency": "EUR", "otherwise": 0.3, "plugs": [],
                "prices": [{"t": "2026-11-22T11:00:00Z", "price": 0.1}, {"t": "2026-11-23T22:00:00Z", "price": -0.01}],
            })),
            document(json!({"name": "new", "kind": "barter", "currency": "XXX"})),
        ]
    }

    #[test]
    fn a_table_of_prices() {
        let table = Tariffs::table(&tariffs(), &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r"
            NAME       PRICE OF A KWH                               PLUGS  FROM
            home       0.32 EUR                                     all    -
            heat pump  0.34 CHF 06:00 to 22:00 weekdays, else 0.26  lamp   2027-01-01
            market     EUR by the hour, 2 known, else 0.3           all    -
            new        barter, in XXX                               all    -
            ");
    }

    #[test]
    fn all_about_one() {
        let text: Vec<String> = tariffs()
            .iter()
            .map(|tariff| people::lines(&Tariffs::details(tariff, &names(), &clock())))
            .collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&text.join("\n\n")).to_string(), @r"
            name   home
            id     t-1
            kind   flat
            price  0.32 EUR
            plugs  all
            from   -

            name   heat pump
            id     
            kind   day_night
            price  0.34 CHF 06:00 to 22:00 weekdays, else 0.26
            plugs  lamp
            from   2027-01-01

            name   market
            id     
            kind   hourly
            price  EUR by the hour, 2 known, else 0.3
            plugs  all
            from   -
            known  today 12:00 to tomorrow 23:00

            name   new
            id     
            kind   barter
            price  barter, in XXX
            plugs  all
            from   -
            ");
    }
}
