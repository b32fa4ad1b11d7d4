//! The errors of contact with a plug.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hiflying::net::BindError;

use crate::command::{Capability, Minutes, PlugCommand};
use crate::exchange::{ExchangeError, NoReplyReason};
use crate::{FamilyId, Plug};

/// A plug that could not be contacted, or did not execute a command.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// No reply in time.
    #[error("{}", describe_silence(*.address, *.how))]
    NoAnswer {
        /// The plug's address.
        address: Ipv4Addr,
        /// The reason for the missing reply.
        how: NoReplyReason,
    },
    /// The plug answers probes, but not commands.
    #[error("the plug at {address} answers the scan, but takes no commands: {how}")]
    NoCommands {
        /// The plug's address.
        address: Ipv4Addr,
        /// The reason for the missing reply.
        how: NoReplyReason,
    },
    /// The plug refused.
    #[error("the plug at {address} refused to {command}: it answered '{reply}'")]
    Refused {
        /// The plug's address.
        address: Ipv4Addr,
        /// The command.
        command: PlugCommand,
        /// Its reply, shortened.
        reply: String,
    },
    /// The reply is unintelligible.
    #[error("the answer of {address} cannot be understood: '{reply}'")]
    BadAnswer {
        /// The plug's address.
        address: Ipv4Addr,
        /// Its reply, shortened.
        reply: String,
    },
    /// The plug would reply to a local port that another program has.
    #[error("a plug at {address} would not be heard")]
    PortTaken {
        /// The plug's address.
        address: Ipv4Addr,
        /// The port, and the program that has it.
        #[source]
        error: Arc<BindError>,
    },
    /// The device lacks the ability.
    #[error("the device at {address} is of the family '{family}', which cannot {command}")]
    Unsupported {
        /// The device's address.
        address: Ipv4Addr,
        /// Its family.
        family: FamilyId,
        /// The command.
        command: PlugCommand,
    },
    /// The plug's own timer does not last that long.
    #[error("the timer of the plug at {address} ends at {max} minutes")]
    DelayTooLong {
        /// The plug's address.
        address: Ipv4Addr,
        /// The longest delay.
        max: Minutes,
    },
    /// Too many commands wait for the plug.
    #[error("too many commands wait for the plug at {address}")]
    Busy {
        /// The plug's address.
        address: Ipv4Addr,
    },
    /// The command yielded to another one, or no longer applies.
    #[error("the command to the plug at {address} was withdrawn")]
    Withdrawn {
        /// The plug's address.
        address: Ipv4Addr,
    },
    /// The plug's task has ended.
    #[error("contact with the plug at {address} has ended")]
    Ended {
        /// The plug's address.
        address: Ipv4Addr,
    },
    /// The system refused an operation.
    #[error("cannot contact {address}")]
    Io {
        /// The plug's address.
        address: Ipv4Addr,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl ContactError {
    pub(super) fn of_exchange(
        address: Ipv4Addr,
        command: PlugCommand,
        error: ExchangeError,
    ) -> Self {
        match error {
            ExchangeError::NoReply(how) => Self::NoAnswer { address, how },
            ExchangeError::Refused(reply) => Self::Refused {
                address,
                command,
                reply,
            },
            ExchangeError::BadAnswer(reply) => Self::BadAnswer { address, reply },
        }
    }

    pub(super) fn unsupported(plug: &Plug, command: PlugCommand) -> Self {
        Self::Unsupported {
            address: plug.address,
            family: plug.family,
            command,
        }
    }

    /// Returns whether there was no reply.
    pub(super) fn is_no_answer(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::NoCommands { .. })
    }

    /// Returns advice for the user.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCommands { how: NoReplyReason::Refused, .. } | Self::NoAnswer { how: NoReplyReason::Refused, .. } => {
                "a plug has few connections, and others may hold them all; wait a minute, or unplug it shortly".to_owned()
            }
            Self::NoCommands { .. } => "unplug it shortly: a plug whose command port hangs recovers when it restarts".to_owned(),
            Self::NoAnswer { .. } => {
                let advice = "is it plugged in and on this network? `mains discover` shows the plugs that answer";
                match hiflying::net::same_network() {
                    Some(twins) => format!("{advice}; {twins}: name the one with the plug by `--interface`"),
                    None => advice.to_owned(),
                }
            }
            Self::Refused { .. } => "`mains status` shows its state now".to_owned(),
            Self::BadAnswer { address, .. } => format!("is it a plug at all? `mains probe {address}` looks closer"),
            Self::Unsupported { command, .. } if command.capability() == Capability::Meter => {
                "this kind of plug has no meter; `mains status` reads its relay".to_owned()
            }
            Self::Unsupported { address, .. } => format!("`mains probe {address}` looks closer"),
            Self::PortTaken { .. } => "end the program that holds the port, then try again".to_owned(),
            Self::DelayTooLong { .. } => "a schedule of the hub has no such limit".to_owned(),
            Self::Busy { .. } => "wait until the plug has answered, then try again".to_owned(),
            Self::Withdrawn { .. } | Self::Ended { .. } | Self::Io { .. } => return None,
        })
    }
}

fn describe_silence(address: Ipv4Addr, how: NoReplyReason) -> String {
    match how {
        NoReplyReason::NoReply => format!("nothing answers at {address}"),
        _ => format!("{address} does not answer: {how}"),
    }
}
