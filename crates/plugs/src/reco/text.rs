//! Conversion of a peer's bytes to text.

/// Drops padding around a message: line ends, the NULs of fixed buffers, blanks.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0' | b' ' | b'\t');
    let start = bytes
        .iter()
        .position(|byte| !is_padding(byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !is_padding(byte))
        .map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// Returns text from a peer, fit for a terminal: no control characters, only valid UTF-8.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
