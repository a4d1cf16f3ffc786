//! What the harness promises of itself, on real machines.

mod boot;
