//! Shared access to a room: the sockets of its bridges, and the person in it who presses buttons.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::super::bulb::{BulbSpec, BulbView};
use super::super::config::{BridgeConfig, RoomError};
use super::super::fault::BridgeFault;
use super::super::reply::{BridgeAnswer, RoomRequest};
use super::super::room::Room;
use super::super::touchlink::TouchlinkScript;

/// A shared room: its clones are one room.
#[derive(Debug, Clone)]
pub struct RoomHandle(pub(super) Arc<Mutex<Room>>);

impl RoomHandle {
    /// Makes a room now.
    ///
    /// # Errors
    ///
    /// [`RoomError`] when a bulb belongs to a bridge that there is not.
    pub fn new(bridges: Vec<BridgeConfig>, bulbs: &[BulbSpec]) -> Result<Self, RoomError> {
        let room = Room::new(Instant::now(), crate::clock::now(), bridges, bulbs)?;
        Ok(Self(Arc::new(Mutex::new(room))))
    }

    /// Presses the link button of every bridge.
    pub fn press_all(&self) {
        let mut room = self.0.lock();
        let count = room.bridges().len();
        for bridge in 0..count {
            room.press(Instant::now(), bridge);
        }
    }

    /// Presses the link button of one bridge, counted from 0.
    pub fn press(&self, bridge: usize) {
        self.0.lock().press(Instant::now(), bridge);
    }

    /// Switches every bulb off and on again.
    pub fn power_cycle(&self) {
        for bulb in 0..self.bulbs().len() {
            self.power(bulb, false);
            self.power(bulb, true);
        }
    }

    /// Gives a bulb, counted from 0, mains power, or takes it away.
    pub fn power(&self, bulb: usize, is_powered: bool) {
        self.0.lock().power(Instant::now(), bulb, is_powered);
    }

    /// Returns the present state of each bulb.
    pub fn bulbs(&self) -> Vec<BulbView> {
        self.0.lock().bulbs(Instant::now())
    }

    /// Returns the configuration of each bridge; ports that were 0 are the ones taken once it is open.
    pub fn bridges(&self) -> Vec<BridgeConfig> {
        self.0.lock().bridges().cloned().collect()
    }

    /// Replaces the faults of a bridge. Those of its ports and certificate count from its start only.
    pub fn replace_faults(&self, bridge: usize, faults: Vec<BridgeFault>) {
        self.0.lock().replace_faults(Instant::now(), bridge, faults);
    }

    /// Removes every application of a bridge.
    pub fn revoke_keys(&self, bridge: usize) {
        self.0.lock().revoke_keys(Instant::now(), bridge);
    }

    pub(super) fn request(&self, bridge: usize, request: &RoomRequest<'_>) -> BridgeAnswer {
        self.0.lock().request(Instant::now(), bridge, request)
    }

    pub(super) fn touchlink(&self, bridge: usize) -> TouchlinkScript {
        self.0.lock().touchlink(Instant::now(), bridge)
    }

    pub(super) fn events(&self, bridge: usize, seen: Option<u64>) -> (u64, String) {
        self.0.lock().events(Instant::now(), bridge, seen)
    }

    pub(super) fn secrets(&self, bridge: usize) -> Vec<String> {
        self.0.lock().secrets(bridge)
    }
}
