//! countersignd, the front: takes requests from the bus, has them judged and approved, and hands orders to the
//! launcher. Unprivileged after its start; it can start no program and open no network socket.
//!
//! ```text
//!   bus ──▶ pipeline ──▶ approve (polkit, queue)
//!                  ├───▶ launch  (the launcher's client)
//!                  └───▶ audit   (the log)
//! ```

#![forbid(unsafe_code)]

mod approve;
mod ask;
mod audit;
mod bounds;
mod bus;
mod clock;
mod config;
mod launch;
mod lifecycle;
mod lock;
mod output;
mod pipeline;
mod standing;
mod start;
mod taint;
mod tickets;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    start::run().unwrap_or_else(|error| {
        // Where not even this can be written there is nobody to read it.
        drop(writeln!(std::io::stderr(), "countersignd: {}", chain(&error)));
        ExitCode::FAILURE
    })
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line = format!("{line}: {cause}");
        next = cause.source();
    }
    line
}
