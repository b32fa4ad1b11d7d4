//! The order of the plugs on the screen, and which of them are shown. Pure: now is a parameter.

use std::cmp::{Ordering, Reverse};

use hiflying::Mac;
use jiff::Timestamp;

use super::board::{Board, BoardPlug};
use crate::inventory::folded;

/// The value by which plugs are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SortKey {
    /// Names, then MACs.
    #[default]
    Name,
    /// Present power, the highest first.
    Power,
    /// Energy of today, the highest first.
    Today,
    /// Lifetime energy, the highest first.
    Total,
    /// Rooms.
    Room,
}

/// The order of plugs, and the filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PlugOrder {
    /// The value by which they are sorted.
    pub(super) key: SortKey,
    /// True for the opposite direction.
    pub(super) is_reversed: bool,
    /// A text that name, room, MAC, address, serial number or model contain; empty for all.
    pub(super) filter: String,
}

impl SortKey {
    /// Returns the next one, in a circle.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Name => Self::Power,
            Self::Power => Self::Today,
            Self::Today => Self::Total,
            Self::Total => Self::Room,
            Self::Room => Self::Name,
        }
    }

    /// Returns its name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Power => "power",
            Self::Today => "today",
            Self::Total => "energy",
            Self::Room => "room",
        }
    }

    /// Compares two plugs; what is unknown comes last in either direction.
    fn compare(
        self,
        one: &BoardPlug,
        other: &BoardPlug,
        reversed: bool,
        now: Timestamp,
    ) -> Ordering {
        let power = |plug: &BoardPlug| {
            plug.present_reading(now)
                .and_then(|reading| reading.power_w)
        };
        let room = |plug: &BoardPlug| plug.view.room.as_deref().map(folded);
        match self {
            Self::Name => directed(reversed, name(one).cmp(&name(other))),
            Self::Power => figures(power(one), power(other), reversed),
            Self::Today => figures(one.today_wh, other.today_wh, reversed),
            Self::Total => {
                let energy = |plug: &BoardPlug| plug.energy_wh().map(|energy| energy as f64);
                figures(energy(one), energy(other), reversed)
            }
            Self::Room => known_first(room(one), room(other), |one, other| {
                directed(reversed, one.cmp(other))
            }),
        }
    }
}

impl PlugOrder {
    /// Returns the plugs that pass the filter, in order.
    pub(super) fn apply(&self, board: &Board, now: Timestamp) -> Vec<Mac> {
        let wanted = folded(self.filter.trim());
        let mut plugs: Vec<&BoardPlug> = board
            .plugs()
            .filter(|plug| wanted.is_empty() || has_text(plug, &wanted))
            .collect();
        plugs.sort_by(|one, other| {
            let order = self.key.compare(one, other, self.is_reversed, now);
            order.then_with(|| name(one).cmp(&name(other)))
        });
        plugs.iter().map(|plug| plug.view.plug.mac).collect()
    }
}

/// Returns the key by which names are sorted: plugs with a name come first.
fn name(plug: &BoardPlug) -> (bool, Option<String>, Mac) {
    let name = plug.view.plug.name.as_deref().map(folded);
    (name.is_none(), name, plug.view.plug.mac)
}

fn has_text(plug: &BoardPlug, wanted: &str) -> bool {
    let plug = &plug.view;
    let texts = [
        &plug.plug.name,
        &plug.room,
        &plug.plug.serial,
        &plug.plug.model,
    ];
    let has = |text: &str| folded(text).contains(wanted);
    texts.into_iter().flatten().any(|text| has(text))
        || has(&plug.plug.mac.to_string())
        || has(&plug.plug.address.to_string())
}

fn directed(reversed: bool, order: Ordering) -> Ordering {
    match reversed {
        true => order.reverse(),
        false => order,
    }
}

/// The highest first, or the lowest.
fn figures(one: Option<f64>, other: Option<f64>, reversed: bool) -> Ordering {
    known_first(one, other, |one, other| {
        directed(!reversed, one.total_cmp(other))
    })
}

fn known_first<T>(
    one: Option<T>,
    other: Option<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Ordering {
    match (&one, &other) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Reverse(one.is_some()).cmp(&Reverse(other.is_some())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::{Event, PlugView};
    use plugs::RelayState;

    use super::super::board::tests::{board, mac, now, view};
    use super::*;

    fn names(order: &PlugOrder, board: &Board) -> String {
        let macs = order.apply(board, now());
        let names: Vec<String> = macs.iter().map(|mac| board.name(*mac)).collect();
        names.join(" ")
    }

    fn by(key: SortKey, is_reversed: bool) -> PlugOrder {
        PlugOrder {
            key,
            is_reversed,
            filter: String::new(),
        }
    }

    #[test]
    fn what_is_unknown_comes_last_in_either_direction() {
        let mut board = board();
        let kitchen = PlugView {
            room: Some("Kitchen".to_owned()),
            ..view(2, Some("Fridge"), RelayState::Off)
        };
        board.take(&Event::Plug(Arc::new(kitchen)), now());
        let third = mac(3).to_string();
        for (key, is_reversed, expected) in [
            (
                SortKey::Name,
                false,
                "attic cellar Fridge tv AC:CF:23:00:00:03",
            ),
            (
                SortKey::Name,
                true,
                "AC:CF:23:00:00:03 tv Fridge cellar attic",
            ),
            (
                SortKey::Power,
                false,
                "AC:CF:23:00:00:03 tv attic cellar Fridge",
            ),
            (
                SortKey::Power,
                true,
                "tv AC:CF:23:00:00:03 attic cellar Fridge",
            ),
            (
                SortKey::Today,
                false,
                "attic cellar Fridge tv AC:CF:23:00:00:03",
            ),
            (
                SortKey::Total,
                false,
                "tv attic cellar AC:CF:23:00:00:03 Fridge",
            ),
            (
                SortKey::Room,
                false,
                "Fridge attic cellar tv AC:CF:23:00:00:03",
            ),
            (
                SortKey::Room,
                true,
                "Fridge attic cellar tv AC:CF:23:00:00:03",
            ),
        ] {
            assert!(expected.contains(&third));
            assert_eq!(
                names(&by(key, is_reversed), &board),
                expected,
                "{key:?} {is_reversed}"
            );
        }
    }

    #[test]
    fn keys_go_round() {
        let mut seen = vec![SortKey::default()];
        loop {
            let next = seen[seen.len() - 1].next();
            if next == SortKey::default() {
                break;
            }
            assert!(!seen.contains(&next));
            seen.push(next);
        }
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn a_filter_finds_names_rooms_macs_and_addresses() {
        let board = board();
        for (filter, expected) in [
            ("FRI", "Fridge"),
            (" tv ", "tv"),
            ("00:03", "AC:CF:23:00:00:03"),
            ("127.0.0.6", "cellar"),
            ("nothing", ""),
            ("(", ""),
        ] {
            let order = PlugOrder {
                filter: filter.to_owned(),
                ..PlugOrder::default()
            };
            assert_eq!(names(&order, &board), expected, "{filter}");
        }
    }
}
