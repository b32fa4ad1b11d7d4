//! Forms of texts: each that is read is written as the description says.

use std::fmt::Display;
use std::str::FromStr;

use api::{Cron, LocalDate, LocalDateTime, Metering, Name, Offset, Period, TimeOfDay};
use proptest::prelude::*;

use crate::contract::validate;

fn is_described<T: FromStr + Display>(schema: &str, text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let schema = format!("/components/schemas/{schema}");
        validate(&schema, &value.to_string().into(), text);
    }
}

fn duration() -> impl Strategy<Value = String> {
    let part = ("[1-9][0-9]{0,4}", " ?(d|h|m|s|ms|us|ns|min|hours)");
    prop::collection::vec(part, 1..4).prop_map(|parts| {
        let text = parts.into_iter().map(|(number, unit)| number + &unit);
        text.collect()
    })
}

fn cron() -> impl Strategy<Value = String> {
    let field =
        "[0-9*?LW#]{1,3}|\\*/[0-9]{1,2}|[0-9]{1,2}(-[0-9]{1,2}|,[0-9]{1,2})?|MON-fri|JAN|sun#L|ſun";
    let fields = prop::collection::vec(field, 5).prop_map(|fields| fields.join(" "));
    prop_oneof![
        fields,
        "@(daily|HOURLY|weekly|Monthly|annually|yearly|midnight)"
    ]
}

proptest! {
    #[test]
    fn durations(text in duration(), sign in "[-+]?") {
        is_described::<Period>("Period", &text);
        is_described::<Metering>("Metering", &text);
        is_described::<Offset>("Offset", &(sign + &text));
    }

    #[test]
    fn crons(text in cron()) {
        is_described::<Cron>("Cron", &text);
    }

    #[test]
    fn times(date in "(19[67]|20[0-9]|2[12]0)[0-9]-[01][0-9]-[0-3][0-9]", time in "[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?") {
        is_described::<LocalDate>("LocalDate", &date);
        is_described::<TimeOfDay>("TimeOfDay", &time);
        is_described::<LocalDateTime>("LocalDateTime", &format!("{date}T{time}"));
    }

    #[test]
    fn names(text in "\\PC{1,66}|[\\s\u{feff}\u{200b}a]{1,4}") {
        if Name::check_new(&text).is_ok() {
            is_described::<Name>("Name", &text);
        }
    }
}
