//! Walks the code of one method from its first instruction to its last and follows constants through its registers.

use std::collections::HashMap;

use super::insn;
use super::symbols::DexSymbols;
use crate::binary::{size_at, slice, u16_at};
use crate::flow::{FlowSlot, FlowValue};

/// Head of a code item, before the instructions.
const CODE_HEAD: usize = 16;
/// Maximum length of an array whose content is followed.
const MAX_ARRAY: usize = 256;

/// Reader of the code of one method.
pub(super) struct CodeReader<'r, 'i, 'a, 'd> {
    symbols: &'r mut DexSymbols<'i, 'a, 'd>,
    member: Option<u32>,
    registers: HashMap<u16, FlowValue>,
    /// Result of the last call, which the next instruction takes.
    result: Option<FlowValue>,
}

impl<'r, 'i, 'a, 'd> CodeReader<'r, 'i, 'a, 'd> {
    pub(super) fn new(
        symbols: &'r mut DexSymbols<'i, 'a, 'd>,
        method: u32,
        is_static: bool,
    ) -> Self {
        let member = symbols
            .callee(method, is_static)
            .map(|callee| callee.member);
        Self {
            symbols,
            member,
            registers: HashMap::new(),
            result: None,
        }
    }

    /// Reads the code item at an offset, at most `limit` units of what fits into the file. Returns the number of units.
    pub(super) fn read(mut self, at: usize, limit: usize) -> Option<usize> {
        let bytes = self.symbols.dex.bytes;
        let registers = u16_at(bytes, at)?;
        let inputs = u16_at(bytes, at.checked_add(2)?)?;
        let count = size_at(bytes, at.checked_add(12)?)?;
        let start = at.checked_add(CODE_HEAD)?;
        let room = bytes.len().checked_sub(start)? / 2;
        let count = count.min(room).min(limit);
        let units: Vec<u16> = slice(bytes, start, count * 2)?
            .chunks_exact(2)
            .filter_map(|unit| u16_at(unit, 0))
            .collect();
        if let (Some(member), Some(first)) = (self.member, registers.checked_sub(inputs)) {
            for position in 0..inputs.min(255) {
                let slot = FlowSlot::Argument(member, position);
                self.registers
                    .insert(first.saturating_add(position), FlowValue::Slot(slot));
            }
        }
        let mut rest = units.as_slice();
        while let length @ 1.. = insn::length(rest) {
            let position = units.len() - rest.len();
            if self.step(rest, &units, position).is_none() {
                self.result = None;
            }
            let Some(after) = rest.get(length..) else {
                break;
            };
            rest = after;
        }
        Some(count)
    }

    fn set(&mut self, register: u16, value: Option<FlowValue>) {
        match value {
            Some(value) => {
                self.registers.insert(register, value);
            }
            None => {
                self.registers.remove(&register);
            }
        }
    }

    fn get(&self, register: u16) -> Option<FlowValue> {
        self.registers.get(&register).copied()
    }

    /// Follows one instruction.
    fn step(&mut self, units: &[u16], all: &[u16], position: usize) -> Option<()> {
        let first = *units.first()?;
        let [opcode, high] = first.to_le_bytes();
        let (nibble, source) = (u16::from(high & 0xf), first >> 12);
        let high = u16::from(high);
        let unit = |at: usize| units.get(at).copied();
        let wide = |at: usize| Some(u32::from(unit(at)?) | u32::from(unit(at + 1)?) << 16);
        match opcode {
            // The result of a call is taken by the very next instruction.
            0x0a | 0x0c => {
                let result = self.result.take();
                self.set(high, result);
                return Some(());
            }
            0x01 | 0x07 => self.set(nibble, self.get(source)),
            0x02 | 0x08 => self.set(high, self.get(unit(1)?)),
            0x03 | 0x09 => self.set(unit(1)?, self.get(unit(2)?)),
            0x12 => self.number(nibble, i32::from(source) << 28 >> 28),
            0x13 => self.number(high, i32::from(unit(1)?.cast_signed())),
            0x14 => self.number(high, wide(1)?.cast_signed()),
            0x15 => self.number(high, i32::from(unit(1)?) << 16),
            0x1a => self.text(high, unit(1)?.into()),
            0x1b => self.text(high, wide(1)?),
            0x26 => {
                let value = self.array(all, position, wide(1)?.cast_signed());
                self.set(high, value);
            }
            0x0f | 0x11 => {
                let slot = FlowSlot::Result(self.member?);
                self.put(self.get(high), slot);
            }
            0x52..=0x58 => self.load(nibble, unit(1)?.into()),
            0x59..=0x5f => self.store(nibble, unit(1)?.into()),
            0x60..=0x66 => self.load(high, unit(1)?.into()),
            0x67..=0x6d => self.store(high, unit(1)?.into()),
            0x6e..=0x72 | 0x74..=0x78 => return self.call(opcode, units),
            // check-cast leaves the value as it is.
            0x1f => {}
            _ => {
                if let Some(register) = insn::written(opcode, first) {
                    self.set(register, None);
                }
            }
        }
        self.result = None;
        Some(())
    }

    fn number(&mut self, register: u16, number: i32) {
        self.symbols.number(number);
        self.set(register, Some(FlowValue::Number(number)));
    }

    fn text(&mut self, register: u16, index: u32) {
        let value = self.symbols.text(index);
        self.set(register, value);
    }

    fn load(&mut self, register: u16, field: u32) {
        let field = self.symbols.field(field);
        self.set(
            register,
            field.map(|field| FlowValue::Slot(FlowSlot::Field(field))),
        );
    }

    fn store(&mut self, register: u16, field: u32) {
        if let Some(field) = self.symbols.field(field) {
            self.put(self.get(register), FlowSlot::Field(field));
        }
    }

    fn put(&mut self, value: Option<FlowValue>, slot: FlowSlot) {
        if let Some(value) = value {
            self.symbols
                .inspection
                .flow
                .assign(value, slot, &self.symbols.class_place);
        }
    }

    /// Returns the bytes of the table that fills an array; of wider elements the lowest byte.
    fn array(&mut self, units: &[u16], position: usize, offset: i32) -> Option<FlowValue> {
        let at = position.checked_add_signed(isize::try_from(offset).ok()?)?;
        let table = units.get(at..)?;
        let unit = |at: usize| table.get(at).copied();
        if unit(0)? != 0x0300 {
            return None;
        }
        let width = usize::from(unit(1)?);
        let count = usize::from(unit(2)?) | usize::from(unit(3)?) << 16;
        if !matches!(width, 1 | 2) || count == 0 || count > MAX_ARRAY {
            return None;
        }
        let bytes: Vec<u8> = table
            .get(4..)?
            .iter()
            .flat_map(|unit| unit.to_le_bytes())
            .collect();
        let elements: Vec<u8> = bytes
            .get(..width.checked_mul(count)?)?
            .iter()
            .step_by(width)
            .copied()
            .collect();
        self.symbols.inspection.flow.store(&elements)
    }

    fn call(&mut self, opcode: u8, units: &[u16]) -> Option<()> {
        let is_static = matches!(opcode, 0x71 | 0x77);
        let callee = self.symbols.callee((*units.get(1)?).into(), is_static)?;
        let registers = insn::arguments(opcode, units)?;
        let arguments: Vec<_> = registers
            .iter()
            .map(|register| self.get(*register))
            .collect();
        self.result =
            self.symbols
                .inspection
                .flow
                .call(&callee, &arguments, &self.symbols.class_place);
        if callee.makes_text
            && let (Some(made), Some(value)) = (registers.first(), arguments.get(1))
        {
            self.set(*made, *value);
        }
        Some(())
    }
}
