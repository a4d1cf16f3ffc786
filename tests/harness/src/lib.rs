//! A throwaway booted machine, for tests that promise something about a real system.
//!
//! What enters: the running system's own files (below a tmpfs, so nothing of it changes) and what a test installs.
//! What leaves: outputs, screens and files to assert on. What it must never do: change the host, decide anything in
//! place of a real part (polkit, PAM and PID 1 inside are the real ones), or leave a process, a mount or a control
//! group behind, however the test ends.
//!
//! ```no_run
//! use harness::{Machine, users};
//! # fn main() -> anyhow::Result<()> {
//! let machine = Machine::builder().before_boot(|root| std::fs::write(root.join("etc/motd"), "hello").map_err(Into::into)).boot()?;
//! assert_eq!(machine.run(["cat", "/etc/motd"])?.stdout, "hello");
//! let (output, screen) = machine.run_with_agent(users::AGENT, users::ADMIN_PASSWORD, ["pkexec", "id", "-u"])?;
//! assert!(output.success() && screen.contains("AUTHENTICATION COMPLETE"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod builder;
mod cgroup;
mod command;
mod deadline;
mod enter;
mod files;
mod guard;
mod layers;
mod machine;
mod polkit;
mod process;
mod pty;
mod slot;
mod stream;
mod units;
pub mod users;

#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use command::Command;
pub use machine::{Machine, Running};
pub use polkit::{Answer, Attended};
pub use process::{Output, Process};
pub use pty::Terminal;
pub use rustix::process::Signal;
pub use stream::Stream;
