//! Arbitrary words in the API, its paths and queries, and arbitrary files of prices: no panic, and a word that is
//! accepted means the same when it is written and read again.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use api::{
    Cron, EnergyPeriod, HourPrices, Id, LocalDate, LocalDateTime, LogKind, Metering, Moment, Name,
    Offset, Period, Scope, StandingCharge, SwitchTarget, TimeOfDay, Weekdays, duration,
};
use hiflying::Mac;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fn written_again<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(word) = text.parse::<T>() {
        let written = word.to_string();
        let again = written.parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&word), "{written}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = HourPrices::from_csv(bytes, &TimeZone::UTC);
    let berlin = TimeZone::get("Europe/Berlin").expect("the zones are built in");
    let _ = HourPrices::from_csv(bytes, &berlin);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    written_again::<Cron>(text);
    written_again::<Id>(text);
    written_again::<LocalDate>(text);
    written_again::<LocalDateTime>(text);
    written_again::<LogKind>(text);
    written_again::<Mac>(text);
    written_again::<Name>(text);
    written_again::<Period>(text);
    written_again::<Scope>(text);
    written_again::<SwitchTarget>(text);
    written_again::<TimeOfDay>(text);
    let _ = text.parse::<EnergyPeriod>();
    let _ = (text.parse::<Metering>(), text.parse::<Moment>(), text.parse::<Offset>());
    let _ = (text.parse::<StandingCharge>(), text.parse::<Weekdays>(), duration::parse(text));
});
