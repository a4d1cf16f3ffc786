//! Any bytes as a record of the log.
//!
//! Enters: bytes. Leaves: nothing, or a crash: something was read as a record that is not written again in the same bytes, or the
//! one pass over a body takes for a record what reading does not, or the other way round.

#![no_main]

use countersign_core::digest::canonical;
use countersign_core::record::{Glance, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = Record::parse(bytes);
    assert_eq!(Glance::read(bytes).is_ok(), read.is_ok());
    if let Ok(record) = read {
        assert_eq!(canonical(&record).expect("a record has a canonical form"), bytes);
        assert_eq!(Glance::read(bytes).ok(), Some(Glance::from(&record)));
    }
});
