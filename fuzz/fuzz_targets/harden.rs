//! Arbitrary content of a file with the old values of a plug: no panic, and a record is the same after it is written again.
#![no_main]

use harden::record::HardenRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = HardenRecord::parse(bytes) {
        assert!(HardenRecord::parse(&record.emit()).is_ok_and(|again| again == record));
    }
});
