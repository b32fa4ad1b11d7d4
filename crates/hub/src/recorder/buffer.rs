//! Bounded buffer of readings waiting to be written.

use std::collections::{HashMap, VecDeque};

use hiflying::Mac;

use crate::store::{Sample, Used};

/// Waiting readings, oldest first. Beyond the limit the oldest is dropped, but the energy used until then is kept.
#[derive(Debug)]
pub(super) struct SampleBuffer {
    samples: VecDeque<Sample>,
    max: usize,
    dropped: u64,
    /// Energy of dropped readings, to be added to the next reading of each plug.
    owed: HashMap<Mac, Used>,
    /// Last counter of each plug.
    counters: HashMap<Mac, u64>,
}

impl SampleBuffer {
    pub(super) fn new(max: usize) -> Self {
        Self {
            samples: VecDeque::new(),
            max,
            dropped: 0,
            owed: HashMap::new(),
            counters: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds readings. Returns true if one of them is urgent: its counter fell, so that the reading before it is the last with the old
    /// counter.
    pub(super) fn extend(&mut self, samples: impl Iterator<Item = Sample>) -> bool {
        let mut is_urgent = false;
        for sample in samples {
            if let Some(counter) = sample.energy.and_then(|energy| energy.counter_wh) {
                let before = self.counters.insert(sample.reading.plug, counter);
                is_urgent |= before.is_some_and(|before| counter < before);
            }
            self.samples.push_back(sample);
        }
        self.shorten();
        is_urgent
    }

    /// Removes and returns the oldest readings.
    pub(super) fn batch(&mut self, max: usize) -> Vec<Sample> {
        let count = max.min(self.samples.len());
        let mut batch: Vec<_> = self.samples.drain(..count).collect();
        if !self.owed.is_empty() {
            for sample in &mut batch {
                if let Some(owed) = self.owed.remove(&sample.reading.plug) {
                    sample.used = Some(together(owed, sample.used));
                }
            }
        }
        batch
    }

    /// Returns readings that could not be written.
    pub(super) fn put_back(&mut self, batch: Vec<Sample>) {
        for sample in batch.into_iter().rev() {
            self.samples.push_front(sample);
        }
        self.shorten();
    }

    fn shorten(&mut self) {
        while self.samples.len() > self.max {
            let oldest = self.samples.pop_front();
            let oldest = oldest.expect("there are more samples than the limit");
            self.dropped += 1;
            if let Some(used) = oldest.used {
                let plug = oldest.reading.plug;
                let owed = match self.owed.remove(&plug) {
                    Some(owed) => together(owed, Some(used)),
                    None => used,
                };
                self.owed.insert(plug, owed);
            }
        }
    }
}

fn together(owed: Used, used: Option<Used>) -> Used {
    match used {
        Some(used) => Used {
            since: owed.since.min(used.since),
            energy_wh: owed.energy_wh + used.energy_wh,
        },
        None => owed,
    }
}
