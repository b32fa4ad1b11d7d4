//! Due times of schedules.

use std::time::Duration;

use api::{Cron, Id, Period, RequestError, Schedule, SunEvent, Weekdays, When};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use super::civil::instant;
use super::sun;
use crate::config::Place;

/// Maximum number of days to search for a sunrise or sunset: at the poles the sun rises once a year.
const SUN_DAYS_AHEAD: usize = 400;
/// First distance of the search for the last due time.
const FIRST_SEARCH_SPAN: SignedDuration = SignedDuration::from_hours(1);
/// Factor by which the distance grows when nothing was due: five steps cover years.
const SEARCH_SPAN_FACTOR: i32 = 8;

/// The settings that local times and the sun depend on.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The rules of local time.
    pub timezone: TimeZone,
    /// The place for sunrise and sunset, if the owner has configured it.
    pub place: Option<Place>,
}

/// Returns the next time after a moment at which a schedule fires. `None` when it never fires again, or is not enabled.
///
/// Within a random window, each time has its own delay, which depends on `id` and on that time alone: so `next` is known in
/// advance, and a restart does not change it.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` when the schedule depends on the sun and the place is not known.
pub fn next_due(
    schedule: &Schedule,
    clock: &Clock,
    after: Timestamp,
    id: &Id,
) -> Result<Option<Timestamp>, RequestError> {
    if !schedule.enabled {
        return Ok(None);
    }
    Ok(Times::new(schedule, clock, id)?.after(after))
}

/// Returns the last time at which a schedule should have fired after `after` and until `until`: the run to catch up with after a
/// gap in operation.
pub fn last_due(
    schedule: &Schedule,
    clock: &Clock,
    after: Timestamp,
    until: Timestamp,
    id: &Id,
) -> Result<Option<Timestamp>, RequestError> {
    if !schedule.enabled {
        return Ok(None);
    }
    Ok(Times::new(schedule, clock, id)?.last(after, until))
}

/// The times of one schedule.
struct Times<'a> {
    what: What<'a>,
    clock: &'a Clock,
    /// Upper bound of the random delay of each time.
    window: Duration,
    id: &'a Id,
}

/// The source of a schedule's times.
enum What<'a> {
    Calendar(&'a When),
    Sun {
        sun: SunEvent,
        offset: SignedDuration,
        days: Weekdays,
        place: Place,
    },
}

impl<'a> Times<'a> {
    fn new(schedule: &'a Schedule, clock: &'a Clock, id: &'a Id) -> Result<Self, RequestError> {
        let what = match schedule.when {
            When::Sun { sun, offset, days } => What::Sun {
                sun,
                offset: offset.get(),
                days,
                place: clock.place()?,
            },
            When::At { .. } | When::Once { .. } | When::Cron { .. } => {
                What::Calendar(&schedule.when)
            }
        };
        let window = schedule.random.map_or(Duration::ZERO, Period::get);
        Ok(Self {
            what,
            clock,
            window,
            id,
        })
    }

    /// Returns the first time after a moment, delays included.
    fn after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut best: Option<Timestamp> = None;
        for time in self.undelayed_around(after) {
            // One that comes later can be delayed by less.
            if best.is_some_and(|best| best <= time) {
                break;
            }
            let delayed = time.checked_add(self.delay(time)).ok()?;
            if delayed > after {
                best = Some(best.map_or(delayed, |best| best.min(delayed)));
            }
        }
        best
    }

    /// Returns the last time after `after` and until `until`, delays included.
    fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut look_back = FIRST_SEARCH_SPAN;
        loop {
            let from = until
                .checked_sub(look_back)
                .map_or(after, |from| from.max(after));
            let times = self
                .undelayed_around(from)
                .take_while(|time| *time <= until);
            let delayed = times.filter_map(|time| time.checked_add(self.delay(time)).ok());
            let last = delayed.filter(|time| from < *time && *time <= until).max();
            if last.is_some() || from == after {
                return last;
            }
            look_back = look_back.checked_mul(SEARCH_SPAN_FACTOR)?;
        }
    }

    /// Returns the undelayed times whose delayed times can follow a moment, in order.
    fn undelayed_around(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> {
        let from = moment.checked_sub(self.window).unwrap_or(Timestamp::MIN);
        let mut last = Some(from);
        std::iter::from_fn(move || {
            last = self.undelayed(last?);
            last
        })
    }

    fn undelayed(&self, after: Timestamp) -> Option<Timestamp> {
        match self.what {
            What::Calendar(when) => self.calendar(when, after),
            What::Sun {
                sun,
                offset,
                days,
                place,
            } => self.sun(sun, offset, days, place, after),
        }
    }

    fn calendar(&self, when: &When, after: Timestamp) -> Option<Timestamp> {
        if let When::Cron { cron } = when
            && cron.is_hourly()
        {
            return self.hourly(cron, after);
        }
        let mut local = self.clock.timezone.to_datetime(after);
        loop {
            local = next_local(when, local)?;
            let time = instant(local, &self.clock.timezone)?;
            // In an hour that comes twice, the second time nothing is due.
            if time > after {
                return Some(time);
            }
        }
    }

    /// Returns the first moment that matches a cron expression on the local clock: local times that do not exist never do, and those
    /// that exist twice do both times.
    fn hourly(&self, cron: &Cron, after: Timestamp) -> Option<Timestamp> {
        let timezone = &self.clock.timezone;
        let mut from = after;
        let mut offset = timezone.to_offset(after);
        let mut local = offset.to_datetime(after);
        loop {
            let due = offset.to_timestamp(cron.after(local)?).ok()?;
            // Until the offset changes next, local time runs without gap or repetition.
            match timezone.following(from).next() {
                Some(change) if change.timestamp() <= due => {
                    from = change.timestamp();
                    offset = change.offset();
                    local = offset.to_datetime(from).checked_sub(1.nanosecond()).ok()?;
                }
                _ => return Some(due),
            }
        }
    }

    fn sun(
        &self,
        sun: SunEvent,
        offset: SignedDuration,
        days: Weekdays,
        place: Place,
        after: Timestamp,
    ) -> Option<Timestamp> {
        let before_offset = after.checked_sub(offset).ok()?;
        // Nothing of the day before yesterday is still to come, wherever the place is.
        let first = TimeZone::UTC
            .to_datetime(before_offset)
            .date()
            .yesterday()
            .ok()?;
        let days_ahead = first.series(1.day()).take(SUN_DAYS_AHEAD);
        let chosen = days_ahead.filter(|day| {
            let noon = sun::noon(place, *day, &self.clock.timezone);
            noon.is_some_and(|noon| days.contains(noon.weekday()))
        });
        let mut times =
            chosen.filter_map(|day| sun::event(sun, place, day)?.checked_add(offset).ok());
        times.find(|time| *time > after)
    }

    /// Returns the delay of a time: less than the window, in whole seconds, always the same.
    fn delay(&self, time: Timestamp) -> SignedDuration {
        let hash = Sha256::new()
            .chain_update(self.id.as_str())
            .chain_update(time.as_second().to_be_bytes())
            .finalize();
        let number = hash
            .iter()
            .take(6)
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let seconds = number.checked_rem(self.window.as_secs()).unwrap_or(0);
        SignedDuration::from_secs(seconds.try_into().unwrap_or(0))
    }
}

/// Returns the first local time after another according to a calendar.
fn next_local(when: &When, after: DateTime) -> Option<DateTime> {
    match when {
        When::At { at, days } => {
            // The same weekday again is a week away.
            let chosen = after.date().series(1.day()).take(8);
            let mut times = chosen
                .filter(|day: &Date| days.contains(day.weekday()))
                .map(|day| day.to_datetime(at.get()));
            times.find(|time| *time > after)
        }
        When::Once { once } => Some(once.get()).filter(|once| *once > after),
        When::Cron { cron } => cron.after(after),
        When::Sun { .. } => None,
    }
}

impl Clock {
    /// Returns the place.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at `when.sun` when the place is not known.
    pub fn place(&self) -> Result<Place, RequestError> {
        self.place.ok_or_else(|| {
            RequestError::usage("sunrise and sunset need a place, and none is configured")
                .hint("set `latitude` and `longitude` in the section `[place]` of mains.toml")
                .at("when.sun")
        })
    }
}

#[cfg(test)]
mod tests;
