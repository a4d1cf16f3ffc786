//! Any shell text at all.
//!
//! Enters: bytes. Leaves: nothing, or a crash that names the law that was broken.

#![no_main]

use std::sync::LazyLock;

use benches::{World, laws};
use libfuzzer_sys::fuzz_target;

static WORLD: LazyLock<World> = LazyLock::new(|| World::read(None).expect("the rules of this repository load"));

fuzz_target!(|bytes: &[u8]| laws::text(&WORLD, &String::from_utf8_lossy(bytes)));
