//! Lengths and registers of Dalvik instructions.

/// Returns the length of an instruction in code units; 0 for none.
pub(super) fn length(units: &[u16]) -> usize {
    let Some(first) = units.first() else {
        return 0;
    };
    let [opcode, _] = first.to_le_bytes();
    if opcode == 0 {
        return payload_length(units);
    }
    match opcode {
        0x02 | 0x05 | 0x08 | 0x13 | 0x15 | 0x16 | 0x19 | 0x1a | 0x1c | 0x1f | 0x20 | 0x22
        | 0x23 | 0x29 => 2,
        0x2d..=0x3d | 0x44..=0x6d | 0x90..=0xaf | 0xd0..=0xe2 | 0xfe | 0xff => 2,
        0x03 | 0x06 | 0x09 | 0x14 | 0x17 | 0x1b | 0x24..=0x26 | 0x2a..=0x2c => 3,
        0x6e..=0x72 | 0x74..=0x78 | 0xfc | 0xfd => 3,
        0xfa | 0xfb => 4,
        0x18 => 5,
        _ => 1,
    }
}

/// Returns the length of a table within the code, or of `nop`.
fn payload_length(units: &[u16]) -> usize {
    let unit = |at: usize| units.get(at).copied().map(usize::from);
    let length = match units.first() {
        Some(0x0100) => unit(1).map(|size| size * 2 + 4),
        Some(0x0200) => unit(1).map(|size| size * 4 + 2),
        Some(0x0300) => {
            let bytes = unit(2).zip(unit(3)).map(|(low, high)| low | high << 16);
            unit(1)
                .zip(bytes)
                .map(|(width, count)| width.saturating_mul(count).div_ceil(2).saturating_add(4))
        }
        _ => Some(1),
    };
    length.unwrap_or(1)
}

/// Returns the register that an instruction writes, other than those that [`super::code`] follows by themselves.
pub(super) fn written(opcode: u8, first: u16) -> Option<u16> {
    let nibble = (first >> 8) & 0xf;
    let byte = first >> 8;
    match opcode {
        0x20 | 0x21 | 0x23 | 0x7b..=0x8f | 0xb0..=0xcf | 0xd0..=0xd7 => Some(nibble),
        0x0a..=0x0d
        | 0x16..=0x19
        | 0x1c
        | 0x22
        | 0x2d..=0x31
        | 0x44..=0x4a
        | 0x90..=0xaf
        | 0xd8..=0xe2
        | 0xfe
        | 0xff => Some(byte),
        _ => None,
    }
}

/// Returns the registers of the arguments of a call.
pub(super) fn arguments(opcode: u8, units: &[u16]) -> Option<Vec<u16>> {
    let first = *units.first()?;
    let third = *units.get(2)?;
    if matches!(opcode, 0x74..=0x78 | 0xfb | 0xfd) {
        let count = first >> 8;
        return Some(
            (0..count)
                .map(|position| third.wrapping_add(position))
                .collect(),
        );
    }
    let count = usize::from(first >> 12);
    let all = [
        third & 0xf,
        (third >> 4) & 0xf,
        (third >> 8) & 0xf,
        third >> 12,
        (first >> 8) & 0xf,
    ];
    Some(all.into_iter().take(count).collect())
}
