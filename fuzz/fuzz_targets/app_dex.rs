//! Arbitrary DEX files: no panic, and bounded work.
#![no_main]

use std::io::Cursor;

use appinspect::{KnownProtocol, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut dex = b"dex\n035\0".to_vec();
    dex.extend(bytes);
    // The order of bytes, without which nothing is read.
    if let Some(order) = dex.get_mut(40..44) {
        order.copy_from_slice(&0x1234_5678_u32.to_le_bytes());
    }
    let known = KnownProtocol { words: vec!["YZ-RECOSCAN".to_owned()], ports: vec![48899] };
    let _ = inspect(Cursor::new(dex), "classes.dex", &known, &mut |_| {});
});
