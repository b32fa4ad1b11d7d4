//! The home page: every plug by room, groups, and the house as a whole. It is drawn from memory alone.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hub::Hub;
use hub::store::QUARTER;
use jiff::{SignedDuration, Timestamp, Zoned};
use plugs::RelayState;

use crate::PagesState;
use crate::chart::{self, Chart};
use crate::format::{self, DASH};
use crate::frame::{Frame, HOME};
use crate::note::{FailedSwitch, FormNote};
use crate::plug_card::{PlugCard, present_power};
use crate::problems::{self, OpenProblem};
use crate::recent::Recent;
use crate::span::{Span, SpanKind};
use crate::visit::Visit;

/// Maximum number of plugs that are named because they do not answer.
const MAX_GONE_NOTES: usize = 3;
/// Number of plugs from which on a field finds one of them.
const MIN_FOUND: usize = 13;
/// Title of the plugs without a room, beside plugs with one.
const NO_ROOM: &str = "Other plugs";

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    damages: Vec<String>,
    failed: Option<FailedSwitch>,
    problems: Vec<OpenProblem>,
    gone: Vec<OpenProblem>,
    further_gone: usize,
    house: HouseSummary,
    groups: Vec<GroupCard>,
    rooms: Vec<RoomSection>,
}

/// The house as a whole.
struct HouseSummary {
    plugs: usize,
    on: usize,
    gone: usize,
    power: Option<String>,
    most: Option<(String, String)>,
    energy: String,
    cost: Option<String>,
    change: Option<DayComparison>,
    month: MonthSum,
    standby: Standby,
    chart: Option<Chart>,
}

/// This month in words.
struct MonthSum {
    name: String,
    energy: String,
    cost: String,
}

/// Standby power of the house.
struct Standby {
    power: Option<String>,
    /// Plugs of which it is known, unless all.
    of: Option<String>,
}

/// Energy of today beside that of yesterday until the same time.
struct DayComparison {
    is_less: bool,
    words: String,
}

/// A group with its switches.
struct GroupCard {
    id: String,
    name: String,
    words: String,
    plugs: usize,
    on: usize,
    off: usize,
}

impl GroupCard {
    fn is_all_on(&self) -> bool {
        self.plugs > 0 && self.on == self.plugs
    }

    fn is_all_off(&self) -> bool {
        self.plugs > 0 && self.off == self.plugs
    }
}

/// The plugs of a room.
struct RoomSection {
    name: String,
    power: String,
    plugs: Vec<PlugCard>,
}

impl RoomSection {
    fn columns(&self) -> usize {
        self.plugs.len().clamp(1, 3)
    }
}

/// Shows the home page.
pub(crate) async fn home(State(state): State<PagesState>, visit: Visit) -> Response {
    let hub = &state.hub;
    let caller = visit.caller.as_ref();
    if caller.is_some_and(|caller| !caller.sees(&hub.config().site)) {
        return visit.prefix.redirect("/sites");
    }
    let recent = state.recent.get();
    let now = plugs::now();
    let mut cards: Vec<_> = hub
        .registry()
        .views()
        .iter()
        .map(|view| PlugCard::new(hub, view, &recent, now))
        .collect();
    cards.sort_by_cached_key(|card| (card.title.to_lowercase(), card.mac.clone()));
    let mut gone = problems::gone_plugs(hub);
    gone.sort_by_cached_key(|problem| problem.title.to_lowercase());
    let further_gone = gone.len().saturating_sub(MAX_GONE_NOTES);
    gone.truncate(MAX_GONE_NOTES);
    let frame = Frame::new(&visit, HOME, "Home").with_style(&visit);
    let failed = failed(hub, visit.note, now);
    let page = HomePage {
        damages: problems::damages(hub),
        problems: problems::further(hub),
        failed,
        gone,
        further_gone,
        house: house(hub, &cards, &recent, now),
        groups: groups(hub, &cards),
        rooms: rooms(cards),
        frame,
    };
    page.frame.send(&page)
}

/// Returns the switch that failed before, unless the plug is where it should be by now.
pub(crate) fn failed(hub: &Hub, note: Option<FormNote>, now: Timestamp) -> Option<FailedSwitch> {
    let Some(FormNote::NotSwitched { plug, goal, kind }) = note else {
        return None;
    };
    let view = hub.registry().view(plug)?;
    FailedSwitch::new(&view, goal, kind, present_power(&view, now))
}

fn house(hub: &Hub, cards: &[PlugCard], recent: &Recent, now: Timestamp) -> HouseSummary {
    let powers = cards.iter().filter_map(|card| Some((card, card.power_w?)));
    let power = powers.clone().map(|(_, power)| power).reduce(|a, b| a + b);
    let most = powers
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .filter(|(_, power)| *power > 0.0);
    let energies = cards.iter().filter_map(|card| Some(card.count?.0));
    let energy = energies.reduce(|a, b| a + b);
    HouseSummary {
        plugs: cards.len(),
        on: cards
            .iter()
            .filter(|card| card.is_available && card.is_on())
            .count(),
        gone: cards.iter().filter(|card| !card.is_available).count(),
        power: power.map(|power| format::number(power, 0)),
        most: most.map(|(card, power)| (card.title.clone(), format::watts(power))),
        energy: energy.map_or_else(|| DASH.to_owned(), format::kwh),
        cost: (!hub.tariffs().all().is_empty()).then(|| format::amounts(today_costs(recent))),
        change: change(recent, now),
        month: month(hub, recent, now),
        standby: standby(cards, recent),
        chart: chart_of_today(hub, recent, now),
    }
}

/// Compares today with the same part of yesterday, where both are known as a whole.
fn change(recent: &Recent, now: Timestamp) -> Option<DayComparison> {
    let today = recent.today?;
    let passed = today.duration_until(now);
    // Whole quarter-hours, so that both parts are equally long.
    let passed = SignedDuration::from_secs(passed.as_secs() / QUARTER * QUARTER);
    let sum = |start: Timestamp| -> Option<f64> {
        let means = recent.house(start, start.checked_add(passed).ok()?);
        means.into_iter().map(|mean| Some(mean? / 4.0)).sum()
    };
    let (now, then) = (sum(today)?, sum(recent.yesterday)?);
    if then < 1.0 {
        return None;
    }
    let percent = (now / then - 1.0) * 100.0;
    let rounded = percent.abs().round();
    let words = match (rounded as u64, percent < 0.0) {
        (0, _) => "as much as".to_owned(),
        (1..=999, true) => format!("{rounded:.0}% below"),
        (1..=999, false) => format!("{rounded:.0}% above"),
        _ => format!("{:.0} times", now / then),
    };
    Some(DayComparison {
        is_less: percent < 0.0 && rounded > 0.0,
        words,
    })
}

/// Returns the name, energy and cost of this month.
fn month(hub: &Hub, recent: &Recent, now: Timestamp) -> MonthSum {
    let mut costs: BTreeMap<_, _> = today_costs(recent);
    let past = recent.past.as_ref();
    for (currency, cost) in past.iter().flat_map(|past| &past.month_cost) {
        *costs.entry(currency).or_default() += cost;
    }
    let today = recent.today.map(|_| {
        let plugs = recent.plugs.values();
        plugs.map(|plug| plug.today_wh).sum::<f64>()
    });
    let energy = past.and_then(|past| Some(past.month_wh.unwrap_or(0.0) + today?));
    MonthSum {
        name: Zoned::new(now, hub.clock().timezone.clone())
            .strftime("%B")
            .to_string(),
        energy: energy.map_or_else(|| DASH.to_owned(), format::kwh),
        cost: energy.map_or_else(|| DASH.to_owned(), |_| format::amounts(costs)),
    }
}

fn today_costs(recent: &Recent) -> BTreeMap<&str, f64> {
    let mut costs = BTreeMap::new();
    for (currency, amount) in recent.plugs.values().flat_map(|plug| &plug.cost) {
        *costs.entry(currency.as_str()).or_default() += amount;
    }
    costs
}

/// Returns the standby power of all plugs of which it is known, and their number.
fn standby(cards: &[PlugCard], recent: &Recent) -> Standby {
    let known = recent.past.iter().flat_map(|past| past.standby_w.values());
    let metered = cards.iter().filter(|card| card.has_meter).count();
    let count = known.clone().count();
    Standby {
        power: known.copied().reduce(|a, b| a + b).map(format::watts),
        of: (count < metered).then(|| format!("{count} of {metered} plugs")),
    }
}

fn chart_of_today(hub: &Hub, recent: &Recent, now: Timestamp) -> Option<Chart> {
    let today = recent.today?;
    let zone = &hub.clock().timezone;
    let day = Span::at(SpanKind::Day, None, now, zone).ok()?;
    let end = now.checked_add(SignedDuration::from_secs(QUARTER)).ok()?;
    let means = recent.house(today, end);
    // The quarter-hour that is not over has no mean yet.
    let (_, means) = means.split_last()?;
    let width = usize::try_from(day.range.seconds() / QUARTER).ok()?;
    let mut before = recent.house(recent.yesterday, today);
    before.truncate(width);
    if means.iter().chain(&before).flatten().count() < 2 {
        return None;
    }
    let highest = means.iter().flatten().copied().fold(0.0, f64::max);
    let label = format!(
        "Power of the house today in quarter-hours, highest {} watts; dashed, yesterday",
        format::number(highest, 0)
    );
    let labels = day.labels(zone);
    Some(chart::house(means, &before, width, &labels, &label))
}

fn groups(hub: &Hub, cards: &[PlugCard]) -> Vec<GroupCard> {
    let card = |group: api::Stored<api::Group>| {
        let of_group = |card: &&PlugCard| group.body.plugs.contains(&card.plug);
        let members: Vec<_> = cards.iter().filter(of_group).collect();
        let count = |relay| {
            let is = |card: &&&PlugCard| card.is_available && card.relay == Some(relay);
            members.iter().filter(is).count()
        };
        let (plugs, on, off) = (members.len(), count(RelayState::On), count(RelayState::Off));
        let power = members
            .iter()
            .filter_map(|card| card.power_w)
            .reduce(|a, b| a + b);
        let words = match (plugs, on, off) {
            (0, _, _) => "No plugs".to_owned(),
            (1, 1, _) => "On".to_owned(),
            (1, _, 1) => "Off".to_owned(),
            (all, on, _) if on == all => format!("All {all} on"),
            (all, _, off) if off == all => format!("All {all} off"),
            (all, on, _) => format!("{on} of {all} on"),
        };
        GroupCard {
            id: group.id.to_string(),
            name: group.body.name.to_string(),
            words: match power.filter(|_| on > 0) {
                Some(power) => format!("{words} · {}", format::watts(power)),
                None => words,
            },
            plugs,
            on,
            off,
        }
    };
    let mut groups: Vec<_> = hub.groups().all().into_iter().map(card).collect();
    groups.sort_by_cached_key(|group| group.name.to_lowercase());
    groups
}

/// Sorts plugs into their rooms, by name; those without a room come last.
fn rooms(cards: Vec<PlugCard>) -> Vec<RoomSection> {
    let mut rooms: BTreeMap<(bool, Option<String>, Option<String>), Vec<PlugCard>> =
        BTreeMap::new();
    for card in cards {
        let room = card.room.clone();
        let key = (room.is_none(), room.as_deref().map(str::to_lowercase), room);
        rooms.entry(key).or_default().push(card);
    }
    let is_only = rooms.len() == 1;
    rooms
        .into_iter()
        .map(|((.., name), plugs)| {
            let power = plugs
                .iter()
                .filter_map(|card| card.power_w)
                .reduce(|a, b| a + b);
            let no_room = if is_only { "Plugs" } else { NO_ROOM };
            RoomSection {
                name: name.unwrap_or_else(|| no_room.to_owned()),
                power: power.map_or_else(|| "no reading".to_owned(), format::watts),
                plugs,
            }
        })
        .collect()
}
