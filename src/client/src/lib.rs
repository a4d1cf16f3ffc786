//! countersign: the D-Bus proxy of the broker, for every program that speaks to it.
//!
//! ```text
//!   Ask ──Broker::plan / submit──▶ (bus) ──▶ Fields, or a ClientError with a stable code and a sentence
//! ```
//!
//! Enters: what a caller wants. Leaves: what the broker answered, as JSON values. It decides nothing: what it says
//! about itself the broker does not believe, and what it shows is shown by others who render it inert. It must never
//! start the broker while the stop latch is engaged.

#![forbid(unsafe_code)]

pub mod answer;
pub mod ask;
pub mod broker;
pub mod error;
pub mod name;
pub mod proxy;
pub mod stopped;

pub use answer::Fields;
pub use ask::Ask;
pub use broker::{Broker, Prompt};
pub use error::ClientError;
