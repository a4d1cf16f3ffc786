//! What is known after a restart, from logs that were written record by record at times of the test's own.

use std::num::NonZeroU64;

use countersign_audit::Store;
use countersign_core::approval::{Approval, ApprovalKind, Approved, Approver};
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::order::Order;
use countersign_core::outcome::{Ended, Outcome};
use countersign_core::plan::{Circumstances, Plan};
use countersign_core::policy::budget::Budget;
use countersign_core::policy::memory::Memory;
use countersign_core::policy::{Gate, Mode, Policy};
use countersign_core::record::{Act, Draft, Stamp};
use countersign_core::request::{Classified, Request};
use countersign_core::run_state::RunState;
use countersign_core::target::{Access, Target};
use tempfile::TempDir;

use super::*;
use crate::clock;
use crate::launch::sim::pinned;
use crate::pipeline::tests::stage::{GRANTED, OTHER, ask, caller, log_in, policy};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// When it is read back.
const NOW: u64 = 400 * 24 * HOUR;

/// A log in the making.
struct Book {
    store: Store,
    policy: std::sync::Arc<Policy>,
    _directory: TempDir,
}

fn uid(uid: u32) -> Uid {
    Uid::try_from(uid).unwrap()
}

fn user_target() -> Target {
    Target { kind: TargetKind::User, name: GRANTED.to_string(), access: Access::Write }
}

fn at(ago: u64) -> Moment {
    Moment::from_millis(NOW.saturating_sub(ago))
}

impl Book {
    fn new() -> Self {
        let directory = log_in();
        Self { store: Store::open(directory.path()).unwrap(), policy: policy("mode = 'open'"), _directory: directory }
    }

    fn stamp(&self, time: Moment) -> Stamp {
        let (state, mode, ruleset) = (RunState::Green, Mode::Open, self.policy.ruleset());
        Stamp { time, boot_id: "test".to_owned(), monotonic_ms: 0, state, mode, ruleset }
    }

    fn write(&mut self, draft: Draft) {
        self.store.append(&[draft]).unwrap();
    }

    fn case(&self, user: u32, words: &[&str]) -> Classified {
        let (id, salt) = (clock::new_id().unwrap(), clock::new_salt().unwrap());
        let ask = ask(words);
        let request = Request::new(id, salt, caller(user), ask.action, ask.claims, ask.narrowing, ask.secrets).unwrap();
        request.classify(self.policy.rules())
    }

    /// One that was taken in and did not run.
    fn finished(&self, user: u32, words: &[&str], time: Moment, code: Code) -> Draft {
        let draft = Draft::finished(&self.stamp(time), &self.case(user, words));
        let draft = draft.with_verdict(Judgement::Hold).with_failure(&Failure::new(code, "x"));
        draft.with_plan(Digest::ZERO, &pinned())
    }

    /// The intent of a change that root approved.
    fn intent(&self, user: u32, time: Moment) -> Draft {
        let case = self.case(user, &["change"]);
        let expires = time.after(Duration::from_secs(600));
        let (mode, ruleset) = (Mode::Open, self.policy.ruleset());
        let circumstances =
            Circumstances { pinned: pinned(), profile_digest: Digest::ZERO, tier: Tier::T2, ruleset, mode, expires };
        let (plan, digest) = Plan::draw(&case, circumstances).unwrap();
        let approvers = vec![Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 1 }];
        let approval = Approval { id: clock::new_id().unwrap(), digest, approvers, granted: time, expires };
        let approved = Approved::by_human(approval, plan, digest).unwrap();
        let order = Order::seal(approved, &self.policy, RunState::Green, time).unwrap();
        Draft::intent(&self.stamp(time), &case, &order)
    }

    fn result(&self, intent: &Draft, time: Moment, ran_us: Option<u64>) -> Draft {
        let result = intent.record().result(&self.stamp(time));
        let outcome = |duration_us| Outcome {
            ended: Ended::Exited(0),
            enforced: vec![],
            started: time,
            duration_us,
            cpu_us: 1,
            peak_kib: 1,
        };
        match ran_us {
            Some(us) => result.with_outcome(&outcome(us)),
            None => intent.record().interrupted(&self.stamp(time)),
        }
    }

    fn recalled(&self) -> Recalled {
        recall(&self.store.reader().unwrap(), at(0)).unwrap()
    }

    /// Requests, jobs, waiting, milliseconds of jobs, prompts, T3.
    fn used(&self, user: u32) -> [u64; 6] {
        let accounts = self.recalled().accounts;
        Budget::ALL.map(|budget| accounts.used(uid(user), budget, at(0)))
    }
}

#[test]
fn an_empty_log_knows_of_nothing() {
    let recalled = Book::new().recalled();
    assert_eq!((recalled.accounts.users(), recalled.refusals.len(), recalled.tainted.len()), (0, 0, 0));
}

#[test]
fn what_was_taken_in_is_spent_for_as_long_as_it_counts() {
    for (ago, expected) in [
        (0, [1, 0, 0, 0, 1, 1]),
        (MINUTE - 1_000, [1, 0, 0, 0, 1, 1]),
        (2 * MINUTE, [0, 0, 0, 0, 1, 1]),
        (HOUR - 1_000, [0, 0, 0, 0, 1, 1]),
        (HOUR + 2 * MINUTE, [0, 0, 0, 0, 0, 1]),
        (24 * HOUR - 1_000, [0, 0, 0, 0, 0, 1]),
        (25 * HOUR, [0; 6]),
    ] {
        let mut book = Book::new();
        book.write(book.finished(GRANTED, &["destroy"], at(ago), Code::Expired));
        assert_eq!((book.used(GRANTED), book.used(OTHER)), (expected, [0; 6]), "{ago} ms ago");
    }
}

#[test]
fn what_was_never_taken_in_has_cost_nothing() {
    let mut book = Book::new();
    let case = book.case(GRANTED, &["destroy"]);
    let denied = Draft::finished(&book.stamp(at(1)), &case).with_verdict(Judgement::Deny);
    book.write(denied.with_gate(Gate::Mode).with_failure(&Failure::new(Code::ModeCeiling, "x")));
    book.write(Draft::planned(&book.stamp(at(1)), &case).with_plan(Digest::ZERO, &pinned()));
    assert_eq!(book.used(GRANTED), [0; 6]);
}

#[test]
fn a_run_costs_what_it_took_or_until_it_was_known_to_be_over_or_until_now() {
    for (ended, ran_us, job_ms) in
        [(Some(5 * MINUTE), Some(1_500_000), 1_500), (Some(5 * MINUTE), None, 5 * MINUTE), (None, None, 10 * MINUTE)]
    {
        let mut book = Book::new();
        let intent = book.intent(GRANTED, at(10 * MINUTE));
        book.write(intent.clone());
        if let Some(ended) = ended {
            book.write(book.result(&intent, at(ended), ran_us));
        }
        assert_eq!(book.used(GRANTED), [0, 0, 0, job_ms, 1, 0], "{ended:?} {ran_us:?}");
    }
}

#[test]
fn the_same_plan_is_silent_after_three_refusals_within_an_hour_and_not_after_two() {
    let human = |book: &Book, ago| book.finished(GRANTED, &["change", "x"], at(ago), Code::Refused);
    let gate = |book: &Book, ago, gate| {
        let draft = book.finished(GRANTED, &["change", "x"], at(ago), Code::ModeCeiling);
        draft.with_verdict(Judgement::Deny).with_gate(gate)
    };
    type Refusal<'a> = Box<dyn Fn(&Book) -> Draft + 'a>;
    let by_human = |ago| -> Refusal<'_> { Box::new(move |book| human(book, ago)) };
    let by_gate = |ago, of| -> Refusal<'_> { Box::new(move |book| gate(book, ago, of)) };
    for (refusals, memory) in [
        (vec![by_human(3), by_human(2), by_human(1)], Memory::Silent),
        (vec![by_human(2), by_human(1)], Memory::Clear),
        (vec![by_human(HOUR + 1), by_human(2), by_human(1)], Memory::Clear),
        (vec![by_human(HOUR - 1), by_human(2), by_human(1)], Memory::Silent),
        (vec![by_gate(3, Gate::Mode), by_human(2), by_gate(1, Gate::DenyList)], Memory::Silent),
        (vec![by_gate(3, Gate::Hold), by_human(2), by_gate(1, Gate::Mode)], Memory::Clear),
    ] {
        let mut book = Book::new();
        for refusal in &refusals {
            book.write(refusal(&book));
        }
        let deed = Deed::of(human(&book, 0).record()).unwrap();
        let refusals = book.recalled().refusals;
        assert_eq!(refusals.of(uid(GRANTED), deed, at(0)), memory);
        assert_eq!(refusals.of(uid(OTHER), deed, at(0)), Memory::Clear, "another user");
    }
}

/// What arms a latch, what clears it, and what does neither.
#[derive(Debug, Clone, Copy)]
enum Told {
    Ran,
    Marked,
    Cleared,
    NotCleared,
    StartedTainted,
    StartedClean,
    Read,
}

#[test]
fn of_a_latch_the_newest_word_since_the_last_start_counts() {
    use Told::{Cleared, Marked, NotCleared, Ran, Read, StartedClean, StartedTainted};
    for (told, armed) in [
        (&[][..], false),
        (&[Read], false),
        (&[Ran], true),
        (&[Marked], true),
        (&[Ran, Cleared], false),
        (&[Cleared, Ran], true),
        (&[Marked, NotCleared], true),
        (&[Ran, Cleared, NotCleared, Read], false),
        (&[Ran, StartedTainted], true),
        (&[Ran, StartedClean], false),
        (&[StartedTainted, Cleared], false),
        (&[Cleared, StartedTainted, Read], true),
        (&[StartedClean, Marked, Cleared, Marked], true),
    ] {
        let mut book = Book::new();
        for (index, one) in told.iter().enumerate() {
            let time = at(u64::try_from(100 - index).unwrap());
            let stamp = book.stamp(time);
            let user = user_target();
            let control = |act| Draft::control(&stamp, act, "uid 0", "x").with_target(&user);
            let draft = match one {
                Ran => book.intent(GRANTED, time),
                Marked => control(Act::MarkTainted),
                Cleared => control(Act::ClearTaint),
                NotCleared => control(Act::ClearTaint).with_failure(&Failure::new(Code::AccessDenied, "x")),
                StartedTainted => Draft::start(&stamp, "test").with_tainted(vec![uid(GRANTED)]),
                StartedClean => Draft::start(&stamp, "test"),
                Read => book.finished(GRANTED, &["echo"], time, Code::Cancelled),
            };
            book.write(draft);
        }
        let tainted = book.recalled().tainted;
        assert_eq!(tainted.contains(&uid(GRANTED)), armed, "{told:?}");
        assert!(!tainted.contains(&uid(OTHER)), "{told:?}");
    }
}

#[test]
fn what_the_clock_says_is_in_the_future_counts_as_now() {
    let mut book = Book::new();
    let ahead = |by| Moment::from_millis(NOW + by);
    for by in [1, 30 * MINUTE, 48 * HOUR] {
        book.write(book.finished(GRANTED, &["destroy"], ahead(by), Code::Refused));
    }
    let intent = book.intent(GRANTED, ahead(HOUR));
    book.write(intent);
    let [_, _, _, job_ms, prompts, t3] = book.used(GRANTED);
    assert_eq!((job_ms, prompts, t3), (0, 4, 3), "spent, however far the clock was set back");
    assert!(book.recalled().tainted.contains(&uid(GRANTED)));
}

#[test]
fn a_clock_that_was_wrong_for_a_while_hides_nothing_that_lies_before() {
    let mut book = Book::new();
    book.write(book.finished(GRANTED, &["destroy"], at(HOUR), Code::Expired));
    book.write(book.intent(OTHER, at(HOUR)));
    for day in [30, 400] {
        let behind = book.stamp(Moment::from_millis(NOW.saturating_sub(day * 24 * HOUR)));
        book.write(Draft::start(&behind, "test").with_tainted(vec![uid(OTHER)]));
        book.write(Draft::load(&behind));
        book.write(Draft::end(&behind, "restart"));
    }
    book.write(Draft::start(&book.stamp(at(MINUTE)), "test").with_tainted(vec![uid(OTHER)]));
    assert_eq!(book.used(GRANTED)[5], 1);
    assert!(book.used(OTHER)[3] > 0 && book.recalled().tainted.contains(&uid(OTHER)));
}

/// A record that would count lies before so many that are too old, which cannot happen with a clock that is right.
#[test]
fn no_more_is_read_than_must_be() {
    for (old, seen) in [(OLD_IN_A_ROW, 1), (OLD_IN_A_ROW + 1, 0)] {
        let mut book = Book::new();
        book.write(book.finished(GRANTED, &["destroy"], at(HOUR), Code::Expired));
        let stamp = book.stamp(at(48 * HOUR));
        let drafts: Vec<Draft> = (0..old).map(|_| Draft::load(&stamp)).collect();
        book.store.append(&drafts).unwrap();
        book.write(Draft::start(&book.stamp(at(MINUTE)), "test"));
        assert_eq!(book.used(GRANTED)[5], seen, "{old}");
    }
    let mut book = Book::new();
    book.write(Draft::control(&book.stamp(at(72 * HOUR)), Act::MarkTainted, "x", "x").with_target(&user_target()));
    let stamp = book.stamp(at(48 * HOUR));
    let drafts: Vec<Draft> = (0..2 * OLD_IN_A_ROW).map(|_| Draft::load(&stamp)).collect();
    book.store.append(&drafts).unwrap();
    assert!(book.recalled().tainted.contains(&uid(GRANTED)), "but always to the last start");
}

#[test]
fn it_goes_on_through_segments_that_were_closed() {
    let mut book = Book::new();
    book.write(Draft::start(&book.stamp(at(3 * HOUR)), "test"));
    for ago in [3, 2, 1] {
        book.write(book.intent(OTHER, at(ago * 10 * MINUTE)));
        book.write(book.finished(GRANTED, &["destroy"], at(ago * MINUTE), Code::Refused));
        let head = book.store.tree();
        book.store.keep(&head, "signed").unwrap();
        assert!(book.store.close_segment(NonZeroU64::MIN).unwrap());
    }
    let files = std::fs::read_dir(book._directory.path()).unwrap();
    let closed = files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("audit-"));
    assert_eq!(closed.count(), 3);
    let deed = Deed::of(book.finished(GRANTED, &["destroy"], at(0), Code::Refused).record()).unwrap();
    let recalled = book.recalled();
    assert_eq!((book.used(GRANTED)[5], recalled.refusals.of(uid(GRANTED), deed, at(0))), (3, Memory::Silent));
    assert_eq!(recalled.tainted.into_iter().collect::<Vec<_>>(), [uid(OTHER)]);
}
