//! Queue: a held request waits here for the first answer, and for nothing longer than its expiry.
//!
//! ```text
//!   in place ──┐  as many yes as it    ┌─▶ Approval, minted here, to the one task that waits
//!   Approve ───┼─▶ takes, or one no ───┼─▶ Refused
//!   Refuse ────┘                       └─▶ the dialogs of the others close
//!   expiry, withdrawal ────────────────────▶ Expired, Cancelled, Stopped
//! ```

use std::time::Duration;

use countersign_core::approval::{Approval, Approver};
use countersign_core::caller::Uid;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::time::Moment;
use tokio::sync::watch;

use crate::clock;

/// One human's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Yes(Approver),
    /// No: by whom, and in which words for the caller.
    No {
        /// Who said no.
        by: Uid,
        /// The sentence for the caller.
        sentence: String,
    },
    /// Nobody's: another policy is in force than the one under which the question was put.
    Outdated,
    /// Nobody's any more: the wait is over.
    Closed,
}

/// What all answers together come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decided {
    /// As many different people as it takes said yes, in this order.
    Yes(Vec<Approver>),
    /// Somebody said no.
    No {
        /// Who.
        by: Uid,
        /// The sentence for the caller.
        sentence: String,
    },
    /// It was asked under a policy that is no longer in force.
    Outdated,
    /// Nobody decides any more.
    Closed,
}

/// What was answered so far.
#[derive(Debug, Clone, Default)]
struct Answers {
    yes: Vec<Approver>,
    decided: Option<Decided>,
}

/// Where the answers to one request go.
#[derive(Debug)]
pub(crate) struct Slot {
    /// How many different people must say yes; at least one.
    needed: u8,
    answers: watch::Sender<Answers>,
}

impl Slot {
    /// No answer yet, and so many different people must say yes.
    pub(crate) fn new(needed: u8) -> Self {
        Self { needed, answers: watch::Sender::new(Answers::default()) }
    }

    /// Gives an answer; says whether it counted: nothing is decided yet, and the same person did not say yes before.
    pub(crate) fn give(&self, answer: Answer) -> bool {
        let needed = usize::from(self.needed);
        self.answers.send_if_modified(|answers| answers.take(answer, needed))
    }

    /// Whether an answer still counts.
    pub(crate) fn is_open(&self) -> bool {
        self.answers.borrow().decided.is_none()
    }

    /// Whether this user said yes already.
    pub(crate) fn has_yes_of(&self, uid: Uid) -> bool {
        self.answers.borrow().yes.iter().any(|approver| approver.uid == uid)
    }

    /// Who has said yes so far, and how many it takes.
    pub(crate) fn progress(&self) -> (Vec<Approver>, u8) {
        (self.answers.borrow().yes.clone(), self.needed)
    }

    /// Comes back once it is decided.
    pub(crate) async fn decided(&self) -> Decided {
        let mut follow = self.answers.subscribe();
        // The sender is in `self`, so waiting cannot fail.
        let answers = follow.wait_for(|answers| answers.decided.is_some()).await.ok();
        answers.and_then(|answers| answers.decided.clone()).unwrap_or(Decided::Closed)
    }
}

impl Answers {
    fn take(&mut self, answer: Answer, needed: usize) -> bool {
        if self.decided.is_some() {
            return false;
        }
        match answer {
            Answer::Yes(approver) if self.yes.iter().any(|before| before.uid == approver.uid) => return false,
            Answer::Yes(approver) => {
                self.yes.push(approver);
                self.decided = (self.yes.len() >= needed).then(|| Decided::Yes(self.yes.clone()));
            }
            Answer::No { by, sentence } => self.decided = Some(Decided::No { by, sentence }),
            Answer::Outdated => self.decided = Some(Decided::Outdated),
            Answer::Closed => self.decided = Some(Decided::Closed),
        }
        true
    }
}

/// Why nobody said yes, and who said no if somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotApproved {
    /// The code and the sentence.
    pub(crate) failure: Failure,
    /// Who said no.
    pub(crate) refuser: Option<Uid>,
}

impl From<Failure> for NotApproved {
    fn from(failure: Failure) -> Self {
        Self { failure, refuser: None }
    }
}

/// Waits for the first of: a withdrawal, an answer, the expiry. Afterwards the slot takes no answer. A clock that is set
/// back since it was asked makes nothing longer.
///
/// # Errors
/// Why there is no approval.
pub(crate) async fn wait(
    slot: &Slot,
    digest: Digest,
    asked: Moment,
    expires: Moment,
    withdrawn: impl Future<Output = Failure>,
) -> Result<Approval, NotApproved> {
    let left = clock::now().until(expires).min(asked.until(expires));
    let waited = tokio::select! {
        biased;
        failure = withdrawn => Err(failure.into()),
        decided = slot.decided() => settle(decided, digest, expires),
        () = tokio::time::sleep(left) => Err(Failure::new(Code::Expired, "Nobody decided in time: ask again.").into()),
    };
    slot.give(Answer::Closed);
    waited
}

/// An approval is void when the request is; there is no longer-lived one.
fn settle(decided: Decided, digest: Digest, expires: Moment) -> Result<Approval, NotApproved> {
    match decided {
        Decided::Yes(approvers) => {
            Ok(Approval { id: clock::new_id()?, digest, approvers, granted: clock::now(), expires })
        }
        Decided::No { by, sentence } => {
            Err(NotApproved { failure: Failure::new(Code::Refused, sentence), refuser: Some(by) })
        }
        Decided::Outdated => {
            Err(Failure::new(Code::Changed, "The policy changed since this was planned: ask again.").into())
        }
        Decided::Closed => Err(Failure::new(Code::Cancelled, "The request is over.").into()),
    }
}

/// The span from a question to its answer, in whole milliseconds.
pub(crate) fn latency_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use countersign_core::approval::ApprovalKind;

    use super::*;

    const DIGEST: Digest = Digest::ZERO;

    fn yes() -> Answer {
        Answer::Yes(Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 1 })
    }

    fn soon() -> Moment {
        clock::now().after(Duration::from_secs(60))
    }

    #[tokio::test]
    async fn the_first_answer_wins_and_the_second_is_told_so() {
        let slot = Slot::new(1);
        assert!(slot.give(yes()));
        assert!(!slot.give(Answer::No { by: Uid::ROOT, sentence: String::new() }));
        let approval = wait(&slot, DIGEST, clock::now(), soon(), std::future::pending()).await.unwrap();
        assert_eq!(approval.digest, DIGEST);
        assert!(!slot.is_open());
    }

    #[tokio::test]
    async fn a_withdrawal_beats_a_yes() {
        let slot = Slot::new(1);
        assert!(slot.give(yes()));
        let withdrawn = async { Failure::new(Code::Cancelled, "") };
        assert_eq!(
            wait(&slot, DIGEST, clock::now(), soon(), withdrawn).await.unwrap_err().failure.code,
            Code::Cancelled
        );
    }

    #[tokio::test]
    async fn after_the_expiry_no_answer_counts() {
        let slot = Slot::new(1);
        let expired = wait(&slot, DIGEST, clock::now(), clock::now(), std::future::pending()).await.unwrap_err();
        assert_eq!(expired.failure.code, Code::Expired);
        assert!(!slot.give(yes()));
    }

    #[tokio::test]
    async fn two_people_means_two_people() {
        let by = |uid| Answer::Yes(Approver { uid, kind: ApprovalKind::Challenge, latency_ms: 1 });
        let other = Uid::try_from(1000).unwrap();
        let slot = Slot::new(2);
        assert!(slot.give(yes()) && slot.is_open() && slot.has_yes_of(Uid::ROOT));
        assert!(!slot.give(yes()), "the same person twice is one");
        let (approvers, needed) = slot.progress();
        assert_eq!((approvers.len(), needed, slot.has_yes_of(other)), (1, 2, false));
        assert!(slot.give(by(other)) && !slot.is_open());
        let approval = wait(&slot, DIGEST, clock::now(), soon(), std::future::pending()).await.unwrap();
        assert_eq!(approval.approvers.iter().map(|approver| approver.uid).collect::<Vec<_>>(), [Uid::ROOT, other]);
    }

    #[tokio::test]
    async fn one_no_beats_the_first_of_two_yes() {
        let slot = Slot::new(2);
        assert!(slot.give(yes()) && slot.give(Answer::No { by: Uid::ROOT, sentence: "no".to_owned() }));
        let refused = wait(&slot, DIGEST, clock::now(), soon(), std::future::pending()).await.unwrap_err();
        assert_eq!(refused.failure.code, Code::Refused);
    }

    #[tokio::test]
    async fn a_refusal_names_who_refused() {
        let slot = Slot::new(1);
        assert!(slot.give(Answer::No { by: Uid::ROOT, sentence: "no".to_owned() }));
        let refused = wait(&slot, DIGEST, clock::now(), soon(), std::future::pending()).await.unwrap_err();
        assert_eq!((refused.failure.code, refused.refuser), (Code::Refused, Some(Uid::ROOT)));
    }
}
