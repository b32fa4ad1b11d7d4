//! The running takeovers and the latest that have ended.

use std::collections::VecDeque;

use api::{Id, TakeoverJob, TakeoverState};
use hue::BridgeId;
use jiff::Timestamp;

/// Maximum number of takeovers kept for one bridge.
const MAX_JOBS: usize = 20;

/// Takeovers, newest first.
#[derive(Debug, Default)]
pub(super) struct TakeoverJobs(VecDeque<TakeoverJob>);

impl TakeoverJobs {
    /// Begins a takeover. Fails with the id of the takeover that is already running on that bridge.
    pub(super) fn begin(&mut self, bridge: &BridgeId, now: Timestamp) -> Result<TakeoverJob, Id> {
        if let Some(running) = self.running(bridge) {
            return Err(running.clone());
        }
        let job = TakeoverJob::new(bridge.clone(), now);
        self.0.push_front(job.clone());
        let mut of_this = 0;
        self.0.retain(|job| {
            of_this += usize::from(job.bridge == *bridge);
            job.bridge != *bridge || of_this <= MAX_JOBS
        });
        Ok(job)
    }

    /// Returns the takeover that runs on a bridge.
    pub(super) fn running(&self, bridge: &BridgeId) -> Option<&Id> {
        let is_running =
            |job: &&TakeoverJob| job.bridge == *bridge && job.state == TakeoverState::Running;
        self.0.iter().find(is_running).map(|job| &job.id)
    }

    /// Returns the takeovers of a bridge, newest first.
    pub(super) fn of(&self, bridge: &BridgeId) -> Vec<TakeoverJob> {
        let of_this = self.0.iter().filter(|job| job.bridge == *bridge);
        of_this.cloned().collect()
    }

    /// Returns one takeover of a bridge.
    pub(super) fn one(&self, bridge: &BridgeId, id: &Id) -> Option<TakeoverJob> {
        let is_it = |job: &&TakeoverJob| job.bridge == *bridge && job.id == *id;
        self.0.iter().find(is_it).cloned()
    }

    /// Changes a takeover and returns its new state.
    pub(super) fn change(
        &mut self,
        id: &Id,
        change: impl FnOnce(&mut TakeoverJob),
    ) -> Option<TakeoverJob> {
        let job = self.0.iter_mut().find(|job| job.id == *id)?;
        change(job);
        Some(job.clone())
    }

    /// Removes the takeovers of a bridge.
    pub(super) fn remove_all(&mut self, bridge: &BridgeId) {
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
        let mut jobs = TakeoverJobs::default();
        let first = jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH),
            Err(first.id.clone())
        );
        assert!(jobs.begin(&bridge(2), Timestamp::UNIX_EPOCH).is_ok());
        let ended = jobs.change(&first.id, |job| {
            job.end(Err(RequestError::usage("no")), Timestamp::UNIX_EPOCH);
        });
        assert_eq!(ended.unwrap().state, TakeoverState::Failed);
        assert!(jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).is_ok());
        assert_eq!(jobs.of(&bridge(1)).len(), 2);
        assert!(jobs.one(&bridge(2), &first.id).is_none());
    }

    #[test]
    fn the_latest_are_kept() {
        let mut jobs = TakeoverJobs::default();
        let other = jobs.begin(&bridge(2), Timestamp::UNIX_EPOCH).unwrap();
        let mut last = None;
        for _ in 0..3 * MAX_JOBS {
            let job = jobs.begin(&bridge(1), Timestamp::UNIX_EPOCH).unwrap();
            jobs.change(&job.id, |job| {
                job.end(Err(RequestError::usage("no")), Timestamp::UNIX_EPOCH);
            });
            last = Some(job.id);
        }
        let kept = jobs.of(&bridge(1));
        assert_eq!((kept.len(), Some(&kept[0].id)), (MAX_JOBS, last.as_ref()));
        assert_eq!(jobs.running(&bridge(2)), Some(&other.id));
    }
}
