//! Close: the one record of a request that did not run, and the receipt of every request.

use countersign_core::approval::Approver;
use countersign_core::code::{Code, Failure};
use countersign_core::outcome::{Ended, Outcome};
use countersign_core::policy::memory::{Refuser, is_refused};
use countersign_core::receipt::{Receipt, Recorded};
use countersign_core::record::Draft;

use super::Pipeline;
use crate::approve::queue::NotApproved;
use crate::clock;
use crate::output::Output;
use crate::tickets::{Command, End, Ran, Ticket};

impl Pipeline {
    /// Nothing ran: one record, one receipt.
    pub(super) async fn close(&self, ticket: &Ticket, command: &Command, not_approved: NotApproved) -> End {
        self.close_approved(ticket, command, not_approved, Vec::new()).await
    }

    /// The same for what these people had approved.
    pub(super) async fn close_approved(
        &self,
        ticket: &Ticket,
        command: &Command,
        not_approved: NotApproved,
        approvers: Vec<Approver>,
    ) -> End {
        let NotApproved { failure, refuser } = not_approved;
        let stamp = self.ledger.stamp(&self.policy());
        let draft = Draft::finished(&stamp, &command.case)
            .with_plan(command.digest, &command.plan.pinned)
            .with_verdict(ticket.judgement)
            .with_taint(self.latches.of(ticket.owner()))
            .with_conditions(&command.seen())
            .with_failure(&failure);
        let draft = command.place.iter().fold(draft, Draft::with_step);
        let draft = refuser.into_iter().fold(draft, Draft::with_refuser);
        let draft = approvers.iter().cloned().fold(draft, Draft::with_approver);
        if is_refused(draft.record()) {
            self.silence.note(ticket.owner(), draft.record(), Refuser::Human);
        }
        // The request is over either way; a log that cannot be written makes the state amber.
        let audit = self.ledger.write(draft).await.ok();
        End { receipt: not_run(ticket, command, &failure, approvers, audit), result: Err(failure) }
    }
}

/// The receipt of a request that did not run.
pub(super) fn not_run(
    ticket: &Ticket,
    command: &Command,
    failure: &Failure,
    approvers: Vec<Approver>,
    audit: Option<Recorded>,
) -> Receipt {
    Receipt { code: Some(failure.code), sentence: failure.sentence.clone(), approvers, audit, ..blank(ticket, command) }
}

/// The receipt of a request that ran, and what its caller is answered; the failure is why it did not end as asked.
pub(super) fn ran(
    ticket: &Ticket,
    command: &Command,
    (outcome, output): (Outcome, Output),
    failure: Option<Failure>,
    approvers: Vec<Approver>,
    audit: Option<Recorded>,
) -> End {
    let receipt = Receipt {
        code: failure.as_ref().map(|failure| failure.code),
        sentence: failure.as_ref().map_or_else(|| sentence_of(&outcome.ended), |failure| failure.sentence.clone()),
        approvers,
        enforced: outcome.enforced.clone(),
        ended: Some(outcome.ended.clone()),
        stdout: Some(output.stdout.stream.clone()),
        stderr: Some(output.stderr.stream.clone()),
        started: Some(outcome.started),
        audit,
        ..blank(ticket, command)
    };
    let never_began = matches!(outcome.ended, Ended::NotConfined { .. } | Ended::Interrupted);
    let result = match failure {
        Some(failure) if never_began => Err(failure),
        Some(_) | None => Ok(Ran { outcome, output }),
    };
    End { result, receipt }
}

fn blank(ticket: &Ticket, command: &Command) -> Receipt {
    Receipt {
        id: command.id(),
        salt: command.case.request().salt(),
        digest: Some(command.digest),
        fingerprint: Some(command.digest.fingerprint()),
        plan: Some(Box::new(command.plan.clone())),
        verdict: ticket.judgement,
        code: None,
        sentence: String::new(),
        rules: command.case.classification().rules.clone(),
        approvers: Vec::new(),
        enforced: Vec::new(),
        ended: None,
        stdout: None,
        stderr: None,
        asked: ticket.asked,
        started: None,
        finished: clock::now(),
        audit: None,
    }
}

/// The step of the sandbox that opens the program anew and compares it with what was pinned. It fails only where the file
/// was exchanged in the moment between.
const OPENS_WHAT_WAS_PINNED: &str = "files";

/// Why a job did not end by itself, in the terms of a failure. The command's own status is none of them.
pub(super) fn failure_of(ended: &Ended) -> Option<Failure> {
    let failure = |code, sentence: &str| Some(Failure::new(code, sentence));
    match ended {
        Ended::Exited(_) | Ended::Signalled(_) => None,
        Ended::TimedOut => {
            failure(Code::Expired, "Its time was over, so it was ended: ask for more time if it needs more.")
        }
        Ended::Cancelled => failure(Code::Cancelled, "It was taken back while it ran, so it was ended."),
        Ended::Stopped => failure(
            Code::Stopped,
            "The broker was stopped while it ran, so it was ended: an operator clears it with `countersign clear`.",
        ),
        Ended::OutputLimit => failure(
            Code::OverBudget,
            "It wrote more than its profile allows, so it was ended: have it write less, or to a file.",
        ),
        Ended::NotConfined { step, .. } if step == OPENS_WHAT_WAS_PINNED => failure(
            Code::Changed,
            "The program changed after it was last looked at, so it did not begin: look at it and ask again.",
        ),
        Ended::NotConfined { step, errno } => Some(Failure::new(
            Code::SandboxUnavailable,
            format!(
                "The sandbox step {step} failed (error {errno}), so the program did not begin: see SECURITY.md for what a kernel must offer."
            ),
        )),
        Ended::Interrupted => failure(Code::Internal, "The launcher died while it ran, and the job with it."),
    }
}

fn sentence_of(ended: &Ended) -> String {
    match ended {
        Ended::Exited(status) => format!("It ran and exited with status {status}."),
        Ended::Signalled(signal) => format!("It ran and was ended by signal {signal}."),
        Ended::TimedOut
        | Ended::Cancelled
        | Ended::Stopped
        | Ended::OutputLimit
        | Ended::NotConfined { .. }
        | Ended::Interrupted => String::new(),
    }
}
