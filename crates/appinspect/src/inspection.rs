//! The state that the readers of all parts share.

use crate::finding::FindingCollector;
use crate::flow::Flow;
use crate::known::KnownProtocol;

/// Progress of [`crate::inspect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectProgress {
    /// Bytes of the file that are done.
    pub done: u64,
    /// Length of the file in bytes.
    pub length: u64,
}

/// The state of one inspection, which every reader of a part adds to.
pub(crate) struct Inspection<'a> {
    pub(crate) known: &'a KnownProtocol,
    pub(crate) findings: FindingCollector,
    pub(crate) flow: Flow,
    pub(crate) package: Option<String>,
    /// Number of parts that were read.
    pub(crate) parts: usize,
    /// Bytes that may yet be unpacked.
    pub(crate) unpack_budget: u64,
    pub(crate) progress: &'a mut dyn FnMut(InspectProgress),
    /// Bytes of the file that are done.
    pub(crate) done: u64,
    pub(crate) length: u64,
}
