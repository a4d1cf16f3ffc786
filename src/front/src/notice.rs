//! Notices: what is not as usual, in a sentence each, until it is over.
//!
//! Enters: that the broker is on hold, that a policy was not read, or that the log is not signed. Leaves: the sentences, on the bus for
//! `countersign status` and to systemd for `systemctl status`. Decides nothing.

use std::sync::Mutex;

use sd_notify::NotifyState;

use crate::lock::lock;

/// What a notice is about; there is one of each at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// An operator put the broker on hold.
    Hold,
    /// The policy's files are not what is in force.
    Policy,
    /// The launcher signs no checkpoint.
    Checkpoint,
}

/// Every notice.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<[Option<String>; 3]>);

impl Notices {
    /// Says something new of a topic, or that there is nothing to say of it any more.
    pub(crate) fn say(&self, topic: Topic, sentence: Option<String>) {
        let status = {
            let mut said = lock(&self.0);
            let [hold, policy, checkpoint] = &mut *said;
            match topic {
                Topic::Hold => *hold = sentence,
                Topic::Policy => *policy = sentence,
                Topic::Checkpoint => *checkpoint = sentence,
            }
            let all: Vec<&str> = said.iter().flatten().map(String::as_str).collect();
            all.join(" ")
        };
        // A service manager that does not listen changes nothing for us.
        drop(sd_notify::notify(&[NotifyState::Status(&status)]));
    }

    /// The sentences of the moment.
    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.0).iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_topic_does_not_take_away_anothers_notice() {
        let notices = Notices::default();
        notices.say(Topic::Hold, Some("held".to_owned()));
        notices.say(Topic::Policy, Some("wrong".to_owned()));
        notices.say(Topic::Hold, None);
        assert_eq!(notices.all(), ["wrong"]);
        notices.say(Topic::Checkpoint, Some("unsigned".to_owned()));
        assert_eq!(notices.all(), ["wrong", "unsigned"]);
        notices.say(Topic::Checkpoint, None);
        notices.say(Topic::Policy, None);
        assert!(notices.all().is_empty());
    }
}
