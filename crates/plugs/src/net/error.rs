//! Why a plug could not be contacted.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hiflying::net::BindError;

use crate::FamilyId;
use crate::exchange::{ExchangeError, Order, Silence};

/// Why a plug could not be contacted, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Nothing came back in time.
    #[error("{address} does not answer: {how}")]
    NoAnswer {
        /// Where.
        address: Ipv4Addr,
        /// In what way.
        how: Silence,
    },
    /// The plug said no.
    #[error("the plug at {address} refused to {order}: it answered '{reply}'")]
    Refused {
        /// Where.
        address: Ipv4Addr,
        /// What it was told.
        order: Order,
        /// Its answer, shortened.
        reply: String,
    },
    /// It answered something that cannot be understood.
    #[error("the answer of {address} cannot be understood: '{reply}'")]
    BadAnswer {
        /// Where.
        address: Ipv4Addr,
        /// Its answer, shortened.
        reply: String,
    },
    /// It would answer to a port of ours that another program has.
    #[error("a plug at {address} would not be heard")]
    PortTaken {
        /// Where.
        address: Ipv4Addr,
        /// Which port, and who has it.
        #[source]
        error: Arc<BindError>,
    },
    /// What is there cannot do that.
    #[error("the device at {address} is a '{family}', which cannot {order}")]
    Unsupported {
        /// Where.
        address: Ipv4Addr,
        /// What it is.
        family: FamilyId,
        /// What it was told.
        order: Order,
    },
    /// The system does not let us.
    #[error("cannot contact {address}")]
    Io {
        /// Where.
        address: Ipv4Addr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl ContactError {
    pub(super) fn of_exchange(address: Ipv4Addr, order: Order, error: ExchangeError) -> Self {
        match error {
            ExchangeError::NoAnswer(how) => Self::NoAnswer { address, how },
            ExchangeError::Refused(reply) => Self::Refused {
                address,
                order,
                reply,
            },
            ExchangeError::BadAnswer(reply) => Self::BadAnswer { address, reply },
        }
    }
}
