//! Stages of a join: the command in flight, the restart that is watched, and the settings to write back.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Instant;

use super::report::StepName;
use crate::session::{CommandId, RestartWatch, SessionTest};
use crate::settings::{Mode, OnOff};
use crate::{AtRequest, AtValue};

/// Purpose of the command in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinCommand {
    ReadMode,
    ReadMac,
    ReadSsid,
    ReadKey,
    ReadWan,
    Scan,
    /// `WMODE=APSTA`, with the number of earlier tries.
    SetApSta(u8),
    /// `FAPSTA=on` and `off`, the HF-A11's spelling.
    SetFapsta(OnOff),
    SetSsid,
    SetKey,
    CheckSsid,
    CheckKey,
    CheckMode(RestartPurpose),
    /// Writes the mode again that did not read back.
    RepeatMode(RestartPurpose),
    /// `WANN=DHCP`, then the padded form.
    SetDhcp {
        padded: bool,
    },
    /// `WMODE=STA` without proof of the key.
    SetStationDirect,
    ReadLink,
    /// Reads the address, which proves a link whose status is unclear.
    CheckLink,
    ReadLease,
    Ping(Ipv4Addr),
    /// `WMODE=STA` after the proof.
    SetStation,
    Restore,
    /// Reads a setting that was written back, with the number of earlier tries.
    CheckRestored(RestoredSetting, u8),
}

impl JoinCommand {
    /// Returns the step to which the command belongs.
    pub(super) fn step(self) -> StepName {
        match self {
            Self::SetApSta(_) | Self::SetFapsta(_) | Self::CheckMode(_) | Self::RepeatMode(_) => {
                StepName::Mode
            }
            Self::SetSsid => StepName::Ssid,
            Self::SetKey => StepName::Key,
            Self::CheckSsid | Self::CheckKey => StepName::ReadBack,
            Self::SetDhcp { .. } => StepName::Dhcp,
            Self::SetStationDirect | Self::SetStation => StepName::Station,
            Self::ReadLink | Self::CheckLink => StepName::Link,
            Self::ReadLease => StepName::Lease,
            Self::Ping(_) => StepName::Ping,
            Self::Scan => StepName::Scan,
            Self::Restore | Self::CheckRestored(..) => StepName::RollBack,
            Self::ReadMode | Self::ReadMac | Self::ReadSsid | Self::ReadKey | Self::ReadWan => {
                StepName::Read
            }
        }
    }
}

/// A setting that is read after it was written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestoredSetting {
    Mode,
    Ssid,
    Key,
    Wan,
}

impl RestoredSetting {
    /// Returns the step in which the setting was changed.
    pub(super) fn step(self) -> StepName {
        match self {
            Self::Mode => StepName::Mode,
            Self::Ssid => StepName::Ssid,
            Self::Key => StepName::Key,
            Self::Wan => StepName::Dhcp,
        }
    }
}

/// The roll-back of the settings that a join has changed.
#[derive(Debug, Default)]
pub(super) struct RollBack {
    /// Requests that are still to be sent.
    pub(super) requests: VecDeque<AtRequest>,
    /// Settings that are still to be read back.
    pub(super) checks: VecDeque<RestoredSetting>,
    /// Settings that were not proven to be as before.
    pub(super) unproven: Vec<StepName>,
    /// True if a placeholder was written instead of the empty network name.
    pub(super) has_placeholder: bool,
    /// True once all that can be read before the restart was read.
    pub(super) is_written: bool,
}

/// Purpose of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartPurpose {
    /// Prove the key as access point and station.
    Proof,
    /// Leave the access point after the proof.
    Station,
    /// Leave without proof.
    Direct,
    /// Run with the previous settings again.
    RollBack,
}

impl RestartPurpose {
    /// Returns the mode in which the radio runs after the restart.
    pub(super) fn mode(self) -> Mode {
        match self {
            Self::Proof => Mode::ApSta,
            Self::Station | Self::Direct | Self::RollBack => Mode::Sta,
        }
    }
}

#[derive(Debug)]
pub(super) enum JoinStage {
    /// Waiting for the session to open.
    Opening,
    /// Waiting for the reply to a command.
    AwaitingReply(JoinCommand, CommandId),
    /// Waiting until the next command is due.
    Pausing(Instant, JoinCommand),
    /// `AT+Z` has been sent.
    Restarting(RestartWatch, RestartPurpose),
    /// Waiting for the caller to connect to the access point again.
    AwaitingRejoin(Option<RestartWatch>, RestartPurpose),
    /// The caller is back: a reply now means that the module may not have restarted at all.
    CheckingSilence(Instant, RestartWatch, RestartPurpose),
    /// The module replied too soon: either it has not restarted, or it needs no opening.
    TestingSession(SessionTest, RestartPurpose),
    /// The module has not restarted: opening its session to restart it once more.
    Reopening(RestartPurpose),
    /// Waiting for the session to open after a restart.
    Returning(Option<RestartWatch>, RestartPurpose),
    Finished,
}

/// Settings before the join, as bytes; `None` where they could not be read.
#[derive(Debug, Default)]
pub(super) struct PreviousSettings {
    pub(super) mode: Option<Mode>,
    pub(super) ssid: Option<AtValue>,
    pub(super) key: Option<AtValue>,
    pub(super) wan: Option<AtValue>,
}

/// A flag for each setting that a join can change.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChangedSettings {
    pub(super) mode: bool,
    pub(super) fapsta: bool,
    pub(super) ssid: bool,
    pub(super) key: bool,
    pub(super) wan: bool,
}

impl ChangedSettings {
    /// Returns the flag of the setting that a command writes.
    pub(super) fn written_by(&mut self, command: JoinCommand) -> Option<&mut bool> {
        match command {
            JoinCommand::SetApSta(_)
            | JoinCommand::RepeatMode(_)
            | JoinCommand::SetStationDirect
            | JoinCommand::SetStation => Some(&mut self.mode),
            JoinCommand::SetFapsta(_) => Some(&mut self.fapsta),
            JoinCommand::SetSsid => Some(&mut self.ssid),
            JoinCommand::SetKey => Some(&mut self.key),
            JoinCommand::SetDhcp { .. } => Some(&mut self.wan),
            _ => None,
        }
    }
}
