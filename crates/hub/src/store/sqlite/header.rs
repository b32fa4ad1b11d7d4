//! The header of the file (<https://www.sqlite.org/fileformat2.html#the_database_header>).

use super::wal::word;

/// "Main", in the header of every database of Mains.
pub(super) const APPLICATION_ID: u32 = 0x4d61_696e;
/// Length of the header.
pub(super) const HEADER_BYTES: usize = 100;
/// Beginning of the header.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// Size of a page of every database of Mains.
pub(super) const PAGE_BYTES: u64 = 4096;

/// Returns the problem with the header of a file, if it has one: a field with another value than that of every database of Mains.
pub(super) fn problem(header: &[u8; HEADER_BYTES]) -> Option<&'static str> {
    if !header.starts_with(MAGIC) {
        return Some("it does not begin like a database");
    }
    // Versions of the format, reserved bytes, fractions, format of the schema, encoding.
    let is_sound = matches!(header.get(18..24), Some([1 | 2, 1 | 2, 0, 64, 32, 32]))
        && (word(header, 44), word(header, 56)) == (Some(4), Some(1));
    (is_own(header) && !is_sound).then_some("its header is damaged")
}

/// Returns true if a file says that it is of Mains.
pub(super) fn is_own(header: &[u8; HEADER_BYTES]) -> bool {
    word(header, 68) == Some(APPLICATION_ID)
}

/// Returns the length of a file by its header.
pub(super) fn noted_length(header: &[u8; HEADER_BYTES]) -> u64 {
    word(header, 28).map_or(0, |pages| u64::from(pages) * PAGE_BYTES)
}
