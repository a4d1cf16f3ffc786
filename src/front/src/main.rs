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
mod budget;
mod bus;
mod clock;
mod conditions;
mod config;
mod control;
mod launch;
mod lifecycle;
mod lock;
mod notice;
mod output;
mod pipeline;
mod recall;
mod row;
mod silence;
mod standing;
mod start;
mod taint;
mod tickets;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    start::run().unwrap_or_else(|error| {
        complain(&chain(&error));
        ExitCode::FAILURE
    })
}

/// One line on the journal. Where not even this can be written there is nobody to read it.
pub(crate) fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "countersignd: {line}"));
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
