//! Three refusals within an hour and not one fewer, one user's only, and no more memory than is meant.

use proptest::prelude::*;

use super::*;

const START: u64 = 1_800_000_000_000;

fn uid(id: u32) -> Uid {
    Uid::try_from(id).unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::from_millis(START.saturating_add(seconds.saturating_mul(1_000)))
}

fn deed(number: u64) -> Deed {
    Deed(Digest::of(&number.to_le_bytes()))
}

fn refused(refusals: &mut Refusals, times: &[u64]) {
    times.iter().for_each(|time| refusals.note(uid(1), deed(1), Refuser::Policy, at(*time), at(*time)));
}

#[test]
fn the_third_refusal_silences_and_only_that_user_and_that_plan() {
    let mut refusals = Refusals::default();
    refused(&mut refusals, &[0, 1]);
    assert_eq!(refusals.of(uid(1), deed(1), at(2)), Memory::Clear);
    refused(&mut refusals, &[2]);
    assert_eq!(refusals.of(uid(1), deed(1), at(2)), Memory::Silent);
    assert_eq!(refusals.of(uid(2), deed(1), at(2)), Memory::Clear);
    assert_eq!(refusals.of(uid(1), deed(2), at(2)), Memory::Clear);
}

#[test]
fn silence_ends_an_hour_after_the_oldest_of_the_three() {
    let mut refusals = Refusals::default();
    refused(&mut refusals, &[0, 10, 20]);
    assert_eq!(refusals.of(uid(1), deed(1), at(3_599)), Memory::Silent);
    assert_eq!(refusals.of(uid(1), deed(1), at(3_600)), Memory::Clear);
    refused(&mut refusals, &[3_600]);
    assert_eq!(refusals.of(uid(1), deed(1), at(3_601)), Memory::Silent, "three within an hour again");
    refusals.forget(at(3_600 * 3));
    assert!(refusals.is_empty());
}

#[test]
fn a_year_that_the_clock_was_wrong_is_not_a_year_of_silence() {
    let mut refusals = Refusals::default();
    refused(&mut refusals, &[31_536_000; 3]);
    assert_eq!(refusals.of(uid(1), deed(1), at(0)), Memory::Clear);
    assert_eq!(refusals.of(uid(1), deed(1), at(31_536_000 - 60)), Memory::Silent);
}

#[test]
fn what_is_remembered_is_bounded_and_a_humans_no_stays_longest() {
    let mut refusals = Refusals::default();
    for time in 0..3 {
        refusals.note(uid(1), deed(0), Refuser::Human, at(time), at(time));
    }
    for number in 1..=u64::try_from(MOST).unwrap() * 2 {
        refusals.note(uid(1), deed(number), Refuser::Policy, at(5), at(5));
    }
    assert_eq!(refusals.len(), MOST);
    assert_eq!(refusals.of(uid(1), deed(0), at(6)), Memory::Silent);
}

proptest! {
    /// The order in which refusals are noted, for instance newest first from a log, does not matter.
    #[test]
    fn the_order_of_noting_does_not_matter(mut times in prop::collection::vec(0_u64..10_000, 0..8), now in 10_000_u64..14_000) {
        let noted = |times: &[u64]| {
            let mut refusals = Refusals::default();
            times.iter().for_each(|time| refusals.note(uid(1), deed(1), Refuser::Human, at(*time), at(10_000)));
            refusals.of(uid(1), deed(1), at(now))
        };
        let one = noted(&times);
        times.reverse();
        prop_assert_eq!(one, noted(&times));
        times.sort_unstable();
        prop_assert_eq!(one, noted(&times));
    }
}
