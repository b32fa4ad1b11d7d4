//! Bounded reading of little-endian numbers at offsets.

/// Returns the bytes at an offset.
pub(crate) fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(slice(bytes, at, 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(slice(bytes, at, 4)?.try_into().ok()?))
}

/// Returns a 32-bit number as an offset or count.
pub(crate) fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

/// A position in bytes, from which numbers of variable length are read.
#[derive(Debug, Clone)]
pub(crate) struct ByteCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteCursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Reads a ULEB128 number of at most 32 bits.
    pub(crate) fn uleb(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Reads a little-endian number of `length` bytes, 1 to 8.
    pub(crate) fn number(&mut self, length: usize) -> Option<u64> {
        let mut value = 0;
        for position in 0..length.min(8) {
            value |= u64::from(self.byte()?) << (8 * position);
        }
        Some(value)
    }

    pub(crate) fn rest(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.at..)
    }
}
