//! countersign-confine: the steps by which a process gives up power for good, shared by jobs and by the front.
//!
//! ```text
//!   credentials ──▶ capabilities ──▶ no_new_privs ──▶ landlock ──▶ seccomp
//! ```
//!
//! Enters: what shall remain. Leaves: per step a [`Layer`], read back from the kernel where it lets us. Each step is
//! one file and one variant of [`ConfineError`]; each is fatal. A step never does less than it was asked to: a kernel
//! that cannot is an error (SEC-14). Steps know nothing of each other; whoever calls them knows the order.

#![forbid(unsafe_code)]

pub mod capabilities;
pub mod credentials;
mod error;
pub mod front;
pub mod landlock;
pub mod no_new_privs;
pub mod seccomp;

pub use countersign_core::outcome::Layer;
pub use error::ConfineError;

/// A layer from its step's name and what it gave.
pub(crate) fn layer(step: &str, gives: impl Into<String>) -> Layer {
    Layer { step: step.to_owned(), gives: gives.into() }
}

#[cfg(test)]
mod tests;
