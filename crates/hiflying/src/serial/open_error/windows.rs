//! Errors of opening a serial port on Windows.

/// Codes for a file that is not a communications device: `ERROR_INVALID_FUNCTION`, and `ERROR_NOT_SUPPORTED` of other file systems.
pub(super) const NOT_SERIAL: &[i32] = &[1, 50];
