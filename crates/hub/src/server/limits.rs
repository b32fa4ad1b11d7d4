//! The limits on clients.

use std::time::Duration;

use crate::http::stuck;

/// Limits on what clients can hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum number of connections.
    pub max_connections: usize,
    /// Maximum number of connections from one address that has shown credentials, or from loopback.
    pub max_connections_per_address: usize,
    /// Maximum number of connections from addresses that have shown no credentials.
    pub max_stranger_connections: usize,
    /// Maximum number of connections from one of these; a /64 network of IPv6 counts as one.
    pub max_connections_per_stranger: usize,
    /// Number of connections that only loopback can use.
    pub reserved_for_loopback: usize,
    /// Bound on the TLS handshake.
    pub handshake_timeout: Duration,
    /// Bound on the head of a request, and on the time between two requests.
    pub head_timeout: Duration,
    /// Bound on the time between two pieces of a request's body.
    pub body_timeout: Duration,
    /// Bound on the time that a client accepts nothing of a response.
    pub write_timeout: Duration,
    /// Bound on requests in progress once the hub ends.
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// The limits of a hub.
    pub const DEFAULT: Self = Self {
        max_connections: 512,
        max_connections_per_address: 256,
        max_stranger_connections: 256,
        max_connections_per_stranger: 48,
        reserved_for_loopback: 64,
        handshake_timeout: Duration::from_secs(10),
        head_timeout: Duration::from_secs(15),
        body_timeout: Duration::from_secs(10),
        write_timeout: stuck::WRITE_TIMEOUT,
        shutdown_timeout: Duration::from_millis(1_500),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
