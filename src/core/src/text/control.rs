//! What the polkit dialog says before an operator acts on the broker itself. SEC-12, SEC-16.
//!
//! Enters: the act, and the reason that was given. Leaves: the message with its `$(name)`s, and an inert text for each.

use std::collections::BTreeMap;

use super::dialog::GETTEXT_DOMAIN;
use super::{Medium, in_quotes};
use crate::caller::Uid;

/// The most bytes of a reason.
const REASON_BOUND: usize = 512;

/// What an operator wants to do to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    /// Serve reads only.
    Hold,
    /// Serve everything again.
    Resume,
    /// Let this user's small changes run unasked again, where its grant says so.
    ClearTaint(Uid),
    /// Read the policy again.
    Reload,
}

impl Steering {
    /// The message, before polkit puts the details in their places.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Hold => "Put Countersign on hold, so that it serves reads only\nReason given: $(reason)",
            Self::Resume => "End the hold of Countersign, so that it serves every tier again\nReason given: $(reason)",
            Self::ClearTaint(_) => {
                "Clear the taint latch of the user with uid $(uid), so that its grant alone decides again\nReason given: $(reason)"
            }
            Self::Reload => "Have Countersign read its policy again\nReason given: $(reason)",
        }
    }

    /// What a polkit check is given.
    #[must_use]
    pub fn polkit_details(self, reason: &str) -> BTreeMap<String, String> {
        let reason = in_quotes(reason, REASON_BOUND, Medium::Markup);
        let uid = match self {
            Self::ClearTaint(uid) => Some(("uid", uid.to_string())),
            Self::Hold | Self::Resume | Self::Reload => None,
        };
        let ours = [("polkit.message", self.message()), ("polkit.gettext_domain", GETTEXT_DOMAIN)];
        let all = ours.map(|(name, value)| (name, value.to_owned())).into_iter().chain([("reason", reason)]).chain(uid);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_a_message_has_a_detail_and_the_reason_is_inert() {
        for act in [Steering::Hold, Steering::Resume, Steering::ClearTaint(Uid::ROOT), Steering::Reload] {
            let details = act.polkit_details("\u{1b}[2J\u{202e}\n$(uid)\"x");
            assert!(!details["reason"].contains(['\u{1b}', '\u{202e}', '\n']), "{details:?}");
            for name in details["polkit.message"].split("$(").skip(1).map(|rest| rest.split(')').next().unwrap()) {
                assert!(details.contains_key(name), "{name} of {act:?}");
            }
        }
    }
}
