//! What each member of a record must be, as data.
//!
//! The table says the same as [`super::Record`] and the types in it; a test holds the one against the other. It is
//! sorted as the canonical form sorts, which is what lets a reader pass it once.

use super::MAX_NUMBER;

/// What a value must be.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any text.
    Text,
    /// A text that is not empty.
    Present,
    /// One of these words.
    Word(&'static [&'static str]),
    /// So many lowercase hexadecimal digits.
    Hex(usize),
    /// A whole number of 64 bits, as text.
    Decimal,
    /// The name of a profile.
    Name,
    /// A whole number up to this one.
    Number(u64),
    /// A whole number of 32 bits with a sign.
    Signed,
    /// `true` or `false`.
    Flag,
    /// At least one of these.
    List(&'static Shape),
    /// These members.
    Object(&'static [Member]),
    /// One or the other; of the other, an object, exactly one member.
    Either(&'static Shape, &'static Shape),
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether it is always there.
    pub(super) needed: bool,
}

const fn needed(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, needed: true }
}

const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, needed: false }
}

const DIGEST: Shape = Shape::Hex(64);
const WHOLE: Shape = Shape::Number(MAX_NUMBER);
const ANY_U32: Shape = Shape::Number(0xffff_ffff);
/// The highest number of 32 bits is the id of nobody.
const ID: Shape = Shape::Number(0xffff_fffe);
const TEXTS: Shape = Shape::List(&Shape::Text);
const FILE: Shape = Shape::Object(&[needed("path", Shape::Text), needed("sha256", DIGEST)]);
const BUNDLE: Shape = Shape::Object(&[needed("digest", DIGEST), needed("of", ANY_U32), needed("step", ANY_U32)]);
const STREAM: Shape =
    Shape::Object(&[needed("length", WHOLE), needed("sha256", DIGEST), needed("truncated", Shape::Flag)]);
const APPROVER: Shape = Shape::Object(&[
    needed("kind", Shape::Word(&["challenge", "polkit-rule"])),
    needed("latency_ms", WHOLE),
    needed("uid", ID),
]);
const CONDITION: Shape = Shape::Object(&[
    needed("check", Shape::Text),
    may("found", Shape::Text),
    needed("role", Shape::Word(&["hard", "soft", "after"])),
    needed("rule", Shape::Text),
]);
const LAYER: Shape = Shape::Object(&[needed("gives", Shape::Text), needed("step", Shape::Text)]);
const TARGET: Shape = Shape::Object(&[
    needed("access", Shape::Word(&["read", "write"])),
    needed(
        "kind",
        Shape::Word(&["path", "unit", "package", "user", "group", "device", "host", "process", "machine", "other"]),
    ),
    needed("name", Shape::Text),
]);
const CALLER: Shape = Shape::Object(&[
    needed("bus_name", Shape::Text),
    may("exe", Shape::Text),
    may("gids", Shape::List(&ID)),
    may("login_uid", ID),
    needed("pid", ANY_U32),
    may("security_label", Shape::Text),
    may("session", Shape::Text),
    needed("start_time", Shape::Decimal),
    needed("uid", ID),
    may("unit", Shape::Text),
    may("user", Shape::Present),
]);
const ENDED: Shape = Shape::Either(
    &Shape::Word(&["timed-out", "cancelled", "stopped", "output-limit", "interrupted"]),
    &Shape::Object(&[
        may("exited", Shape::Number(0xff)),
        may("not-confined", Shape::Object(&[needed("errno", Shape::Signed), needed("step", Shape::Text)])),
        may("signalled", Shape::Signed),
    ]),
);
const CODE: Shape = Shape::Word(&[
    "InvalidRequest",
    "AccessDenied",
    "Denied",
    "ModeCeiling",
    "NeedsApproval",
    "Refused",
    "Expired",
    "Changed",
    "Stopped",
    "Held",
    "OverBudget",
    "Silenced",
    "NoApprover",
    "Cancelled",
    "AuditUnavailable",
    "SandboxUnavailable",
    "LaunchFailed",
    "Internal",
    "WrongDigest",
    "AlreadyDecided",
    "SelfApproval",
    "NoSuchRequest",
    "PolicyInvalid",
    "Void",
    "Unmet",
    "Drift",
]);
const GATE: Shape = Shape::Word(&["state", "grant", "deny-list", "hold", "mode", "ceiling", "profile", "narrowing"]);

/// The members of a record.
pub(super) const MEMBERS: &[Member] = &[
    may("agent", Shape::Text),
    may("approvers", Shape::List(&APPROVER)),
    may("argv", TEXTS),
    needed("boot_id", Shape::Text),
    may("bundle", BUNDLE),
    may("caller", CALLER),
    may("code", CODE),
    may("commitment", DIGEST),
    may("conditions", Shape::List(&CONDITION)),
    may("cpu_us", WHOLE),
    may("cwd", Shape::Text),
    may("digest", DIGEST),
    may("duration_us", WHOLE),
    may("ended", ENDED),
    may("enforced", Shape::List(&LAYER)),
    may("env_names", TEXTS),
    may("error", Shape::Text),
    may("executable", FILE),
    may("gate", GATE),
    may("id", Shape::Hex(32)),
    may("interpreter", FILE),
    needed("kind", Shape::Text),
    needed("mode", Shape::Word(&["open", "guarded", "readonly"])),
    needed("monotonic_ms", WHOLE),
    may("peak_kib", WHOLE),
    needed("phase", Shape::Text),
    needed("prev", DIGEST),
    may("profile", Shape::Name),
    may("reason", Shape::Text),
    may("refuser", ID),
    may("rules", TEXTS),
    needed("ruleset", Shape::Object(&[needed("digest", DIGEST), needed("version", ANY_U32)])),
    needed("seq", WHOLE),
    may("software", Shape::Text),
    may("started", WHOLE),
    needed("state", Shape::Word(&["green", "amber", "red"])),
    may("stderr", STREAM),
    may("stdout", STREAM),
    may("taint", Shape::Word(&["clean", "tainted"])),
    may("tainted", Shape::List(&ID)),
    may("targets", Shape::List(&TARGET)),
    may("tier", Shape::Word(&["T0", "T1", "T2", "T3", "deny"])),
    needed("time", WHOLE),
    may("times", WHOLE),
    needed("v", ANY_U32),
    may("verdict", Shape::Word(&["allow", "hold", "deny", "silence"])),
    may("who", Shape::Text),
    may("why", Shape::Text),
];
