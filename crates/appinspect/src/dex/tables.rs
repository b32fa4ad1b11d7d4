//! The tables of a DEX file.

use std::borrow::Cow;

use noak::MStr;

use crate::binary::{ByteCursor, size_at, u16_at, u32_at};
use crate::limits::MAX_STRING;

/// Maximum length of a descriptor in bytes; longer ones belong to no call that is telling.
const MAX_DESCRIPTOR: usize = 1024;

/// Rows of a table of fixed size.
#[derive(Debug, Clone, Copy)]
pub(super) struct DexTable {
    pub(super) claimed: usize,
    /// Number of rows that have room.
    pub(super) count: usize,
    start: usize,
    row: usize,
}

impl DexTable {
    fn new(bytes: &[u8], head: usize, row: usize) -> Self {
        let claimed = size_at(bytes, head).unwrap_or(0);
        let start = size_at(bytes, head + 4).unwrap_or(usize::MAX);
        let count = claimed.min(bytes.len().saturating_sub(start) / row);
        Self {
            claimed,
            count,
            start,
            row,
        }
    }

    pub(super) fn offset(self, index: u32) -> Option<usize> {
        let index = usize::try_from(index)
            .ok()
            .filter(|index| *index < self.count)?;
        Some(self.start + index * self.row)
    }
}

/// A DEX file as tables of its bytes.
#[derive(Debug)]
pub(super) struct Dex<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) strings: DexTable,
    pub(super) types: DexTable,
    pub(super) prototypes: DexTable,
    pub(super) fields: DexTable,
    pub(super) methods: DexTable,
    pub(super) classes: DexTable,
}

impl<'a> Dex<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let table = |head, row| DexTable::new(bytes, head, row);
        Self {
            bytes,
            strings: table(56, 4),
            types: table(64, 4),
            prototypes: table(72, 12),
            fields: table(80, 8),
            methods: table(88, 8),
            classes: table(96, 32),
        }
    }

    pub(super) fn string(&self, index: u32) -> Option<Cow<'a, str>> {
        let offset = size_at(self.bytes, self.strings.offset(index)?)?;
        let mut cursor = ByteCursor::new(self.bytes, offset);
        // The length in UTF-16 units; the end is a zero byte.
        cursor.uleb()?;
        let rest = cursor.rest()?;
        let rest = rest.get(..MAX_STRING).unwrap_or(rest);
        let bytes = rest.split(|byte| *byte == 0).next()?;
        Some(match MStr::from_mutf8(bytes) {
            Ok(text) => text
                .to_str()
                .map_or_else(|| Cow::Owned(text.chars_lossy().collect()), Cow::Borrowed),
            Err(_) => String::from_utf8_lossy(bytes),
        })
    }

    /// Returns the descriptor of a type, such as `Lcom/example/Control;`.
    pub(super) fn type_name(&self, index: u32) -> Option<Cow<'a, str>> {
        self.string(u32_at(self.bytes, self.types.offset(index)?)?)
    }

    pub(super) fn type_at(&self, at: usize) -> Option<Cow<'a, str>> {
        self.type_name(u16_at(self.bytes, at)?.into())
    }

    /// Returns the descriptor of a method, such as `(Ljava/lang/String;I)V`.
    pub(super) fn descriptor(&self, prototype: u32) -> Option<String> {
        let at = self.prototypes.offset(prototype)?;
        let mut text = "(".to_owned();
        let list = size_at(self.bytes, at + 8)?;
        if list != 0 {
            let count = size_at(self.bytes, list)?.min(255);
            for position in 0..count {
                text.push_str(&self.type_at(list.checked_add(4 + 2 * position)?)?);
                if text.len() > MAX_DESCRIPTOR {
                    return None;
                }
            }
        }
        text.push(')');
        text.push_str(&self.type_name(u32_at(self.bytes, at + 4)?)?);
        Some(text)
    }
}
