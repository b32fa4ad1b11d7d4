//! Knowledge of devices, before an app is opened.

/// Facts that are known of devices, which an app is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownProtocol {
    /// Discovery words.
    pub words: Vec<String>,
    /// Ports that are telling wherever they stand in an app.
    pub ports: Vec<u16>,
}
