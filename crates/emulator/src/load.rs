//! The appliance in the plug and the mains supply, as pure functions of a seed and a time.
//!
//! The figures are believable rather than measured: a line near 230 V and 50 Hz that drifts and sags under load,
//! and appliances with the habits of their kind. Some depend on the time of day, so times count from a midnight.
//! Nothing here remembers anything, so that a reading can be repeated and a test can ask for any moment.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The appliance in the plug.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// Constant power in watts, whatever the line voltage.
    Constant(f64),
    /// A kettle: 2 kW in bursts of two to four minutes, at seven each morning and now and then until the night.
    Kettle,
    /// A fridge: about 80 W while the compressor runs, with a surge when it starts.
    Fridge,
    /// A TV: below 1 W in standby, yet with a current that the plug can see; about 95 W in the evening.
    Tv,
    /// A heater of 1.5 kW with a thermostat.
    Heater,
    /// A washing machine: a programme of two hours every other day from ten o'clock on.
    Washing,
}

/// Time from midnight to the hour at which the day of most loads begins.
pub(crate) const MORNING: Duration = Duration::from_secs(7 * 3600);
const DAY: f64 = 86_400.0;

/// A load that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown load {given:?}; give watts from 0 to 3680 (\"60\", \"1500W\") or one of kettle, fridge, tv, heater, washing, constant"
)]
pub struct LoadError {
    given: String,
}

/// Maximum power of a plug for 16 A at 230 V.
const MAX_WATTS: f64 = 3680.0;
/// Power of `constant` without a figure: an incandescent bulb.
const CONSTANT_WATTS: f64 = 60.0;

impl FromStr for Load {
    type Err = LoadError;

    fn from_str(given: &str) -> Result<Self, LoadError> {
        let text = given.trim().to_ascii_lowercase();
        match text.as_str() {
            "kettle" => return Ok(Self::Kettle),
            "fridge" => return Ok(Self::Fridge),
            "tv" => return Ok(Self::Tv),
            "heater" => return Ok(Self::Heater),
            "washing" => return Ok(Self::Washing),
            "constant" => return Ok(Self::Constant(CONSTANT_WATTS)),
            _ => {}
        }
        let figure = text.strip_suffix('w').unwrap_or(&text).trim_end();
        match figure.parse::<f64>() {
            Ok(watts) if (0.0..=MAX_WATTS).contains(&watts) => Ok(Self::Constant(watts)),
            _ => Err(LoadError {
                given: given.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(watts) => write!(f, "{watts}W"),
            Self::Kettle => f.write_str("kettle"),
            Self::Fridge => f.write_str("fridge"),
            Self::Tv => f.write_str("tv"),
            Self::Heater => f.write_str("heater"),
            Self::Washing => f.write_str("washing"),
        }
    }
}

/// Consumption of an appliance at one moment at the nominal voltage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Draw {
    /// Active power.
    pub(crate) watts: f64,
    /// Active power divided by apparent power, above 0 and at most 1.
    pub(crate) power_factor: f64,
}

impl Draw {
    const NOTHING: Self = Self::resistive(0.0);

    const fn resistive(watts: f64) -> Self {
        Self {
            watts,
            power_factor: 1.0,
        }
    }
}

/// One moment of the mains as the plug sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MainsMoment {
    /// Volts, root mean square.
    pub(crate) voltage: f64,
    /// Amperes, root mean square.
    pub(crate) current: f64,
    /// Hertz.
    pub(crate) frequency: f64,
    /// Active watts.
    pub(crate) power: f64,
}

/// Ohms of the wiring between the transformer and the socket: 2 kW sags about 3 V.
const LINE_RESISTANCE: f64 = 0.35;
const NOMINAL_VOLTAGE: f64 = 230.0;

impl Load {
    /// Returns the consumption at this time after a midnight.
    fn draw(&self, seed: u64, time: Duration) -> Draw {
        let at = time.as_secs_f64();
        match *self {
            Self::Constant(watts) => Draw::resistive(watts),
            Self::Kettle => kettle(seed, at),
            Self::Fridge => fridge(seed, at),
            Self::Tv => tv(seed, at),
            Self::Heater => heater(seed, at),
            Self::Washing => washing(seed, at),
        }
    }

    /// Returns the active power at this time after a midnight.
    pub(crate) fn watts(&self, seed: u64, time: Duration) -> f64 {
        self.draw(seed, time).watts
    }

    /// The mains at one moment, with the relay closed or open.
    ///
    /// `home` seeds what all plugs of a home share (the slow drift of the line), `seed` what is this plug's own.
    pub(crate) fn moment(&self, home: u64, seed: u64, time: Duration, closed: bool) -> MainsMoment {
        let draw = if closed {
            self.draw(seed, time)
        } else {
            Draw::NOTHING
        };
        let open_voltage = line_voltage(home, seed, time.as_secs_f64());
        let current = draw.watts / draw.power_factor / NOMINAL_VOLTAGE;
        let voltage = open_voltage - current * draw.power_factor * LINE_RESISTANCE;
        let current = draw.watts / draw.power_factor / voltage;
        MainsMoment {
            voltage,
            current,
            frequency: line_frequency(home, time.as_secs_f64()),
            power: draw.watts,
        }
    }
}

fn kettle(seed: u64, at: f64) -> Draw {
    const SLOT: f64 = 900.0;
    let (slot, of_day) = ((at / SLOT).floor(), at.rem_euclid(DAY));
    let breakfast = MORNING.as_secs_f64();
    let is_breakfast = (breakfast..breakfast + SLOT).contains(&of_day);
    // How often it is filled, by the hour: most at breakfast, never at night.
    let chance = match (of_day / 3600.0) as u32 {
        6..=8 => 0.3,
        9..=21 => 0.1,
        _ => 0.0,
    };
    if !is_breakfast && uniform(seed, 14, slot) >= chance {
        return Draw::NOTHING;
    }
    // At breakfast at once, so that a demonstration need not wait for tea.
    let start = if is_breakfast {
        0.0
    } else {
        uniform(seed, 1, slot) * 600.0
    };
    let lasts = 120.0 + uniform(seed, 2, slot) * 120.0;
    let within = at - slot * SLOT - start;
    if !(0.0..lasts).contains(&within) {
        return Draw::NOTHING;
    }
    Draw::resistive(1985.0 + 30.0 * uniform(seed, 3, at.floor()))
}

fn fridge(seed: u64, at: f64) -> Draw {
    const CYCLE: f64 = 2400.0;
    let shifted = at + uniform(seed, 4, 0.0) * CYCLE;
    let cycle = (shifted / CYCLE).floor();
    let runs = 700.0 + uniform(seed, 5, cycle) * 300.0;
    let within = shifted - cycle * CYCLE;
    if within >= runs {
        // The lamp is off and the thermostat draws next to nothing.
        return Draw {
            watts: 0.3,
            power_factor: 0.3,
        };
    }
    // The motor's surge is gone after a second; then the gas pressure falls, and the power a little with it.
    let surge = 900.0 * (-within / 0.25).exp();
    let settled = 76.0 + 8.0 * (-within / 240.0).exp() + 2.0 * uniform(seed, 6, at.floor());
    Draw {
        watts: settled + surge,
        power_factor: 0.62,
    }
}

fn tv(seed: u64, at: f64) -> Draw {
    let (day, of_day) = ((at / DAY).floor(), at.rem_euclid(DAY));
    let begin = (19.0 + 1.5 * uniform(seed, 15, day)) * 3600.0;
    let end = begin + (1.5 + 2.0 * uniform(seed, 16, day)) * 3600.0;
    if (begin..end).contains(&of_day) {
        // Bright scenes need more than dark ones.
        return Draw {
            watts: 88.0 + 16.0 * uniform(seed, 17, (at / 20.0).floor()),
            power_factor: 0.93,
        };
    }
    // Mostly the capacitor of the noise filter: 0.03 A of current and hardly any power, as in the
    // published reading `3,22694,5007,0,0,3548,0`.
    Draw {
        watts: 0.5 + 0.2 * uniform(seed, 7, at.floor()),
        power_factor: 0.085,
    }
}

fn heater(seed: u64, at: f64) -> Draw {
    const CYCLE: f64 = 540.0;
    let shifted = at + uniform(seed, 18, 0.0) * CYCLE;
    let cycle = (shifted / CYCLE).floor();
    let heats = CYCLE * (0.45 + 0.35 * uniform(seed, 19, cycle));
    if shifted - cycle * CYCLE >= heats {
        return Draw::NOTHING;
    }
    Draw::resistive(1490.0 + 12.0 * uniform(seed, 20, at.floor()))
}

/// The programme: each phase with its end in minutes, watts, and power factor.
const PROGRAMME: [(f64, f64, f64); 7] = [
    (4.0, 45.0, 0.6),     // takes in water
    (24.0, 2080.0, 0.99), // heats
    (70.0, 130.0, 0.55),  // washes
    (76.0, 320.0, 0.6),   // spins
    (100.0, 110.0, 0.55), // rinses
    (108.0, 390.0, 0.6),  // spins faster
    (116.0, 520.0, 0.6),  // spins at its fastest
];

fn washing(seed: u64, at: f64) -> Draw {
    let (day, of_day) = ((at / DAY).floor(), at.rem_euclid(DAY));
    let begin = (10.0 + 2.0 * uniform(seed, 21, day)) * 3600.0;
    let minute = (of_day - begin) / 60.0;
    let phase = PROGRAMME.iter().find(|(end, ..)| minute < *end);
    match phase {
        Some(&(_, watts, power_factor)) if minute >= 0.0 && day.rem_euclid(2.0) == 0.0 => {
            // The drum turns, stops, and turns back.
            let turns = watts > 1000.0 || at.rem_euclid(18.0) < 12.0;
            Draw {
                watts: watts * if turns { 1.0 } else { 0.15 } + 4.0 * uniform(seed, 22, at.floor()),
                power_factor,
            }
        }
        _ => Draw {
            watts: 1.2,
            power_factor: 0.2,
        },
    }
}

fn line_voltage(home: u64, seed: u64, at: f64) -> f64 {
    let drift = 1.8 * wave(home, 8, at, 7_400.0) + 1.1 * wave(home, 9, at, 640.0);
    let noise = 0.5 * (uniform(seed, 10, at.floor()) - 0.5);
    NOMINAL_VOLTAGE + drift + noise
}

fn line_frequency(home: u64, at: f64) -> f64 {
    let drift = 0.02 * wave(home, 11, at, 300.0) + 0.01 * wave(home, 12, at, 47.0);
    50.0 + drift + 0.01 * (uniform(home, 13, at.floor()) - 0.5)
}

/// A slow wave of amplitude 1 whose phase depends on the seed.
fn wave(seed: u64, channel: u64, at: f64, period: f64) -> f64 {
    ((at / period + uniform(seed, channel, 0.0)) * std::f64::consts::TAU).sin()
}

/// A number from 0 to 1 that depends on nothing but its arguments.
fn uniform(seed: u64, channel: u64, index: f64) -> f64 {
    fastrand::Rng::with_seed(seed ^ channel.rotate_left(56) ^ index.to_bits().rotate_left(17)).f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const APPLIANCES: [Load; 5] = [
        Load::Kettle,
        Load::Fridge,
        Load::Tv,
        Load::Heater,
        Load::Washing,
    ];

    /// Mean energy of a day over thirty days, in watt-hours, and the highest power.
    fn of_a_day(load: Load, seed: u64) -> (f64, f64) {
        let watts = (0..30 * 86_400 / 5).map(|step| load.draw(seed, seconds(5 * step)).watts);
        let (sum, peak) = watts.fold((0.0, 0.0), |(sum, peak), watts| {
            (sum + watts, f64::max(peak, watts))
        });
        (sum * 5.0 / 3600.0 / 30.0, peak)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn loads_are_read_as_people_write_them() {
        for (text, load) in [
            ("kettle", Load::Kettle),
            ("Fridge", Load::Fridge),
            (" tv ", Load::Tv),
            ("heater", Load::Heater),
            ("washing", Load::Washing),
            ("constant", Load::Constant(60.0)),
            ("0", Load::Constant(0.0)),
            ("60", Load::Constant(60.0)),
            ("1500 W", Load::Constant(1500.0)),
            ("7.4w", Load::Constant(7.4)),
        ] {
            assert_eq!(text.parse(), Ok(load), "{text}");
        }
        for text in ["", "w", "-1", "nan", "inf", "4000", "oven", "60kW"] {
            assert!(text.parse::<Load>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_load_prints_as_it_is_read() {
        for load in [Load::Constant(7.4)].into_iter().chain(APPLIANCES) {
            assert_eq!(load.to_string().parse(), Ok(load));
        }
    }

    #[test]
    fn the_same_seed_and_time_give_the_same_moment() {
        for at in (0..100_000).step_by(997) {
            assert_eq!(
                Load::Fridge.moment(1, 2, seconds(at), true),
                Load::Fridge.moment(1, 2, seconds(at), true)
            );
        }
        assert_ne!(
            Load::Tv.moment(1, 2, seconds(5), true),
            Load::Tv.moment(1, 3, seconds(5), true)
        );
    }

    #[test]
    fn an_open_relay_carries_no_current() {
        let moment = Load::Kettle.moment(1, 2, seconds(3), false);
        assert_eq!((moment.current, moment.power), (0.0, 0.0));
        assert!(moment.voltage > 200.0);
    }

    #[test]
    fn a_constant_load_is_constant_and_obeys_ohm() {
        for at in 0..500 {
            let moment = Load::Constant(1000.0).moment(7, 7, seconds(at), true);
            assert_eq!(moment.power, 1000.0);
            assert!((moment.voltage * moment.current - 1000.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_kettle_boils_at_breakfast_and_again_later_but_not_at_night() {
        for seed in 0..20 {
            let draw = |at| Load::Kettle.draw(seed, seconds(at)).watts;
            let morning = MORNING.as_secs();
            assert!((1985.0..=2015.0).contains(&draw(morning)));
            let boils = |range: std::ops::Range<u64>| range.filter(|&at| draw(at) > 1000.0).count();
            assert_eq!(boils(0..6 * 3600), 0);
            let later = boils(morning + 900..22 * 3600);
            assert!(
                (120..=24 * 240).contains(&later),
                "{later} s after breakfast"
            );
        }
    }

    #[test]
    fn appliances_use_what_their_kind_uses_in_a_day() {
        for (load, energy_wh, peak_w) in [
            (Load::Kettle, 400.0..1200.0, 1985.0..2020.0),
            (Load::Fridge, 550.0..900.0, 80.0..1000.0),
            (Load::Tv, 180.0..350.0, 95.0..105.0),
            (Load::Heater, 19_000.0..25_000.0, 1490.0..1510.0),
            (Load::Washing, 350.0..600.0, 2080.0..2090.0),
        ] {
            for seed in 0..4 {
                let (energy, peak) = of_a_day(load, seed);
                assert!(energy_wh.contains(&energy), "{load}: {energy} Wh a day");
                assert!(peak_w.contains(&peak), "{load}: {peak} W");
            }
        }
    }

    #[test]
    fn the_fridge_cycles_and_surges_when_it_starts() {
        let draws: Vec<f64> = (0..48_000)
            .map(|tenth| {
                Load::Fridge
                    .draw(5, Duration::from_millis(tenth * 100))
                    .watts
            })
            .collect();
        let running = draws.iter().filter(|&&watts| watts > 70.0).count();
        assert!(
            (12_000..=24_000).contains(&running),
            "{running} of 48000 tenths"
        );
        assert!(draws.iter().any(|&watts| watts > 300.0), "no surge");
        let settled = draws
            .iter()
            .filter(|&&watts| (74.0..90.0).contains(&watts))
            .count();
        assert!(settled > running * 9 / 10);
    }

    #[test]
    fn a_tv_in_standby_has_current_without_power() {
        let moment = Load::Tv.moment(1, 2, seconds(9), true);
        assert!(moment.power < 1.0 && moment.power > 0.3);
        assert_eq!((moment.current * 100.0).round(), 3.0);
    }

    #[test]
    fn plugs_of_one_home_see_the_same_line() {
        for at in (0..50_000).step_by(1000) {
            let (one, other) = (
                Load::Tv.moment(1, 2, seconds(at), true),
                Load::Tv.moment(1, 3, seconds(at), true),
            );
            assert!((one.voltage - other.voltage).abs() < 0.6);
            assert_eq!(one.frequency, other.frequency);
        }
    }

    proptest! {
        #[test]
        fn every_moment_is_believable(home: u64, seed: u64, at in 0u64..10_000_000, which in 0usize..6) {
            let load = APPLIANCES.get(which).copied().unwrap_or(Load::Constant(3680.0));
            let moment = load.moment(home, seed, seconds(at), true);
            prop_assert!((215.0..=234.0).contains(&moment.voltage), "{}", moment.voltage);
            prop_assert!((49.9..=50.1).contains(&moment.frequency), "{}", moment.frequency);
            prop_assert!((0.0..=17.0).contains(&moment.current), "{}", moment.current);
            prop_assert!((0.0..=3680.0).contains(&moment.power), "{}", moment.power);
        }
    }
}
