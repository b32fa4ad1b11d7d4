//! Readings that wait to be written: a bounded number of them.

use std::collections::{HashMap, VecDeque};

use hiflying::Mac;

use crate::store::{Sample, Used};

/// Readings that wait, oldest first. When there are too many the oldest goes, but not what was used until then.
#[derive(Debug)]
pub(super) struct Buffer {
    samples: VecDeque<Sample>,
    most: usize,
    dropped: u64,
    /// What plugs used according to readings that were dropped, for the next reading of each.
    owed: HashMap<Mac, Used>,
    /// The counter of each plug.
    counters: HashMap<Mac, u64>,
}

impl Buffer {
    pub(super) fn new(most: usize) -> Self {
        Self {
            samples: VecDeque::new(),
            most,
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

    /// Takes readings, and tells whether one of them should be written at once: its counter fell, so that the reading
    /// before is the last that knew the old one.
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

    /// Takes the oldest readings out.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Sample> {
        let count = most.min(self.samples.len());
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

    /// Puts readings back that could not be written.
    pub(super) fn put_back(&mut self, batch: Vec<Sample>) {
        for sample in batch.into_iter().rev() {
            self.samples.push_front(sample);
        }
        self.shorten();
    }

    fn shorten(&mut self) {
        while self.samples.len() > self.most {
            let Some(oldest) = self.samples.pop_front() else {
                break;
            };
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
