//! Sums over a span of time: its readings and the energy used in it.

/// Sums and extremes in the database's own integers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SpanSum {
    /// Number of readings with a power.
    pub(super) readings: i64,
    /// Sum of their powers.
    pub(super) power: i64,
    /// Lowest power.
    pub(super) low: Option<i64>,
    /// Highest power.
    pub(super) high: Option<i64>,
    /// Energy used.
    pub(super) energy: i64,
}

impl SpanSum {
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

    /// Returns true if nothing is known of the span.
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

    /// Returns the mean power in milliwatts.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.readings > 0).then(|| self.power as f64 / self.readings as f64)
    }
}
