//! Budgets at n and n+1, what they count and until when, and the laws that hold whatever is asked in whatever order.

use proptest::prelude::*;

use super::*;
use crate::tier::Tier;

const START: u64 = 1_800_000_000_000;

fn uid(id: u32) -> Uid {
    Uid::try_from(id).unwrap()
}

fn at(ms: u64) -> Moment {
    Moment::from_millis(START.saturating_add(ms))
}

fn limits(text: &str) -> Limits {
    toml::from_str::<Allowance>(text).unwrap().limits()
}

const REQUEST: Charge = Charge { requests: 1, ..Charge::NONE };

fn spend(accounts: &mut Accounts, limits: &Limits, charge: Charge, now: Moment) -> Result<(), Over> {
    accounts.reserve(uid(1), limits, &charge, now)?;
    accounts.settle(uid(1), &charge, &charge, now);
    Ok(())
}

#[test]
fn the_nth_fits_and_the_next_does_not_until_the_window_has_passed() {
    let limits = limits("requests_per_minute = 3");
    let mut accounts = Accounts::default();
    for second in 0..3 {
        spend(&mut accounts, &limits, REQUEST, at(second * 1_000)).unwrap();
    }
    let over = spend(&mut accounts, &limits, REQUEST, at(3_000)).unwrap_err();
    assert_eq!((over.budget, over.whose, over.limit), (Budget::RequestsPerMinute, Whose::Own, 3));
    let frees = over.frees.unwrap();
    assert_eq!(frees, at(61_000), "a minute after the first, rounded up to its slot");
    assert!(spend(&mut accounts, &limits, REQUEST, Moment::from_millis(frees.millis() - 1)).is_err());
    spend(&mut accounts, &limits, REQUEST, frees).unwrap();
    assert!(spend(&mut accounts, &limits, REQUEST, frees).is_err(), "one freed, one taken");
    let sentence = over.failure().sentence;
    assert!(sentence.contains("3 requests per minute") && sentence.contains(&frees.rfc3339()), "{sentence}");
}

#[test]
fn each_window_has_its_length() {
    for (text, charge, length) in [
        ("requests_per_minute = 1", REQUEST, MINUTE_MS),
        ("prompts_per_hour = 1", Charge { prompts: 1, ..Charge::NONE }, HOUR_MS),
        ("job_seconds_per_hour = 1", Charge { job_ms: 1_000, ..Charge::NONE }, HOUR_MS),
        ("t3_per_day = 1", Charge { t3: 1, ..Charge::NONE }, DAY_MS),
    ] {
        let (limits, mut accounts) = (limits(text), Accounts::default());
        spend(&mut accounts, &limits, charge, at(0)).unwrap();
        assert!(spend(&mut accounts, &limits, charge, at(length)).is_err(), "{text}: at least the whole window");
        spend(&mut accounts, &limits, charge, at(length + length / 60)).unwrap();
    }
}

#[test]
fn what_is_held_counts_until_it_is_given_back() {
    let limits = limits("jobs = 1\njob_seconds_per_hour = 10");
    let mut accounts = Accounts::default();
    let job = Charge::job(8_000);
    accounts.reserve(uid(1), &limits, &job, at(0)).unwrap();
    assert_eq!(accounts.reserve(uid(1), &limits, &job, at(0)).unwrap_err().budget, Budget::Jobs);
    assert_eq!(accounts.reserve(uid(1), &limits, &job, at(0)).unwrap_err().frees, None);
    accounts.settle(uid(1), &job, &Charge { job_ms: 2_000, ..Charge::NONE }, at(2_000));
    accounts.reserve(uid(1), &limits, &job, at(2_000)).unwrap();
    accounts.settle(uid(1), &job, &Charge::job(8_000), at(10_000));
    assert_eq!(accounts.reserve(uid(1), &limits, &job, at(10_000)).unwrap_err().budget, Budget::JobSecondsPerHour);
}

#[test]
fn a_job_of_a_day_is_held_as_an_hour() {
    assert_eq!(Charge::job(86_400_000).job_ms, HOUR_MS);
    assert_eq!(Charge::job(HOUR_MS + 1).job_ms, HOUR_MS);
    assert_eq!(Charge::job(1).job_ms, 1);
}

#[test]
fn what_a_request_costs_follows_from_its_verdict_and_tier() {
    assert_eq!(Charge::request(Tier::T0, false), REQUEST);
    assert_eq!(Charge::request(Tier::T2, true), Charge { prompts: 1, waiting: 1, ..REQUEST });
    assert_eq!(Charge::request(Tier::T3, true), Charge { prompts: 1, waiting: 1, t3: 1, ..REQUEST });
}

#[test]
fn all_together_have_bounds_too_and_one_does_not_use_anothers() {
    let limits = limits("waiting = 1024");
    let mut accounts = Accounts::default();
    let wait = Charge { waiting: 512, ..Charge::NONE };
    accounts.reserve(uid(1), &limits, &wait, at(0)).unwrap();
    accounts.reserve(uid(2), &limits, &wait, at(0)).unwrap();
    let over = accounts.reserve(uid(3), &limits, &Charge { waiting: 1, ..Charge::NONE }, at(0)).unwrap_err();
    assert_eq!((over.budget, over.whose, over.limit), (Budget::Waiting, Whose::All, 1_024));
    accounts.settle(uid(2), &wait, &Charge::NONE, at(0));
    accounts.reserve(uid(3), &limits, &wait, at(0)).unwrap();
}

#[test]
fn a_charge_is_taken_whole_or_not_at_all() {
    let limits = limits("t3_per_day = 0");
    let mut accounts = Accounts::default();
    let before = accounts.clone();
    assert_eq!(
        accounts.check(uid(1), &limits, &Charge::request(Tier::T3, true), at(0)).unwrap_err().budget,
        Budget::T3PerDay
    );
    let over = accounts.reserve(uid(1), &limits, &Charge::request(Tier::T3, true), at(0)).unwrap_err();
    assert_eq!(
        (over.budget, over.frees),
        (Budget::T3PerDay, None),
        "time does not make room for what is never allowed"
    );
    accounts.swept_ms = before.swept_ms;
    assert_eq!(accounts, before);
}

#[test]
fn who_uses_nothing_any_more_is_forgotten() {
    let (limits, mut accounts) = (limits(""), Accounts::default());
    for id in 0..1_000 {
        accounts.reserve(uid(id), &limits, &REQUEST, at(0)).unwrap();
        accounts.settle(uid(id), &REQUEST, &REQUEST, at(0));
    }
    assert_eq!(accounts.users(), 1_000);
    accounts.reserve(uid(5_000), &limits, &REQUEST, at(2 * DAY_MS)).unwrap();
    assert_eq!(accounts.users(), 1);
    accounts.settle(uid(5_000), &REQUEST, &Charge::NONE, at(2 * DAY_MS));
    assert_eq!(accounts.users(), 0, "given back and never spent");
}

#[test]
fn what_was_spent_before_a_restart_still_counts() {
    let (limits, mut accounts) = (limits("t3_per_day = 2"), Accounts::default());
    let t3 = Charge { t3: 1, ..Charge::NONE };
    accounts.recall(uid(1), &t3, at(DAY_MS));
    accounts.recall(uid(1), &t3, at(0));
    assert!(accounts.reserve(uid(1), &limits, &t3, at(DAY_MS)).is_err());
    accounts.reserve(uid(1), &limits, &t3, at(DAY_MS + DAY_MS / 60)).unwrap();
}

#[test]
fn a_clock_that_was_set_back_neither_refills_nor_blocks_for_ever() {
    let (limits, mut accounts) = (limits("requests_per_minute = 1"), Accounts::default());
    spend(&mut accounts, &limits, REQUEST, at(365 * DAY_MS)).unwrap();
    assert!(spend(&mut accounts, &limits, REQUEST, at(0)).is_err(), "not refilled");
    assert!(spend(&mut accounts, &limits, REQUEST, at(59_000)).is_err());
    spend(&mut accounts, &limits, REQUEST, at(2 * MINUTE_MS)).unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(u32, Charge),
    Settle(usize, u64),
    Wait(u64),
}

fn charges() -> impl Strategy<Value = Charge> {
    let number = || prop_oneof![Just(0_u64), 1_u64..4, Just(u64::MAX)];
    (number(), number(), number(), number(), number(), number()).prop_map(
        |(requests, jobs, waiting, job_ms, prompts, t3)| Charge { requests, jobs, waiting, job_ms, prompts, t3 },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u32..3, charges()).prop_map(|(uid, charge)| Step::Reserve(uid, charge)),
        (any::<usize>(), 0_u64..3).prop_map(|(at, times)| Step::Settle(at, times)),
        (0_u64..90_000_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// A refusal changes nothing, a reservation never passes a limit, nothing goes below zero or overflows, and what is
    /// given back is there again.
    #[test]
    fn the_laws_hold_whatever_happens(steps in steps(), t3 in 0_u32..4) {
        let limits = limits(&format!("requests_per_minute = 5\njobs = 2\nwaiting = 2\nprompts_per_hour = 3\nt3_per_day = {t3}"));
        let (mut accounts, mut held, mut now) = (Accounts::default(), Vec::new(), at(0));
        for step in steps {
            match step {
                Step::Reserve(id, charge) => {
                    let used = Budget::ALL.map(|budget| accounts.used(uid(id), budget, now));
                    match accounts.reserve(uid(id), &limits, &charge, now) {
                        Ok(()) => held.push((id, charge)),
                        Err(_) => prop_assert_eq!(used, Budget::ALL.map(|budget| accounts.used(uid(id), budget, now))),
                    }
                    for budget in Budget::ALL {
                        prop_assert!(accounts.used(uid(id), budget, now) <= limits.in_units_of_charge(budget) || charge.of(budget) == 0 || used == Budget::ALL.map(|budget| accounts.used(uid(id), budget, now)));
                    }
                }
                Step::Settle(which, times) => {
                    if held.is_empty() { continue }
                    let (id, charge) = held.swap_remove(which.checked_rem(held.len()).unwrap());
                    let spent = if times == 0 { Charge::NONE } else { charge };
                    accounts.settle(uid(id), &charge, &spent, now);
                }
                Step::Wait(ms) => now = now.after(std::time::Duration::from_millis(ms)),
            }
        }
        for (id, charge) in held {
            accounts.settle(uid(id), &charge, &Charge::NONE, now);
        }
        let later = now.after(std::time::Duration::from_secs(2 * 86_400));
        accounts.reserve(uid(9), &limits, &Charge::NONE, later).unwrap();
        prop_assert!(accounts.users() <= 1, "everything is given back and forgotten");
    }
}
