//! Reads a write-ahead log (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).

use std::collections::HashMap;
use std::ops::Range;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The first four bytes; the last bit is set if checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// The committed pages in a log.
#[derive(Debug, Default)]
pub(super) struct Wal {
    bytes: Vec<u8>,
    /// Latest committed content of each page.
    pages: HashMap<u32, Range<usize>>,
    /// Size of the database after the last commit, in pages.
    size: Option<u32>,
}

impl Wal {
    /// Reads the committed frames of a log; the first that does not fit ends it.
    pub(super) fn read(bytes: Vec<u8>) -> Self {
        let mut wal = Self {
            bytes,
            ..Self::default()
        };
        wal.index();
        wal
    }

    /// Returns the latest committed content of a page, if it is in the log.
    pub(super) fn page(&self, number: u32) -> Option<&[u8]> {
        self.bytes.get(self.pages.get(&number)?.clone())
    }

    /// Returns the size of the database in pages; `None` if nothing is committed in the log.
    pub(super) fn size(&self) -> Option<u32> {
        self.size
    }

    /// Returns the size of a page in bytes.
    pub(super) fn page_bytes(&self) -> Option<usize> {
        usize::try_from(word(&self.bytes, 8)?).ok()
    }

    /// Returns `None` at the end of the log.
    fn index(&mut self) -> Option<()> {
        let magic = word(&self.bytes, 0)?;
        if magic & !1 != MAGIC {
            return None;
        }
        let is_big_endian = magic & 1 == 1;
        let page_bytes = self.page_bytes()?;
        let salt = self.bytes.get(16..24)?.to_vec();
        let mut sum = checksum((0, 0), self.bytes.get(..24)?, is_big_endian);
        let mut at = HEADER_BYTES;
        // Pages of the transaction whose commit is yet to come.
        let mut open = HashMap::new();
        loop {
            let frame = self.bytes.get(at..at + FRAME_HEADER_BYTES)?;
            let page = at + FRAME_HEADER_BYTES..at + FRAME_HEADER_BYTES + page_bytes;
            sum = checksum(sum, frame.get(..8)?, is_big_endian);
            sum = checksum(sum, self.bytes.get(page.clone())?, is_big_endian);
            let is_sound = (word(frame, 16)?, word(frame, 20)?) == sum;
            if frame.get(8..16)? != salt || !is_sound {
                return None;
            }
            let (number, size) = (word(frame, 0)?, word(frame, 4)?);
            at = page.end;
            open.insert(number, page);
            if size > 0 {
                self.pages.extend(open.drain());
                self.size = Some(size);
            }
        }
    }
}

/// Reads a number of four bytes.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Continues a checksum over pairs of words.
fn checksum(sum: (u32, u32), bytes: &[u8], is_big_endian: bool) -> (u32, u32) {
    let (words, _) = bytes.as_chunks::<4>();
    let read = |word: &[u8; 4]| match is_big_endian {
        true => u32::from_be_bytes(*word),
        false => u32::from_le_bytes(*word),
    };
    let (pairs, _) = words.as_chunks::<2>();
    pairs.iter().fold(sum, |(first, second), [a, b]| {
        let first = first.wrapping_add(read(a)).wrapping_add(second);
        (first, second.wrapping_add(read(b)).wrapping_add(first))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), is_log in any::<bool>()) {
            let mut bytes = bytes;
            if is_log && bytes.len() > 12 {
                bytes[..4].copy_from_slice(&MAGIC.to_be_bytes());
                bytes[8..12].copy_from_slice(&16_u32.to_be_bytes());
            }
            prop_assert_eq!(Wal::read(bytes).size(), None);
        }
    }
}
