//! countersign-core: what a request is and what may be done with it.
//!
//! ```text
//! Request ──classify──▶ Classified ──judge──▶ Verdict ──(a human, elsewhere)──▶ Approved ──seal──▶ Order ──▶ Outcome
//! ```
//!
//! Enters: text and facts that somebody else read. Leaves: decisions, digests and records, as types that
//! cannot be wrong. This crate never reads a file, a clock, a random source or the environment, starts
//! nothing and talks to nobody; time, identity and randomness are handed in.

#![forbid(unsafe_code)]

pub mod anchors;
pub mod approval;
pub mod argv;
pub mod bundle;
pub mod caller;
pub mod checkpoint;
pub mod classify;
pub mod code;
pub mod condition;
pub mod digest;
pub mod environment;
pub mod evidence;
mod hiding;
pub mod message;
pub mod note;
pub mod order;
pub mod outcome;
pub mod path;
pub mod plan;
pub mod policy;
pub mod profile;
pub mod receipt;
pub mod record;
pub mod redact;
pub mod request;
pub mod run_state;
pub mod salt;
pub mod spot;
mod strict;
pub mod target;
pub mod text;
pub mod tier;
pub mod time;
pub mod tree;
