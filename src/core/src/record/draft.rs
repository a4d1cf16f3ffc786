//! Drafts: records that lack only their place in the log.
//!
//! Enters: the facts of one happening. Leaves: an [`Entry`] once the writer says which number it gets and what it
//! follows. Everything that came from a caller passes [`crate::redact`] on the way in, here and nowhere else.

use crate::approval::{Approver, Permission};
use crate::bundle::Step;
use crate::caller::{Caller, Uid};
use crate::code::Failure;
use crate::condition::Seen;
use crate::digest::{Digest, NotCanonical, canonical};
use crate::order::Order;
use crate::outcome::{Ended, Outcome, Stream};
use crate::plan::Pinned;
use crate::policy::{Gate, Mode, Ruleset, Taint};
use crate::record::{Asker, Executable, Hidden, Judgement, MAX_ERROR, MAX_NUMBER, Part, Phase, Record, VERSION};
use crate::redact::{self, Secrets};
use crate::request::Classified;
use crate::run_state::RunState;
use crate::salt::Salt;
use crate::target::Target;
use crate::time::Moment;
use crate::tree::leaf;

/// When something happened and what the broker was ready to do then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The wall clock.
    pub time: Moment,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Milliseconds since boot.
    pub monotonic_ms: u64,
    /// The run state.
    pub state: RunState,
    /// The mode.
    pub mode: Mode,
    /// The policy in force.
    pub ruleset: Ruleset,
}

/// What an operator did to the broker itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Used the kill switch.
    Stop,
    /// Cleared the stop latch.
    Clear,
    /// Put the broker on hold.
    Hold,
    /// Lifted the hold.
    Resume,
    /// Armed its own taint latch.
    MarkTainted,
    /// Cleared a user's taint latch.
    ClearTaint,
    /// Changed the log's key.
    Rotate,
}

impl Act {
    const fn phase(self) -> Phase {
        match self {
            Self::Stop => Phase::Stop,
            Self::Clear => Phase::Clear,
            Self::Hold => Phase::Hold,
            Self::Resume => Phase::Resume,
            Self::MarkTainted => Phase::MarkTainted,
            Self::ClearTaint => Phase::ClearTaint,
            Self::Rotate => Phase::Rotate,
        }
    }
}

/// A record in its place: what the store keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 1.
    pub seq: u64,
    /// The body's hash as a leaf of the log's tree: SHA-256 over a zero byte and the body.
    pub hash: Digest,
    /// The record's canonical JSON, with `seq` and `prev` inside.
    pub body: Vec<u8>,
}

/// A record that lacks only its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    record: Box<Record>,
    opening: Option<Salt>,
    /// Hidden in everything that is added later; not part of the record.
    secrets: Secrets,
}

impl Draft {
    /// The broker began.
    #[must_use]
    pub fn start(stamp: &Stamp, software: &str) -> Self {
        Self::blank(stamp, Phase::Start).with(|record| record.software = Some(software.to_owned()))
    }

    /// The broker ends in good order.
    #[must_use]
    pub fn end(stamp: &Stamp, why: &str) -> Self {
        Self::blank(stamp, Phase::End).with(|record| record.why = Some(redact::text(why)))
    }

    /// Policy was read. Add the failure if it was refused.
    #[must_use]
    pub fn load(stamp: &Stamp) -> Self {
        Self::blank(stamp, Phase::Load)
    }

    /// An operator acted on the broker. `who` is a word of ours or a uid, `why` that person's words.
    #[must_use]
    pub fn control(stamp: &Stamp, act: Act, who: &str, why: &str) -> Self {
        Self::blank(stamp, act.phase()).with(|record| {
            record.who = Some(redact::text(who));
            record.why = Some(redact::text(why));
        })
    }

    /// A call was refused before there was a request: no grant, or not a well-formed one.
    #[must_use]
    pub fn rejected(stamp: &Stamp, caller: &Caller, failure: &Failure) -> Self {
        Self::blank(stamp, Phase::Final).with_caller(caller).with_failure(failure)
    }

    /// A plan was shown.
    #[must_use]
    pub fn planned(stamp: &Stamp, case: &Classified) -> Self {
        Self::asked(stamp, Phase::Plan, case)
    }

    /// The request is over and nothing ran: denial, refusal, expiry, cancel.
    #[must_use]
    pub fn finished(stamp: &Stamp, case: &Classified) -> Self {
        Self::asked(stamp, Phase::Final, case)
    }

    /// The request is about to run.
    #[must_use]
    pub fn intent(stamp: &Stamp, case: &Classified, order: &Order) -> Self {
        let (verdict, approvers) = match order.permission() {
            Permission::Grant => (Judgement::Allow, vec![]),
            Permission::Human(approval) => (Judgement::Hold, approval.approvers.clone()),
        };
        let draft = Self::asked(stamp, Phase::Intent, case).with_plan(order.digest(), &order.plan().pinned);
        order
            .step()
            .into_iter()
            .fold(draft, Self::with_step)
            .with_verdict(verdict)
            .with(|record| record.approvers = approvers)
    }

    /// Adds who asked.
    #[must_use]
    pub fn with_caller(self, caller: &Caller) -> Self {
        let caller = Asker::of(caller, &self.secrets);
        self.with(|record| record.caller = Some(caller))
    }

    /// Adds the plan's digest and what was to run.
    #[must_use]
    pub fn with_plan(self, digest: Digest, pinned: &Pinned) -> Self {
        let secrets = self.secrets.clone();
        self.with(|record| {
            record.digest = Some(digest);
            record.executable = Some(Executable::of(&pinned.executable, &secrets));
            record.interpreter =
                pinned.interpreter.as_ref().map(|interpreter| Executable::of(&interpreter.file, &secrets));
        })
    }

    /// Adds which step of which bundle it is.
    #[must_use]
    pub fn with_step(self, step: &Step) -> Self {
        let part = |digest| Part { digest, of: step.bundle.count(), step: step.number() };
        let part = step.bundle.digest().ok().map(part);
        self.with(|record| record.bundle = part)
    }

    /// Adds the judge's verdict.
    #[must_use]
    pub fn with_verdict(self, verdict: Judgement) -> Self {
        self.with(|record| record.verdict = Some(verdict))
    }

    /// Adds the caller's taint latch.
    #[must_use]
    pub fn with_taint(self, taint: Taint) -> Self {
        self.with(|record| record.taint = Some(taint))
    }

    /// Adds why it did not go as asked: code and sentence.
    #[must_use]
    pub fn with_failure(self, failure: &Failure) -> Self {
        self.with(|record| record.code = Some(failure.code)).with_error(&failure.sentence)
    }

    /// Adds what was looked at because rules ask for it.
    #[must_use]
    pub fn with_conditions(self, seen: &[Seen]) -> Self {
        let clean = |seen: &Seen| Seen { check: self.secrets.text(&seen.check), ..seen.clone() };
        let conditions = seen.iter().map(clean).collect();
        self.with(|record| record.conditions = conditions)
    }

    /// Adds which gate refused it.
    #[must_use]
    pub fn with_gate(self, gate: Gate) -> Self {
        self.with(|record| record.gate = Some(gate))
    }

    /// Adds how often it was asked without an answer.
    #[must_use]
    pub fn with_times(self, times: u64) -> Self {
        self.with(|record| record.times = Some(times.min(MAX_NUMBER)))
    }

    /// Adds whose latches are armed.
    #[must_use]
    pub fn with_tainted(self, tainted: Vec<Uid>) -> Self {
        self.with(|record| record.tainted = tainted)
    }

    /// Adds what went wrong, redacted and cut to [`MAX_ERROR`] characters.
    #[must_use]
    pub fn with_error(self, error: &str) -> Self {
        let error = cut(self.secrets.text(error));
        self.with(|record| record.error = Some(error))
    }

    /// Adds who acted on the broker: a word of ours.
    #[must_use]
    pub fn with_who(self, who: &str) -> Self {
        self.with(|record| record.who = Some(who.to_owned()))
    }

    /// Adds who said yes, and how.
    #[must_use]
    pub fn with_approver(self, approver: Approver) -> Self {
        self.with(|record| record.approvers.push(approver))
    }

    /// Adds what was acted on.
    #[must_use]
    pub fn with_target(self, target: &Target) -> Self {
        let target = clean(target, &self.secrets);
        self.with(|record| record.targets.push(target))
    }

    /// Adds who said no.
    #[must_use]
    pub fn with_refuser(self, refuser: Uid) -> Self {
        self.with(|record| record.refuser = Some(refuser))
    }

    /// Adds how the job ended, what it used and what confined it.
    #[must_use]
    pub fn with_outcome(self, outcome: &Outcome) -> Self {
        self.with(|record| {
            record.ended = Some(outcome.ended.clone());
            record.enforced.clone_from(&outcome.enforced);
            record.started = Some(exact(outcome.started));
            record.duration_us = Some(outcome.duration_us.min(MAX_NUMBER));
            record.cpu_us = Some(outcome.cpu_us.min(MAX_NUMBER));
            record.peak_kib = Some(outcome.peak_kib.min(MAX_NUMBER));
        })
    }

    /// Adds what is known of the output. Never its content.
    #[must_use]
    pub fn with_streams(self, stdout: &Stream, stderr: &Stream) -> Self {
        let countable = |stream: &Stream| Stream { length: stream.length.min(MAX_NUMBER), ..stream.clone() };
        self.with(|record| {
            record.stdout = Some(countable(stdout));
            record.stderr = Some(countable(stderr));
        })
    }

    /// Puts it under the policy that is in force now, where that is another one than when it was begun.
    #[must_use]
    pub fn under(self, stamp: &Stamp) -> Self {
        self.with(|record| {
            record.mode = stamp.mode;
            record.ruleset = stamp.ruleset;
        })
    }

    /// The draft of the result that closes this intent, hiding the same.
    #[must_use]
    pub fn result(&self, stamp: &Stamp) -> Self {
        Self { secrets: self.secrets.clone(), ..self.record.result(stamp) }
    }

    /// The record so far; its place is not settled.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The salt of the record's commitment, for the log's owner alone.
    #[must_use]
    pub const fn opening(&self) -> Option<Salt> {
        self.opening
    }

    /// Puts the record into its place.
    ///
    /// # Errors
    /// It has no canonical form, which no draft of this module lacks.
    pub fn complete(&self, seq: u64, prev: Digest) -> Result<Entry, NotCanonical> {
        let mut record = self.record.as_ref().clone();
        record.seq = seq;
        record.prev = prev;
        let body = canonical(&record)?;
        Ok(Entry { seq, hash: leaf(&body), body })
    }

    fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.record);
        self
    }

    fn asked(stamp: &Stamp, phase: Phase, case: &Classified) -> Self {
        let (request, classification) = (case.request(), case.classification());
        let (action, secrets) = (request.action(), request.secrets());
        let claim = |text: &Option<String>| text.as_deref().map(|text| secrets.text(text));
        let draft = Self { secrets: secrets.clone(), ..Self::blank(stamp, phase) };
        let draft = draft.with_caller(request.caller()).with(|record| {
            record.id = Some(request.id());
            record.agent = claim(&request.claims().agent);
            record.reason = claim(&request.claims().reason);
            record.argv = secrets.words(action.argv.words());
            record.cwd = Some(secrets.text(action.cwd.as_str()));
            record.env_names = action.env.added().keys().cloned().collect();
            record.tier = Some(classification.ruling);
            record.rules.clone_from(&classification.rules);
            record.targets = case.targets().iter().map(|target| clean(target, secrets)).collect();
            record.profile = Some(case.profile().clone());
        });
        draft.commit(&Hidden::of(request), request.salt())
    }

    /// Binds what the record hides, and keeps the salt for whoever may open it.
    fn commit(self, hidden: &Hidden<'_>, salt: Salt) -> Self {
        let commitment = if hidden.is_hidden_in(&self.record) { hidden.commitment(salt) } else { None };
        let opening = commitment.map(|_| salt);
        Self { opening, ..self.with(|record| record.commitment = commitment) }
    }

    fn blank(stamp: &Stamp, phase: Phase) -> Self {
        let record = Box::new(Record {
            v: VERSION,
            seq: 0,
            prev: Digest::ZERO,
            time: exact(stamp.time),
            boot_id: stamp.boot_id.clone(),
            monotonic_ms: stamp.monotonic_ms.min(MAX_NUMBER),
            kind: phase.kind(),
            phase,
            state: stamp.state,
            mode: stamp.mode,
            ruleset: stamp.ruleset,
            id: None,
            digest: None,
            bundle: None,
            commitment: None,
            caller: None,
            taint: None,
            agent: None,
            reason: None,
            argv: Vec::new(),
            cwd: None,
            env_names: Vec::new(),
            tier: None,
            rules: Vec::new(),
            targets: Vec::new(),
            profile: None,
            verdict: None,
            code: None,
            gate: None,
            conditions: Vec::new(),
            times: None,
            approvers: Vec::new(),
            refuser: None,
            executable: None,
            interpreter: None,
            enforced: Vec::new(),
            ended: None,
            started: None,
            duration_us: None,
            cpu_us: None,
            peak_kib: None,
            stdout: None,
            stderr: None,
            error: None,
            who: None,
            why: None,
            tainted: Vec::new(),
            software: None,
        });
        Self { record, opening: None, secrets: Secrets::default() }
    }
}

impl Record {
    /// The draft of the result that closes this intent: the same request, caller, tier and sandbox.
    #[must_use]
    pub fn result(&self, stamp: &Stamp) -> Draft {
        Draft::blank(stamp, Phase::Result).with(|record| {
            record.id = self.id;
            record.digest = self.digest;
            record.bundle.clone_from(&self.bundle);
            record.caller.clone_from(&self.caller);
            record.tier = self.tier;
            record.profile.clone_from(&self.profile);
            record.verdict = self.verdict;
            record.approvers.clone_from(&self.approvers);
        })
    }

    /// The draft that closes this intent after the broker died over it.
    #[must_use]
    pub fn interrupted(&self, stamp: &Stamp) -> Draft {
        self.result(stamp).with(|record| record.ended = Some(Ended::Interrupted))
    }
}

fn clean(target: &Target, secrets: &Secrets) -> Target {
    Target { name: secrets.text(&target.name), ..target.clone() }
}

fn exact(moment: Moment) -> Moment {
    Moment::from_millis(moment.millis().min(MAX_NUMBER))
}

/// At most [`MAX_ERROR`] characters, the last of them an ellipsis if something was cut.
fn cut(text: String) -> String {
    if text.chars().count() <= MAX_ERROR {
        return text;
    }
    text.chars().take(MAX_ERROR.saturating_sub(1)).chain(['…']).collect()
}
