//! Dalvik code (DEX): the table of strings, which classes use them, and the code that uses constants.
//!
//! Sizes and offsets of a file are claims. Tables are cut to the room that the file has, strings and code that lie over each
//! other end when they come to more than the file could hold, and whatever an index does not reach is left out.

mod code;
mod insn;
mod symbols;
mod tables;

use std::rc::Rc;

use self::code::CodeReader;
use self::symbols::DexSymbols;
use self::tables::Dex;
use crate::binary::{ByteCursor, size_at, u32_at};
use crate::class::is_port_name;
use crate::finding::FindingKind;
use crate::flow::{FlowSlot, FlowValue};
use crate::inspection::Inspection;
use crate::limits::MAX_NAME;

const HEADER: usize = 112;
const LITTLE_ENDIAN: u32 = 0x1234_5678;
const NO_INDEX: u32 = u32::MAX;

/// Tells by the first bytes whether a part is a DEX file.
pub(crate) fn is_dex(head: &[u8]) -> bool {
    head.starts_with(b"dex\n0") && head.get(7) == Some(&0)
}

/// Reads a DEX file.
pub(crate) fn read(inspection: &mut Inspection<'_>, bytes: &[u8], place: &str) {
    if u32_at(bytes, 40) != Some(LITTLE_ENDIAN) || bytes.len() < HEADER {
        inspection
            .findings
            .problem(place, "damaged: no head of a DEX file");
        return;
    }
    let dex = Dex::new(bytes);
    for (table, what) in [
        (dex.strings, "strings"),
        (dex.types, "types"),
        (dex.prototypes, "prototypes"),
        (dex.fields, "fields"),
        (dex.methods, "methods"),
        (dex.classes, "classes"),
    ] {
        if table.count < table.claimed {
            let text = format!(
                "claims {} {what} and has room for {}",
                table.claimed, table.count
            );
            inspection.findings.problem(place, text);
        }
    }
    inspection.parts += 1;
    let mut reader = DexReader {
        symbols: DexSymbols::new(inspection, &dex, place),
        place: place.into(),
        // Each takes two bytes or more, so a file cannot have as many as it has bytes, unless classes or methods share them.
        budget: bytes.len(),
    };
    reader.classes();
    reader.symbols.report_unused(place);
}

struct DexReader<'i, 'a, 'd> {
    symbols: DexSymbols<'i, 'a, 'd>,
    /// Place of the file.
    place: Rc<str>,
    /// Fields, methods and code units that may yet be read.
    budget: usize,
}

impl DexReader<'_, '_, '_> {
    fn classes(&mut self) {
        for index in 0..u32::try_from(self.symbols.dex.classes.count).unwrap_or(u32::MAX) {
            let Some(at) = self.symbols.dex.classes.offset(index) else {
                break;
            };
            if self.class(at).is_none() && self.budget > 0 {
                let text = format!("class {index} is damaged; read as far as possible");
                self.symbols.inspection.findings.problem(&self.place, text);
            }
            if self.budget == 0 {
                let text =
                    "classes or methods share their content many times over; the rest is skipped";
                self.symbols.inspection.findings.problem(&self.place, text);
                break;
            }
        }
    }

    fn class(&mut self, at: usize) -> Option<()> {
        let bytes = self.symbols.dex.bytes;
        let class = self.symbols.dex.type_name(u32_at(bytes, at)?)?;
        let shown = class.strip_prefix('L').unwrap_or(&class);
        let shown = shown.strip_suffix(';').unwrap_or(shown).replace('/', ".");
        let shown: String = shown.chars().take(MAX_NAME).collect();
        self.symbols.class_place = format!("{}: {shown}", self.place).into();
        let data = size_at(bytes, at + 24)?;
        if data == 0 {
            return Some(());
        }
        let mut cursor = ByteCursor::new(bytes, data);
        let [static_fields, instance_fields, direct, all_virtual] = [
            cursor.uleb()?,
            cursor.uleb()?,
            cursor.uleb()?,
            cursor.uleb()?,
        ];
        let mut fields = Vec::new();
        let mut field = 0_u32;
        for _ in 0..static_fields {
            field = field.checked_add(cursor.uleb()?)?;
            cursor.uleb()?;
            self.spend(1)?;
            fields.push(field);
        }
        let values = size_at(bytes, at + 28)?;
        if values != 0 {
            self.static_values(&fields, values);
        }
        for _ in 0..instance_fields {
            cursor.uleb()?;
            cursor.uleb()?;
            self.spend(1)?;
        }
        for count in [direct, all_virtual] {
            let mut method = 0_u32;
            for _ in 0..count {
                method = method.checked_add(cursor.uleb()?)?;
                let flags = cursor.uleb()?;
                let code = cursor.uleb()?;
                self.spend(1)?;
                if code != 0 {
                    let is_static = flags & 0x8 != 0;
                    let read = CodeReader::new(&mut self.symbols, method, is_static)
                        .read(usize::try_from(code).ok()?, self.budget);
                    self.spend(read.unwrap_or(0))?;
                }
            }
        }
        Some(())
    }

    /// Takes from the budget; nothing when it is used up.
    fn spend(&mut self, units: usize) -> Option<()> {
        self.budget = self.budget.saturating_sub(units);
        (self.budget > 0).then_some(())
    }

    /// Takes the values with which static fields begin.
    fn static_values(&mut self, fields: &[u32], at: usize) -> Option<()> {
        let mut cursor = ByteCursor::new(self.symbols.dex.bytes, at);
        let count = usize::try_from(cursor.uleb()?).ok()?;
        for field in fields.iter().take(count) {
            let value = match encoded_value(&mut cursor)? {
                EncodedValue::Text(index) => self.symbols.text(index),
                EncodedValue::Number(number) => {
                    self.symbols.number(number);
                    let name = self.symbols.field_name(*field);
                    if name.is_some_and(|name| is_port_name(&name)) && (1..=65535).contains(&number)
                    {
                        self.symbols.add(FindingKind::Port, &number.to_string());
                    }
                    Some(FlowValue::Number(number))
                }
                EncodedValue::Other => None,
            };
            if let (Some(value), Some(id)) = (value, self.symbols.field(*field)) {
                self.symbols.inspection.flow.assign(
                    value,
                    FlowSlot::Field(id),
                    &self.symbols.class_place,
                );
            }
        }
        Some(())
    }
}

/// Value of a static field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EncodedValue {
    Text(u32),
    Number(i32),
    Other,
}

/// Reads one value; nothing for one whose end is not known, such as an array.
fn encoded_value(cursor: &mut ByteCursor<'_>) -> Option<EncodedValue> {
    let head = cursor.byte()?;
    let (kind, length) = (head & 0x1f, usize::from(head >> 5) + 1);
    match kind {
        // byte, short, char, int
        0x00 | 0x02 | 0x03 | 0x04 if length <= 4 => {
            let number = u32::try_from(cursor.number(length)?).ok()?;
            let unused = 32 - 8 * u32::try_from(length).ok()?;
            let [a, b, c, d] = (number << unused).to_le_bytes();
            let signed = i32::from_le_bytes([a, b, c, d]);
            Some(EncodedValue::Number(if kind == 0x03 {
                i32::try_from(number).ok()?
            } else {
                signed >> unused
            }))
        }
        0x17 => Some(EncodedValue::Text(
            u32::try_from(cursor.number(length)?).ok()?,
        ))
        .filter(|value| *value != EncodedValue::Text(NO_INDEX)),
        // null, boolean
        0x1e | 0x1f => Some(EncodedValue::Other),
        // array, annotation
        0x1c | 0x1d => None,
        _ => {
            cursor.number(length)?;
            Some(EncodedValue::Other)
        }
    }
}
