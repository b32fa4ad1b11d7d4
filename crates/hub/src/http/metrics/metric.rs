//! A metric and its value.

use prometheus_client::metrics::MetricType;

/// A metric of a plug or of the hub.
pub(super) struct Metric<T> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    /// Returns the value, or `None` if it is unknown.
    pub(super) value: fn(&T) -> Option<f64>,
}

/// Returns the value of what is true or false.
pub(super) fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}
