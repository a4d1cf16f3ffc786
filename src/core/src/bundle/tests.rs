//! What a bundle's digest binds, and where its bounds are.

use proptest::prelude::*;

use super::*;
use crate::record::tests::planned;

/// Plans that differ in their ids and words.
pub(crate) fn plans(lines: &[&[&str]]) -> Vec<(Plan, Digest)> {
    let numbered = lines.iter().zip(100_u128..).map(|(words, id)| {
        let (_, plan) = planned(words, None, None);
        let plan = Plan { id: RequestId::from_random(id), ..plan };
        let digest = plan.digest().unwrap();
        (plan, digest)
    });
    numbered.collect()
}

fn id() -> RequestId {
    RequestId::from_random(1)
}

fn many(count: usize) -> Vec<(Plan, Digest)> {
    plans(&vec![&["true"][..]; count])
}

#[test]
fn a_bundle_has_two_to_sixteen_steps() {
    for count in [0, 1, MOST + 1] {
        assert!(matches!(Bundle::draw(id(), &many(count)), Err(BundleError::Count(is)) if is == count), "{count}");
    }
    for count in [FEWEST, MOST] {
        let (bundle, digest) = Bundle::draw(id(), &many(count)).unwrap();
        assert_eq!((bundle.steps.len(), bundle.digest().unwrap()), (count, digest));
        assert_eq!(bundle.each().count(), count);
    }
}

#[test]
fn the_largest_bundle_fits_beside_the_largest_plan_in_one_message() {
    let (bundle, _) = Bundle::draw(id(), &many(MOST)).unwrap();
    let bytes = serde_json::to_vec(&bundle).unwrap().len();
    // What is left is for the approval and the order's own members.
    assert!(crate::plan::MAX_BYTES + bytes + 16 * 1_024 < crate::message::MAX_BYTES, "{bytes}");
}

#[test]
fn the_words_of_all_steps_together_have_a_bound_at_n_and_n_plus_one() {
    let half = "x".repeat(MAX_WORDS_BYTES / 2 - 1);
    let words = |more: &str| [vec![half.clone()], vec![format!("{half}{more}")]];
    let bounded = |more| within_bounds(words(more).iter().map(Vec::as_slice));
    assert!(bounded("").is_ok());
    assert!(matches!(bounded("x"), Err(BundleError::TooLong(bytes)) if bytes == MAX_WORDS_BYTES + 1));
    let long = plans(&[&[&half], &[&half, ""]]);
    assert!(matches!(Bundle::draw(id(), &long), Err(BundleError::TooLong(_))));
}

#[test]
fn plans_of_different_requests_are_no_bundle() {
    let sound = plans(&[&["a"], &["b"]]);
    assert!(Bundle::draw(id(), &sound).is_ok());
    let spoilt = |change: fn(&mut Plan)| {
        let mut plans = sound.clone();
        change(&mut plans[1].0);
        plans[1].1 = plans[1].0.digest().unwrap();
        Bundle::draw(id(), &plans)
    };
    for change in [
        (|plan| plan.caller.uid = Uid::ROOT) as fn(&mut Plan),
        |plan| plan.caller.gids.clear(),
        |plan| plan.caller.bus_name = ":1.99".to_owned().try_into().unwrap(),
        |plan| plan.expires = Moment::from_millis(5),
        |plan| plan.id = RequestId::from_random(100),
    ] {
        assert!(matches!(spoilt(change), Err(BundleError::Mixed)));
    }
    assert!(matches!(Bundle::draw(RequestId::from_random(100), &sound), Err(BundleError::Mixed)), "an id of its own");
}

#[test]
fn people_decide_at_the_strictest_tier_of_any_step() {
    for (tiers, strictest) in [([Tier::T0, Tier::T3], Tier::T3), ([Tier::T2, Tier::T1], Tier::T2)] {
        let mut plans = plans(&[&["a"], &["b"]]);
        for (entry, tier) in plans.iter_mut().zip(tiers) {
            entry.0.tier = tier;
        }
        assert_eq!(Bundle::draw(id(), &plans).unwrap().0.tier, strictest);
    }
}

#[test]
fn every_member_of_a_bundle_is_bound() {
    let (bundle, digest) = Bundle::draw(id(), &plans(&[&["a"], &["b"], &["c"]])).unwrap();
    let changed = |change: fn(&mut Bundle)| {
        let mut other = bundle.clone();
        change(&mut other);
        other.digest().ok()
    };
    for change in [
        (|bundle| bundle.id = RequestId::from_random(2)) as fn(&mut Bundle),
        |bundle| bundle.steps.swap(0, 1),
        |bundle| bundle.steps.truncate(2),
        |bundle| bundle.steps.push(Digest::ZERO),
        |bundle| bundle.steps[1] = Digest::ZERO,
        |bundle| bundle.tier = Tier::T0,
        |bundle| bundle.caller.uid = Uid::ROOT,
        |bundle| bundle.caller.bus_name = ":1.9".to_owned().try_into().unwrap(),
        |bundle| bundle.expires = Moment::from_millis(5),
        |bundle| bundle.version += 1,
    ] {
        assert_ne!(changed(change), Some(digest));
    }
    let json = serde_json::to_string(&bundle).unwrap();
    assert_eq!(serde_json::from_str::<Bundle>(&json).unwrap(), bundle);
    assert!(serde_json::from_str::<Bundle>(&json.replacen("{", "{\"more\":1,", 1)).is_err());
}

#[test]
fn a_step_is_approved_in_its_own_place_and_nowhere_else() {
    let mut plans = plans(&[&["a"], &["b"]]);
    plans[1].0.tier = Tier::T1;
    plans[1].1 = plans[1].0.digest().unwrap();
    let (bundle, digest) = Bundle::draw(id(), &plans).unwrap();
    for (step, (plan, own)) in bundle.each().zip(&plans) {
        assert_eq!(step.approves(plan, *own), Ok(digest));
        let elsewhere = |index| Step { index, ..step.clone() }.approves(plan, *own).map_err(|failure| failure.code);
        for index in [1 - step.index, 2, u32::MAX] {
            assert_eq!(elsewhere(index), Err(Code::Changed), "{index}");
        }
        let with = |change: fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            step.approves(&plan, *own).is_err()
        };
        assert!(with(|plan| plan.expires = Moment::from_millis(9)));
        assert!(with(|plan| plan.caller.uid = Uid::ROOT));
        assert!(with(|plan| plan.caller.bus_name = ":1.9".to_owned().try_into().unwrap()));
        assert!(with(|plan| plan.tier = Tier::T3), "never at a stricter tier than people decided at");
    }
}

proptest! {
    /// Two orders of the same steps have one digest only if they are the same order.
    #[test]
    fn the_order_is_bound(names in prop::collection::vec("[a-d]", 2..6), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let words: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
        let lines: Vec<&[&str]> = words.iter().map(<[&str; 1]>::as_slice).collect();
        let plans = plans(&lines);
        let mut moved = plans.clone();
        let (from, to) = (from.index(plans.len()), to.index(plans.len()));
        moved.swap(from, to);
        let digest = |plans: &[(Plan, Digest)]| Bundle::draw(id(), plans).unwrap().1;
        prop_assert_eq!(digest(&plans) == digest(&moved), from == to);
    }
}
