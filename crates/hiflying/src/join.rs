//! Putting a module on a network: the sequence, its proof, and the way back when it fails.

mod report;

pub use report::{
    JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, JoinStep, ModuleState,
    RejoinReason, StepName,
};
