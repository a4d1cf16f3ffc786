//! What a job may touch, in words: the text of the dialog and of `countersign policy profile`.
//!
//! The words come from the definition, never from a second description of it, so they cannot drift from what the
//! launcher enforces. Names of targets come from a caller and are made inert here.

use super::{Network, Place, Profile, Written};
use crate::target::{Access, Target, TargetKind};
use crate::text;

/// The most targets that are named in full; the rest is counted.
const NAMED: usize = 4;
/// The most bytes of one name.
const BOUND: usize = 256;

impl Profile {
    /// In one or two sentences what a job in this profile may touch when it acts on these targets.
    #[must_use]
    pub fn may_touch(&self, targets: &[Target]) -> String {
        let written = match self.files.written {
            Written::Nothing => "may read files and change nothing".to_owned(),
            Written::Targets => format!("may change {} and nothing else", named(targets)),
            Written::Everything => "may change files and services of the whole system".to_owned(),
        };
        let network = match (self.network, self.reaches_out()) {
            (Network::Host, true) => "may use the network",
            (Network::Host, false) | (Network::Own, true | false) => "has no network",
        };
        let sets = |sets: &[super::PlaceSet]| sets.iter().map(|set| set.words()).collect::<Vec<_>>().join(", ");
        let kept = match self.files.written {
            Written::Nothing => String::new(),
            Written::Targets | Written::Everything => format!(" It cannot change {}.", sets(&self.files.protected)),
        };
        format!("Runs as {}; {written}; {network}.{kept} It cannot see {}.", self.user, sets(&self.files.hidden))
    }

    /// Whether a job may open a socket that leads off the machine.
    #[must_use]
    pub fn reaches_out(&self) -> bool {
        use super::Socket;
        self.sockets.iter().any(|each| matches!(each.kind, Socket::Inet | Socket::Inet6))
    }

    /// Every place that is read-only whatever else is said.
    pub fn protected(&self) -> impl Iterator<Item = &'static Place> {
        self.files.protected.iter().flat_map(|set| set.places())
    }

    /// Every place that cannot be opened.
    pub fn hidden(&self) -> impl Iterator<Item = &'static Place> {
        self.files.hidden.iter().flat_map(|set| set.places())
    }
}

/// The written paths, the first few by name.
fn named(targets: &[Target]) -> String {
    let paths: Vec<&Target> =
        targets.iter().filter(|target| target.kind == TargetKind::Path && target.access == Access::Write).collect();
    if paths.is_empty() {
        return "no file at all".to_owned();
    }
    let shown: Vec<String> = paths.iter().take(NAMED).map(|target| text::quoted(&target.name, BOUND).into()).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
