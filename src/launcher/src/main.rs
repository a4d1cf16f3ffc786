//! countersign-launcher: the part of Countersign that is root and acts.
//!
//! ```text
//!   front ══ socket (fd 3) ══▶ serve ─▶ verify ─▶ pin ─▶ prepare ─▶ spawn ─▶ confine ─▶ the program
//!                                │                                    │
//!                                ├── latch                            └── jobs: deadline, end, cgroup
//!                                └── witness: the log's key, and what it signed last
//! ```
//!
//! Enters: orders of a front that is not trusted. Leaves: at most what the root-owned policy allows, run once, confined.
//! One process, one thread, no D-Bus, no option, no environment: the policy below `/etc` and `/usr/share` and the socket
//! are everything it listens to. The end of the socket ends every job and the launcher.

mod account;
mod cgroup;
mod channel;
mod clock;
mod confine;
mod durable;
mod jobs;
mod latch;
mod later;
mod pin;
mod prepare;
mod probe;
mod report;
mod sandbox;
mod seen;
mod serve;
mod spawn;
mod start;
mod sys;
mod turns;
mod verify;
mod walk;
mod witness;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match start::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// One line with every cause, on the journal. A journal that cannot be written to changes nothing.
fn complain(error: &dyn std::error::Error) {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    drop(writeln!(std::io::stderr(), "countersign-launcher: {line}"));
}
