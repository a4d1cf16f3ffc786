//! The broker's interfaces as it serves them, one trait each. Nothing here but the bus's own words.

use std::collections::HashMap;

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

/// A dictionary as it is sent.
pub type Dictionary<'a> = HashMap<&'a str, Variant<'a>>;
/// A dictionary as it arrives.
pub type Answered = HashMap<String, OwnedVariant>;

/// The broker itself.
#[zbus::proxy(
    interface = "org.countersign.Broker1",
    default_service = "org.countersign.Broker1",
    default_path = "/org/countersign/Broker1"
)]
pub trait Broker1 {
    /// Says everything that would happen; nothing does.
    fn plan(&self, request: &Dictionary<'_>) -> zbus::Result<Answered>;

    /// Makes a request that waits in the queue where a human must decide.
    fn submit(&self, request: &Dictionary<'_>) -> zbus::Result<OwnedObjectPath>;

    /// Makes a request for which a dialog may open in the caller's session.
    #[zbus(name = "Submit", allow_interactive_auth)]
    fn submit_with_dialog(&self, request: &Dictionary<'_>) -> zbus::Result<OwnedObjectPath>;

    /// The files of the policy in force: kind, origin, path and text.
    fn policy(&self) -> zbus::Result<Vec<(String, String, String, String)>>;

    /// Arms the caller's own taint latch.
    fn mark_tainted(&self) -> zbus::Result<()>;

    /// Stops the broker and every job, until an operator clears it.
    fn stop(&self, reason: &str) -> zbus::Result<()>;

    /// `green`, `amber` or `red`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> zbus::Result<String>;

    /// `open`, `guarded` or `readonly`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn mode(&self) -> zbus::Result<String>;

    /// What is not as usual, in a sentence each.
    #[zbus(property(emits_changed_signal = "false"))]
    fn notices(&self) -> zbus::Result<Vec<String>>;

    /// The broker's version.
    #[zbus(property(emits_changed_signal = "false"))]
    fn version(&self) -> zbus::Result<String>;

    /// The version and digest of the policy in force.
    #[zbus(property(emits_changed_signal = "false"))]
    fn ruleset(&self) -> zbus::Result<String>;

    /// Whether the caller's taint latch is armed.
    #[zbus(property(emits_changed_signal = "false"))]
    fn tainted(&self) -> zbus::Result<bool>;
}

/// One request.
#[zbus::proxy(
    interface = "org.countersign.Broker1.Request",
    default_service = "org.countersign.Broker1",
    assume_defaults = false
)]
pub trait Request {
    /// Takes the request back, and ends its job if it runs.
    fn cancel(&self) -> zbus::Result<()>;

    /// Waits for the end and says how it went.
    fn result(&self) -> zbus::Result<Answered>;

    /// How far the request has come.
    #[zbus(property(emits_changed_signal = "false"))]
    fn phase(&self) -> zbus::Result<String>;

    /// The form of its digest that people compare.
    #[zbus(property(emits_changed_signal = "false"))]
    fn fingerprint(&self) -> zbus::Result<String>;
}

/// Those who decide.
#[zbus::proxy(
    interface = "org.countersign.Broker1.Approvals",
    default_service = "org.countersign.Broker1",
    default_path = "/org/countersign/Broker1"
)]
pub trait Approvals {
    /// The requests that the caller may see.
    fn list(&self) -> zbus::Result<Vec<Answered>>;

    /// The same, where a dialog may open before a caller who may not see those of others yet.
    #[zbus(name = "List", allow_interactive_auth)]
    fn list_with_dialog(&self) -> zbus::Result<Vec<Answered>>;

    /// One request in full.
    fn show(&self, id: &str) -> zbus::Result<Answered>;

    /// The same, where a dialog may open before a caller who may not see it yet.
    #[zbus(name = "Show", allow_interactive_auth)]
    fn show_with_dialog(&self, id: &str) -> zbus::Result<Answered>;

    /// Says yes to one digest; polkit asks the caller who says it. Without a digest it is a yes to what the dialog shows.
    #[zbus(allow_interactive_auth)]
    fn approve(&self, id: &str, digest: &str) -> zbus::Result<()>;

    /// Says no.
    #[zbus(allow_interactive_auth)]
    fn refuse(&self, id: &str, digest: &str, reason: &str) -> zbus::Result<()>;
}

/// Those who act on the broker itself. polkit asks for an administrator each time, root excepted.
#[zbus::proxy(
    interface = "org.countersign.Broker1.Control",
    default_service = "org.countersign.Broker1",
    default_path = "/org/countersign/Broker1"
)]
pub trait Control {
    /// Serve reads only.
    #[zbus(allow_interactive_auth)]
    fn hold(&self, reason: &str) -> zbus::Result<()>;

    /// Serve every tier again.
    #[zbus(allow_interactive_auth)]
    fn resume(&self, reason: &str) -> zbus::Result<()>;

    /// Clear a user's taint latch.
    #[zbus(allow_interactive_auth)]
    fn clear_taint(&self, uid: u32, reason: &str) -> zbus::Result<()>;

    /// Read the policy again; comes back when it is in force, or refused.
    #[zbus(allow_interactive_auth)]
    fn reload(&self) -> zbus::Result<()>;
}

/// What the log proves of itself.
#[zbus::proxy(
    interface = "org.countersign.Broker1.Audit",
    default_service = "org.countersign.Broker1",
    default_path = "/org/countersign/Broker1"
)]
pub trait Audit {
    /// A signed checkpoint over every entry.
    fn checkpoint(&self) -> zbus::Result<String>;

    /// The newest entries that fit: number, hash and record; and where to go on, or 0.
    fn query(&self, query: &Dictionary<'_>) -> zbus::Result<(Vec<(u64, String, String)>, u64)>;

    /// That this entry, counted from 1, is in the log.
    fn proof(&self, entry: u64) -> zbus::Result<String>;
}
