//! What the harness promises of itself, on real machines.

mod approval;
mod boot;
mod commands;
mod kernel;
mod teardown;
