//! Run: intent, job, result. The intent is on the disk before the launcher is asked, and the result before the
//! caller is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::approval::{Approver, Permission};
use countersign_core::code::{Code, Failure};
use countersign_core::message::CancelCause;
use countersign_core::order::Order;
use countersign_core::outcome::{Ended, Outcome};
use countersign_core::policy::budget::Charge;
use countersign_core::record::Draft;
use countersign_core::request::RequestId;

use super::{Pipeline, close};
use crate::ask::Files;
use crate::budget::Held;
use crate::conditions::Looked;
use crate::launch::{Job, JobFiles};
use crate::output::{self, Capture, Output};
use crate::standing::Intake;
use crate::tickets::{Command, End, Event, Ticket, Withdrawal};

/// How many bytes one MiB has.
const MIB: u64 = 1_024 * 1_024;

/// How long output may still be drained and copied when the broker ends.
const HASTE: Duration = Duration::from_millis(100);

/// A job that is over.
struct Over {
    outcome: Outcome,
    output: Output,
}

impl Pipeline {
    /// Runs an order and writes both its records.
    pub(super) async fn run(
        &self,
        ticket: &Ticket,
        command: &Command,
        order: Order,
        mut job: Held,
        files: Files,
    ) -> End {
        let place = Arc::new(job.split(Charge { jobs: 1, ..Charge::NONE }));
        let approvers = approvers(order.permission());
        let policy = self.policy();
        let intent = Draft::intent(&self.ledger.stamp(&policy), &command.case, &order)
            .with_taint(self.latches.of(ticket.owner()))
            .with_conditions(&command.seen());
        if let Err(failure) = self.ledger.write(intent.clone()).await {
            return self.close_approved(ticket, command, failure.into(), approvers).await;
        }
        // The disk may have taken its time, and who asked, the policy or the broker may be another by now.
        if let Err(failure) = self.still_holds(ticket, &order) {
            let result = intent.result(&self.ledger.stamp(&self.policy())).with_failure(&failure);
            let audit = self.ledger.write(result).await.ok();
            return End { receipt: close::not_run(ticket, command, &failure, approvers, audit), result: Err(failure) };
        }
        // Output may reach the caller from the first moment of the job, so the latch is armed before it.
        self.latches.arm(ticket.owner());
        let begun = Instant::now();
        let over = self.work(ticket, command, order, files, place).await;
        job.settle(time_of(&over, begun));
        let result = intent.result(&self.ledger.stamp(&policy));
        match over {
            Ok(Over { outcome, output }) => {
                if outcome.ended.shows_a_missing_layer() {
                    self.standing.warn();
                }
                let drift = self.drift(command, &outcome.ended).await;
                let failure = close::failure_of(&outcome.ended).or(drift.against.into_iter().next());
                let result = failure.iter().fold(result, Draft::with_failure).with_conditions(&drift.seen);
                let result = result.with_outcome(&outcome).with_streams(&output.stdout.stream, &output.stderr.stream);
                // It ran, and that is what is said, also where it could not be written down.
                let audit = self.ledger.write(result).await.ok();
                close::ran(ticket, command, (outcome, output), failure, approvers, audit)
            }
            Err(failure) => {
                // Something that the sandbox needs is missing on this machine: reads only, until somebody has looked.
                if failure.code == Code::SandboxUnavailable {
                    self.standing.warn();
                }
                let audit = self.ledger.write(result.with_failure(&failure)).await.ok();
                End { receipt: close::not_run(ticket, command, &failure, approvers, audit), result: Err(failure) }
            }
        }
    }

    /// What the rules expect of the machine after the run. A command that did not end well promised nothing.
    async fn drift(&self, command: &Command, ended: &Ended) -> Looked {
        match ended {
            Ended::Exited(0) => self.conditions.after(&command.case.classification().needs, command.plan.tier).await,
            Ended::Exited(_)
            | Ended::Signalled(_)
            | Ended::TimedOut
            | Ended::Cancelled
            | Ended::Stopped
            | Ended::OutputLimit
            | Ended::NotConfined { .. }
            | Ended::Interrupted => Looked::default(),
        }
    }

    async fn work(
        &self,
        ticket: &Ticket,
        command: &Command,
        order: Order,
        files: Files,
        place: Arc<Held>,
    ) -> Result<Over, Failure> {
        let most = self.output_cap(command);
        let no_pipe =
            |_| Failure::new(Code::LaunchFailed, "There was no pipe for the output: try again when fewer jobs run.");
        let (ends, mut capture) = output::capture(files.sinks, most, &place).map_err(no_pipe)?;
        let files = JobFiles { stdout: ends.stdout, stderr: ends.stderr, stdin: files.stdin };
        let mut job = self.launcher.run(order, files).await?;
        command.step(Event::Start, self.standing.state());
        self.tell(ticket);
        let outcome = self.accompany(ticket, command.id(), &mut job, &mut capture).await;
        let output = capture.finish(self.grace()).await;
        let gone = || {
            Failure::new(
                Code::LaunchFailed,
                "The launcher died while it ran, and the job with it: how far it came is not known.",
            )
        };
        Ok(Over { outcome: outcome.ok_or_else(gone)?, output })
    }

    /// Waits for the end, and brings it about when the request is taken back or writes too much.
    async fn accompany(&self, ticket: &Ticket, id: RequestId, job: &mut Job, capture: &mut Capture) -> Option<Outcome> {
        let (mut withdrawn, mut overflowed) = (false, false);
        loop {
            tokio::select! {
                biased;
                outcome = job.outcome() => return outcome,
                by = ticket.withdrawn(), if !withdrawn => {
                    withdrawn = true;
                    if ends_jobs(by) {
                        self.launcher.cancel(id, CancelCause::Cancelled).await;
                    }
                }
                () = capture.overflow(), if !overflowed => {
                    overflowed = true;
                    self.launcher.cancel(id, CancelCause::OutputLimit).await;
                }
            }
        }
    }

    /// A stop does not wait for readers.
    fn grace(&self) -> Duration {
        match self.standing.now().intake {
            Intake::Open | Intake::Draining => output::GRACE,
            Intake::Closed => HASTE,
        }
    }

    fn output_cap(&self, command: &Command) -> u64 {
        let policy = self.policy();
        policy
            .profiles()
            .get(&command.plan.profile)
            .map_or(0, |profile| u64::from(profile.limits.output_mib).saturating_mul(MIB))
    }
}

/// Whether the front must have the job ended: at a stop the launcher does so itself, at a restart nobody does.
const fn ends_jobs(by: Withdrawal) -> bool {
    match by {
        Withdrawal::Asked | Withdrawal::CallerLeft | Withdrawal::ShuttingDown => true,
        Withdrawal::Stopped | Withdrawal::Restarting => false,
    }
}

/// The time that a job took, or that its refusal did not take.
fn time_of(over: &Result<Over, Failure>, begun: Instant) -> Charge {
    let job_ms = match over {
        Ok(Over { outcome, .. }) => outcome.duration_us.div_ceil(1_000),
        Err(failure) if failure.code == Code::LaunchFailed => {
            u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
        }
        Err(_) => 0,
    };
    Charge { job_ms, ..Charge::NONE }
}

fn approvers(permission: &Permission) -> Vec<Approver> {
    match permission {
        Permission::Grant => Vec::new(),
        Permission::Human(approval) => approval.approvers.clone(),
    }
}
