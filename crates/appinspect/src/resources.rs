//! Android's binary resources: the string pools of `resources.arsc` and of compiled XML, and the package of a manifest.
//!
//! The crate that reads these decodes a whole table to answer for one resource; here all strings are wanted and nothing else.

use std::borrow::Cow;
use std::rc::Rc;

use crate::binary::{ByteCursor, size_at, slice, u16_at, u32_at};
use crate::inspection::Inspection;
use crate::limits::MAX_STRING;
use crate::text::{TextKind, classify};

const STRING_POOL: u16 = 0x0001;
const TABLE: u16 = 0x0002;
const XML: u16 = 0x0003;
const START_ELEMENT: u16 = 0x0102;
const UTF8: u32 = 0x100;
/// Length of the head of a string pool, after which the offsets begin.
const POOL_HEAD: usize = 28;

/// Tells by the first bytes whether a part is a resource table or compiled XML.
pub(crate) fn is_resources(head: &[u8]) -> bool {
    head.starts_with(&[2, 0, 12, 0]) || head.starts_with(&[3, 0, 8, 0])
}

/// Reads the strings of a resource table or of compiled XML.
pub(crate) fn read(inspection: &mut Inspection<'_>, bytes: &[u8], place: &str) {
    let place: Rc<str> = place.into();
    let mut has_pool = false;
    for chunk in chunks(bytes) {
        if chunk.kind != STRING_POOL {
            continue;
        }
        has_pool = true;
        let pool = StringPool::new(chunk.bytes);
        if let Some(problem) = pool.problem() {
            inspection.findings.problem(&place, problem);
        }
        let (known, findings) = (inspection.known, &mut inspection.findings);
        // Strings that lie over each other would make much of little.
        let mut budget = bytes.len().saturating_mul(4);
        for index in 0..pool.count {
            let Some(text) = pool.get(index) else {
                continue;
            };
            if budget < text.len() {
                findings.problem(&place, "strings lie over each other; the rest is skipped");
                break;
            }
            budget -= text.len();
            classify(&text, TextKind::Constant, known, &mut |kind, value| {
                findings.add(kind, value, &place);
            });
        }
    }
    if !has_pool {
        inspection
            .findings
            .problem(&place, "damaged: no table of strings");
        return;
    }
    inspection.parts += 1;
    if place.rsplit('!').next() == Some("AndroidManifest.xml") && inspection.package.is_none() {
        inspection.package = package(bytes);
    }
}

/// Piece of a binary resource.
#[derive(Debug, Clone, Copy)]
struct ResourceChunk<'a> {
    kind: u16,
    bytes: &'a [u8],
}

/// Returns the pieces at the top level; a size that lies ends them.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = ResourceChunk<'_>> {
    let head = u16_at(bytes, 2).map_or(usize::MAX, usize::from);
    let is_known = matches!(u16_at(bytes, 0), Some(TABLE | XML));
    let mut at = if is_known { head } else { usize::MAX };
    std::iter::from_fn(move || {
        let kind = u16_at(bytes, at)?;
        let size = size_at(bytes, at.checked_add(4)?)?;
        let rest = bytes.get(at..)?;
        // A pool that claims more than there is can still be read.
        let content = rest.get(..size).unwrap_or(rest);
        at = at.checked_add(size.max(8))?;
        Some(ResourceChunk {
            kind,
            bytes: content,
        })
    })
}

/// Table of strings of a binary resource.
#[derive(Debug)]
struct StringPool<'a> {
    bytes: &'a [u8],
    claimed: usize,
    /// Number of strings that have room.
    count: usize,
    start: usize,
    is_utf8: bool,
}

impl<'a> StringPool<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let claimed = size_at(bytes, 8).unwrap_or(0);
        let room = bytes.len().saturating_sub(POOL_HEAD) / 4;
        Self {
            bytes,
            claimed,
            count: claimed.min(room),
            start: size_at(bytes, 20).unwrap_or(usize::MAX),
            is_utf8: u32_at(bytes, 16).is_some_and(|flags| flags & UTF8 != 0),
        }
    }

    fn problem(&self) -> Option<String> {
        (self.count < self.claimed).then(|| {
            format!(
                "the table of strings claims {} strings and has room for {}",
                self.claimed, self.count
            )
        })
    }

    fn get(&self, index: usize) -> Option<Cow<'a, str>> {
        let offset = size_at(self.bytes, POOL_HEAD.checked_add(index.checked_mul(4)?)?)?;
        let mut cursor = ByteCursor::new(self.bytes, self.start.checked_add(offset)?);
        if self.is_utf8 {
            // The length in characters, then in bytes.
            utf8_length(&mut cursor)?;
            let length = utf8_length(&mut cursor)?.min(MAX_STRING);
            return Some(String::from_utf8_lossy(slice(cursor.rest()?, 0, length)?));
        }
        let first = usize::try_from(cursor.number(2)?).ok()?;
        let length = match first & 0x8000 {
            0 => first,
            _ => (first & 0x7fff) << 16 | usize::try_from(cursor.number(2)?).ok()?,
        };
        let bytes = slice(cursor.rest()?, 0, length.min(MAX_STRING).checked_mul(2)?)?;
        let units = bytes.chunks_exact(2).filter_map(|unit| u16_at(unit, 0));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        Some(Cow::Owned(text.collect()))
    }
}

fn utf8_length(cursor: &mut ByteCursor<'_>) -> Option<usize> {
    let first = usize::from(cursor.byte()?);
    match first & 0x80 {
        0 => Some(first),
        _ => Some((first & 0x7f) << 8 | usize::from(cursor.byte()?)),
    }
}

/// Returns the package of a compiled `AndroidManifest.xml`.
fn package(bytes: &[u8]) -> Option<String> {
    let pool = StringPool::new(chunks(bytes).find(|chunk| chunk.kind == STRING_POOL)?.bytes);
    let element = chunks(bytes)
        .find(|chunk| chunk.kind == START_ELEMENT)?
        .bytes;
    // After the head of the node (16 bytes): namespace, name, then where the attributes begin, their size and number.
    let begin = 16_usize.checked_add(u16_at(element, 24)?.into())?;
    let size = usize::from(u16_at(element, 26)?);
    let count = usize::from(u16_at(element, 28)?);
    (0..count).find_map(|index| {
        let at = begin.checked_add(index.checked_mul(size)?)?;
        let name = pool.get(size_at(element, at.checked_add(4)?)?)?;
        let value = pool.get(size_at(element, at.checked_add(8)?)?)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        (name == "package" && value.len() <= 255 && value.chars().all(is_name))
            .then(|| value.into_owned())
    })
}
