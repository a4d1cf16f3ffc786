//! Control: what an operator does to the broker itself. SEC-4, SEC-8.
//!
//! ```text
//!   Hold        green ─▶ amber: reads only           the state first, then the record: a hold never waits
//!   Resume      amber ─▶ green                       the record first: without it the hold stays; not while the log
//!                                                    is another than was signed
//!   ClearTaint  one user's latch                     armed again if there is no record
//!   Reload      another policy, or the same          see `config`
//! ```
//!
//! Enters: an operator, whom polkit vouches for (root needs no voucher). Leaves: the act and its one record, which is
//! also written where the act was refused, as long as there is room for it. Nothing here leaves red, and nothing
//! raises what the policy allows.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::approval::{ApprovalKind, Approver};
use countersign_core::caller::{Caller, Uid};
use countersign_core::code::{Code, Failure};
use countersign_core::policy::Taint;
use countersign_core::record::{Act, Draft};
use countersign_core::target::{Access, Target, TargetKind};
use countersign_core::text::{Steering, quoted};

use crate::approve::polkit::Person;
use crate::approve::queue::latency_ms;
use crate::approve::{Dialog, Matter, Reply};
use crate::config;
use crate::notice::Topic;
use crate::pipeline::Pipeline;
use crate::standing::Intake;

/// The most bytes of a reason in a notice.
const REASON_BOUND: usize = 500;

/// Who acts: a caller, and the same as somebody who can be asked.
pub(crate) struct Operator<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) person: Person,
    pub(crate) dialog: Dialog,
}

/// Acts on the broker if the operator may, and writes the record of it.
///
/// # Errors
/// The broker ends, the operator may not, or the act failed.
pub(crate) async fn steer(
    pipeline: &Arc<Pipeline>,
    operator: &Operator<'_>,
    act: Steering,
    why: &str,
) -> Result<(), Failure> {
    let entitled = match still_open(pipeline) {
        Ok(()) => entitled(pipeline, operator, act, why).await,
        Err(failure) => Err(failure),
    };
    match entitled {
        Ok(approver) => perform(pipeline, operator.caller, act, why, approver).await,
        Err(failure) => {
            let draft = draft(pipeline, operator.caller, act, why).with_failure(&failure);
            Err(pipeline.refuse(operator.caller, draft, failure).await)
        }
    }
}

/// A caller's own latch, which anybody may arm, and which is armed for whoever collects output. Recorded where it was not
/// armed yet.
///
/// # Errors
/// The record could not be written; the latch is armed all the same.
pub(crate) async fn mark_tainted(pipeline: &Pipeline, caller: &Caller, why: &str) -> Result<(), Failure> {
    if !pipeline.latches.arm(caller.uid) {
        return Ok(());
    }
    let stamp = pipeline.ledger.stamp(&pipeline.policy());
    let draft = Draft::control(&stamp, Act::MarkTainted, &who(caller), why).with_caller(caller);
    pipeline.ledger.write(draft.with_target(&user(caller.uid))).await.map(drop)
}

/// Clears the latch of a user whose last process is gone, if it is armed.
///
/// # Errors
/// `AuditUnavailable`; then it stays armed.
pub(crate) async fn clear_of_the_gone(pipeline: &Pipeline, uid: Uid) -> Result<(), Failure> {
    let stamp = pipeline.ledger.stamp(&pipeline.policy());
    let draft = Draft::control(&stamp, Act::ClearTaint, "countersignd", "its last process ended");
    cleared(pipeline, uid, draft.with_target(&user(uid))).await
}

/// The latch first: a job that begins while the record is written arms it again, and then that is recorded as well.
async fn cleared(pipeline: &Pipeline, uid: Uid, draft: Draft) -> Result<(), Failure> {
    let was_armed = pipeline.latches.clear(uid);
    if let Err(failure) = pipeline.ledger.write(draft).await {
        if was_armed {
            pipeline.latches.arm(uid);
        }
        return Err(failure);
    }
    if pipeline.latches.of(uid) == Taint::Clean {
        return Ok(());
    }
    let stamp = pipeline.ledger.stamp(&pipeline.policy());
    let draft = Draft::control(&stamp, Act::MarkTainted, "countersignd", "a job began meanwhile");
    pipeline.ledger.write(draft.with_target(&user(uid))).await.map(drop)
}

async fn perform(
    pipeline: &Arc<Pipeline>,
    caller: &Caller,
    act: Steering,
    why: &str,
    approver: Approver,
) -> Result<(), Failure> {
    let draft = draft(pipeline, caller, act, why).with_approver(approver);
    match act {
        Steering::Hold => {
            pipeline.standing.warn();
            let said = format!(
                "On hold by {}, reason {}: reads only, until `countersign resume`.",
                who(caller),
                quoted(why, REASON_BOUND)
            );
            pipeline.standing.notices.say(Topic::Hold, Some(said));
            pipeline.ledger.write(draft).await.map(drop)
        }
        Steering::Resume => {
            if let Err(failure) = pipeline.ledger.has_what_was_signed() {
                pipeline.ledger.write(draft.with_failure(&failure)).await?;
                return Err(failure);
            }
            pipeline.ledger.write(draft).await?;
            pipeline.standing.resume();
            pipeline.standing.notices.say(Topic::Hold, None);
            still_open(pipeline)
        }
        Steering::ClearTaint(uid) => cleared(pipeline, uid, draft).await,
        Steering::Reload => config::reload(pipeline, draft).await,
    }
}

fn still_open(pipeline: &Pipeline) -> Result<(), Failure> {
    match pipeline.standing.now().intake {
        Intake::Open => Ok(()),
        Intake::Draining | Intake::Closed => pipeline.standing.admits(),
    }
}

fn draft(pipeline: &Pipeline, caller: &Caller, act: Steering, why: &str) -> Draft {
    let stamp = pipeline.ledger.stamp(&pipeline.policy());
    let control = |act| Draft::control(&stamp, act, &who(caller), why);
    match act {
        Steering::Hold => control(Act::Hold),
        Steering::Resume => control(Act::Resume),
        Steering::ClearTaint(uid) => control(Act::ClearTaint).with_target(&user(uid)),
        Steering::Reload => Draft::load(&stamp),
    }
    .with_caller(caller)
}

fn who(caller: &Caller) -> String {
    format!("uid {}", caller.uid)
}

fn user(uid: Uid) -> Target {
    Target { kind: TargetKind::User, name: uid.to_string(), access: Access::Write }
}

/// Root is entitled without polkit, so that a broker can be held while polkit does not answer.
async fn entitled(pipeline: &Pipeline, operator: &Operator<'_>, act: Steering, why: &str) -> Result<Approver, Failure> {
    let uid = operator.caller.uid;
    if uid == Uid::ROOT {
        return Ok(Approver { uid, kind: ApprovalKind::PolkitRule, latency_ms: 0 });
    }
    match act {
        // A hold only lowers, so whoever filled the room under an administrator's name does not keep it from one.
        Steering::Hold => {}
        Steering::Resume | Steering::ClearTaint(_) | Steering::Reload => {
            pipeline.room(operator.caller).map_err(|crowded| crowded.failure())?;
        }
    }
    let (asked, words) = (Instant::now(), act.polkit_details(why));
    let over = Box::pin(pipeline.standing.ends());
    let reply = pipeline.humans.ask(&operator.person, Matter::Control, &words, operator.dialog, over).await;
    let Reply::Yes(kind) = reply else { return Err(not_entitled(reply)) };
    Ok(Approver { uid, kind, latency_ms: latency_ms(asked.elapsed()) })
}

fn not_entitled(reply: Reply) -> Failure {
    let denied = |sentence: &str| Failure::new(Code::AccessDenied, sentence);
    match reply {
        Reply::Yes(_) | Reply::No => denied("You did not prove to be an administrator: nothing was changed."),
        Reply::Dismissed => denied("The dialog was closed: nothing was changed."),
        Reply::NeedsDialog => {
            denied("You must prove to be an administrator, and the call did not allow a dialog for it.")
        }
        Reply::Gone => denied("You left, or the broker ends: nothing was changed."),
        Reply::NoAgent => Failure::new(
            Code::NoApprover,
            "There is no agent that could ask for your password: log in on a desktop, or run pkttyagent.",
        ),
        Reply::Unavailable => Failure::new(
            Code::NoApprover,
            "polkit did not answer, so nobody can decide: see `systemctl status polkit`.",
        ),
    }
}
