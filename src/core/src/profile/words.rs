//! What a job may touch, in words: the text of the dialog and of `countersign policy profile`.
//!
//! The words come from the definition, never from a second description of it, so they cannot drift from what the
//! launcher enforces. Names of targets come from a caller and are made inert here.

use std::fmt::Write as _;

use super::{CallSet, LayerName, Limits, Network, Place, Profile, Written};
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
        self.touches(&named(targets))
    }

    /// The same sentences for somebody who looks at the profile and has no request.
    #[must_use]
    pub fn may_touch_in_general(&self) -> String {
        self.touches("what its request names")
    }

    fn touches(&self, named: &str) -> String {
        let written = match self.files.written {
            Written::Nothing => "may read files and change nothing".to_owned(),
            Written::Targets => format!("may change {named} and nothing else"),
            Written::Listed => {
                let places: Vec<&str> = self.writes.iter().map(|each| each.path.as_str()).collect();
                format!("may change {} and nothing else", counted(&places))
            }
            Written::Everything => "may change files and services of the whole system".to_owned(),
        };
        let network = match (self.network, self.reaches_out()) {
            (Network::Host, true) => "may use the network",
            (Network::Host, false) | (Network::Own, true | false) => "has no network",
        };
        let sets = |sets: &[super::PlaceSet]| sets.iter().map(|set| set.words()).collect::<Vec<_>>().join(", ");
        let kept = match self.files.written {
            Written::Nothing => String::new(),
            Written::Targets | Written::Listed | Written::Everything => {
                format!(" It cannot change {}.", sets(&self.files.protected))
            }
        };
        let lifts: Vec<&str> = self.lifts().collect();
        let lifted = if lifts.is_empty() { String::new() } else { format!(" Of the kernel: {}.", lifts.join("; ")) };
        let hidden = sets(&self.files.hidden);
        format!("Runs as {}; {written}; {network}.{kept} It cannot see {hidden}.{lifted}", self.user)
    }

    /// The whole profile, one fact on a line, for somebody who decides whether to use it.
    #[must_use]
    pub fn detail(&self) -> String {
        let mut text = String::new();
        let mut section = |title: &str, lines: &mut dyn Iterator<Item = (String, &str)>| {
            let lines: Vec<String> = lines.map(|(what, why)| format!("  {what}: {why}\n")).collect();
            if !lines.is_empty() {
                // Writing to a string does not fail.
                write!(text, "{title}\n{}", lines.concat()).ok();
            }
        };
        let owned = |what: &str| what.to_owned();
        section("required layers", &mut self.layers.iter().map(|each| (self.layer(*each), each.words())));
        section("limits", &mut self.limits.lines());
        section(
            "private",
            &mut self.files.private.iter().map(|path| (path.to_string(), "empty at first, and gone with the job")),
        );
        section("capabilities", &mut self.capabilities.iter().map(|each| (owned(each.name.name()), &*each.why)));
        section("system calls besides the ordinary", &mut self.calls.iter().map(|each| (each.set.name(), &*each.why)));
        section("sockets", &mut self.sockets.iter().map(|each| (each.kind.name(), &*each.why)));
        section("devices", &mut self.devices.iter().map(|each| (each.path.to_string(), &*each.why)));
        section("may write", &mut self.writes.iter().map(|each| (each.path.to_string(), &*each.why)));
        section("never writes", &mut self.protected().map(|place| (owned(place.pattern), place.why)));
        section("never sees", &mut self.hidden().map(|place| (owned(place.pattern), place.why)));
        text
    }

    fn layer(&self, layer: LayerName) -> String {
        match layer {
            LayerName::Landlock => format!("landlock (version {} or later)", self.landlock_abi),
            LayerName::Cgroup
            | LayerName::CgroupLimits
            | LayerName::Descriptors
            | LayerName::Mounts
            | LayerName::Network
            | LayerName::Credentials
            | LayerName::Capabilities
            | LayerName::NoNewPrivs
            | LayerName::Seccomp => layer.as_str().to_owned(),
        }
    }

    /// What a job may do of which the ordinary work of programs needs nothing.
    fn lifts(&self) -> impl Iterator<Item = &str> {
        let ordinary = [CallSet::Names, CallSet::MemoryFiles, CallSet::Attributes, CallSet::Credentials];
        self.calls.iter().filter(move |each| !ordinary.contains(&each.set)).map(|each| each.why.as_str())
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

impl Limits {
    /// Each limit, and what it counts.
    fn lines(&self) -> impl Iterator<Item = (String, &'static str)> {
        let memory = self.memory_mib.map_or_else(|| "unlimited".to_owned(), |mib| format!("{mib} MiB"));
        [
            (format!("{} s", self.seconds), "from begin to end; a request may ask for less"),
            (self.tasks.to_string(), "processes and threads together"),
            (memory, "memory"),
            (format!("{} MiB", self.output_mib), "output of both streams together"),
        ]
        .into_iter()
    }
}

/// The written paths, the first few by name.
fn named(targets: &[Target]) -> String {
    let paths: Vec<&Target> =
        targets.iter().filter(|target| target.kind == TargetKind::Path && target.access == Access::Write).collect();
    if paths.is_empty() {
        return "no file at all".to_owned();
    }
    let shown: Vec<String> = paths.iter().map(|target| text::quoted(&target.name, BOUND).into()).collect();
    counted(&shown)
}

/// The first few, and how many more there are.
fn counted<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
