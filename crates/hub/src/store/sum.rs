//! What is known of a step of time: the readings that fell into it, and what was used.

/// Sums and extremes in the database's own integers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// How many readings had a power.
    pub(super) readings: i64,
    /// The sum of their powers.
    pub(super) power: i64,
    /// The lowest of them.
    pub(super) low: Option<i64>,
    /// The highest of them.
    pub(super) high: Option<i64>,
    /// What was used.
    pub(super) energy: i64,
}

impl Sum {
    pub(super) fn of_power(power: i64) -> Self {
        Self {
            readings: 1,
            power,
            low: Some(power),
            high: Some(power),
            energy: 0,
        }
    }

    pub(super) fn of_energy(energy: i64) -> Self {
        Self {
            energy,
            ..Self::default()
        }
    }

    /// Nothing is known of it: steps without data do not exist.
    pub(super) fn is_empty(&self) -> bool {
        self.readings == 0 && self.energy == 0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.readings += other.readings;
        self.power += other.power;
        // `None` sorts first, which is right for the highest only.
        self.low = self.low.into_iter().chain(other.low).min();
        self.high = self.high.max(other.high);
        self.energy += other.energy;
    }

    /// The mean power in milliwatts.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.readings > 0).then(|| self.power as f64 / self.readings as f64)
    }
}
