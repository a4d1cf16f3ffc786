//! Queue: a held request waits here for the first answer, and for nothing longer than its expiry.
//!
//! ```text
//!   in place ──┐                       ┌─▶ Approval, minted here, to the one task that waits
//!   Approve ───┼─▶ Slot (first wins) ──┼─▶ Refused
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

/// Where the first answer to one request goes.
#[derive(Debug)]
pub(crate) struct Slot(watch::Sender<Option<Answer>>);

impl Slot {
    /// No answer yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Gives an answer; says whether it was the first.
    pub(crate) fn give(&self, answer: Answer) -> bool {
        self.0.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                *slot = Some(answer);
            }
            first
        })
    }

    /// Whether an answer still counts.
    pub(crate) fn is_open(&self) -> bool {
        self.0.borrow().is_none()
    }

    /// Comes back with the answer once there is one.
    pub(crate) async fn answer(&self) -> Answer {
        let mut follow = self.0.subscribe();
        // The sender is in `self`, so waiting cannot fail.
        let answer = follow.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        answer.unwrap_or(Answer::Closed)
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

/// Waits for the first of: a withdrawal, an answer, the expiry. Afterwards the slot takes no answer.
///
/// # Errors
/// Why there is no approval.
pub(crate) async fn wait(
    slot: &Slot,
    digest: Digest,
    expires: Moment,
    withdrawn: impl Future<Output = Failure>,
) -> Result<Approval, NotApproved> {
    let left = clock::now().until(expires);
    let waited = tokio::select! {
        biased;
        failure = withdrawn => Err(failure.into()),
        answer = slot.answer() => settle(answer, digest, expires),
        () = tokio::time::sleep(left) => Err(Failure::new(Code::Expired, "Nobody decided in time: ask again.").into()),
    };
    slot.give(Answer::Closed);
    waited
}

/// An approval is void when the request is; there is no longer-lived one.
fn settle(answer: Answer, digest: Digest, expires: Moment) -> Result<Approval, NotApproved> {
    match answer {
        Answer::Yes(approver) => {
            Ok(Approval { id: clock::new_id()?, digest, approver, granted: clock::now(), expires })
        }
        Answer::No { by, sentence } => {
            Err(NotApproved { failure: Failure::new(Code::Refused, sentence), refuser: Some(by) })
        }
        Answer::Outdated => {
            Err(Failure::new(Code::Changed, "The policy changed since this was planned: ask again.").into())
        }
        Answer::Closed => Err(Failure::new(Code::Cancelled, "The request is over.").into()),
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
        let slot = Slot::new();
        assert!(slot.give(yes()));
        assert!(!slot.give(Answer::No { by: Uid::ROOT, sentence: String::new() }));
        let approval = wait(&slot, DIGEST, soon(), std::future::pending()).await.unwrap();
        assert_eq!(approval.digest, DIGEST);
        assert!(!slot.is_open());
    }

    #[tokio::test]
    async fn a_withdrawal_beats_a_yes() {
        let slot = Slot::new();
        assert!(slot.give(yes()));
        let withdrawn = async { Failure::new(Code::Cancelled, "") };
        assert_eq!(wait(&slot, DIGEST, soon(), withdrawn).await.unwrap_err().failure.code, Code::Cancelled);
    }

    #[tokio::test]
    async fn after_the_expiry_no_answer_counts() {
        let slot = Slot::new();
        let expired = wait(&slot, DIGEST, clock::now(), std::future::pending()).await.unwrap_err();
        assert_eq!(expired.failure.code, Code::Expired);
        assert!(!slot.give(yes()));
    }

    #[tokio::test]
    async fn a_refusal_names_who_refused() {
        let slot = Slot::new();
        assert!(slot.give(Answer::No { by: Uid::ROOT, sentence: "no".to_owned() }));
        let refused = wait(&slot, DIGEST, soon(), std::future::pending()).await.unwrap_err();
        assert_eq!((refused.failure.code, refused.refuser), (Code::Refused, Some(Uid::ROOT)));
    }
}
