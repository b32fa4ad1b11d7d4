//! The takeovers that a hub remembers: those that run, and the latest that ended.

use std::collections::VecDeque;

use api::Id;
use hue::BridgeId;
use jiff::Timestamp;

use super::job::{Job, JobState};

/// So many takeovers of one bridge are remembered.
const KEPT: usize = 20;

/// The newest first.
#[derive(Debug, Default)]
pub(super) struct Jobs(VecDeque<Job>);

impl Jobs {
    /// Begins a takeover, unless one runs at that bridge: then that is the error.
    pub(super) fn begin(&mut self, bridge: &BridgeId, now: Timestamp) -> Result<Job, Id> {
        if let Some(running) = self.running(bridge) {
            return Err(running.clone());
        }
        let job = Job::new(bridge.clone(), now);
        self.0.push_front(job.clone());
        let mut of_this = 0;
        self.0.retain(|job| {
            of_this += usize::from(job.bridge == *bridge);
            job.bridge != *bridge || of_this <= KEPT
        });
        Ok(job)
    }

    /// Returns the takeover that runs at a bridge.
    pub(super) fn running(&self, bridge: &BridgeId) -> Option<&Id> {
        let is_running = |job: &&Job| job.bridge == *bridge && job.state == JobState::Running;
        self.0.iter().find(is_running).map(|job| &job.id)
    }

    /// Returns what is remembered of a bridge, the newest first.
    pub(super) fn of(&self, bridge: &BridgeId) -> Vec<Job> {
        let of_this = self.0.iter().filter(|job| job.bridge == *bridge);
        of_this.cloned().collect()
    }

    /// Returns one takeover of a bridge.
    pub(super) fn one(&self, bridge: &BridgeId, id: &Id) -> Option<Job> {
        let is_it = |job: &&Job| job.bridge == *bridge && job.id == *id;
        self.0.iter().find(is_it).cloned()
    }

    /// Changes one, and returns it as it is now.
    pub(super) fn change(&mut self, id: &Id, change: impl FnOnce(&mut Job)) -> Option<Job> {
        let job = self.0.iter_mut().find(|job| job.id == *id)?;
        change(job);
        Some(job.clone())
    }

    /// Forgets what was at a bridge.
    pub(super) fn forget(&mut self, bridge: &BridgeId) {
        self.0.retain(|job| job.bridge != *bridge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::RequestError;

    fn bridge(number: u8) -> BridgeId {
        format!("001788fffe0102{number:02x}").parse().unwrap()
    }

    #[test]
    fn one_runs_at_a_bridge_at_a_time() {
        let mut jobs = Jobs::default();
        let first = jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH),
            Err(first.id.clone())
        );
        assert!(jobs.begin(&bridge(2), Timestamp::UNIX_EPOCH).is_ok());
        let ended = jobs.change(&first.id, |job| {
            job.end(Err(RequestError::usage("no")), Timestamp::UNIX_EPOCH);
        });
        assert_eq!(ended.unwrap().state, JobState::Failed);
        assert!(jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).is_ok());
        assert_eq!(jobs.of(&bridge(1)).len(), 2);
        assert!(jobs.one(&bridge(2), &first.id).is_none());
    }

    #[test]
    fn the_latest_are_kept() {
        let mut jobs = Jobs::default();
        let other = jobs.begin(&bridge(2), Timestamp::UNIX_EPOCH).unwrap();
        let mut last = None;
        for _ in 0..3 * KEPT {
            let job = jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).unwrap();
            jobs.change(&job.id, |job| {
                job.end(Err(RequestError::usage("no")), Timestamp::UNIX_EPOCH);
            });
            last = Some(job.id);
        }
        let kept = jobs.of(&bridge(1));
        assert_eq!((kept.len(), Some(&kept[0].id)), (KEPT, last.as_ref()));
        assert_eq!(jobs.running(&bridge(2)), Some(&other.id));
    }
}
