//! Who may say yes, and how many it takes: each rule with a case that passes and one that does not.

use proptest::prelude::*;

use super::*;
use crate::policy::ApproverDiffers;

const CALLER: u32 = 1000;

fn quorum(t3: u8, approver_differs: ApproverDiffers, polkit_rule_at_t3: bool) -> Quorum {
    Quorum { t3, approver_differs, polkit_rule_at_t3 }
}

fn by(uid: u32, kind: ApprovalKind) -> Approver {
    Approver { uid: Uid::try_from(uid).unwrap(), kind, latency_ms: 1 }
}

fn typed(uid: u32) -> Approver {
    by(uid, ApprovalKind::Challenge)
}

fn code(quorum: &Quorum, tier: Tier, approvers: &[Approver]) -> Option<Code> {
    suffice(quorum, tier, Uid::try_from(CALLER).unwrap(), approvers).err().map(|failure| failure.code)
}

#[test]
fn one_is_enough_unless_two_are_wanted_and_then_only_at_t3() {
    let (one, two) = (quorum(1, ApproverDiffers::Never, false), quorum(2, ApproverDiffers::Never, false));
    for tier in Tier::ALL {
        assert_eq!(code(&one, tier, &[typed(1)]), None, "{tier}");
        assert_eq!(code(&one, tier, &[]), Some(Code::NeedsApproval), "nobody is never enough: {tier}");
        assert_eq!(code(&two, tier, &[typed(1)]), (tier == Tier::T3).then_some(Code::NeedsApproval), "{tier}");
        assert_eq!(code(&two, tier, &[typed(1), typed(2)]), None, "{tier}");
        assert_eq!(code(&two, tier, &[typed(1), typed(1)]), (tier == Tier::T3).then_some(Code::NeedsApproval));
    }
}

#[test]
fn the_caller_counts_only_where_it_may() {
    for (differs, refused) in [
        (ApproverDiffers::Never, [false; 4]),
        (ApproverDiffers::T3, [false, false, false, true]),
        (ApproverDiffers::Always, [true; 4]),
    ] {
        let quorum = quorum(1, differs, false);
        for (tier, refused) in Tier::ALL.into_iter().zip(refused) {
            assert_eq!(
                code(&quorum, tier, &[typed(CALLER)]),
                refused.then_some(Code::SelfApproval),
                "{differs:?} {tier}"
            );
            assert_eq!(code(&quorum, tier, &[typed(CALLER + 1)]), None, "{differs:?} {tier}");
        }
    }
}

#[test]
fn a_rule_is_not_enough_at_t3_unless_it_is_said_to_be() {
    for (accepted, code_at_t3) in [(false, Some(Code::NeedsApproval)), (true, None)] {
        let quorum = quorum(1, ApproverDiffers::Never, accepted);
        let rule = [by(0, ApprovalKind::PolkitRule)];
        assert_eq!(code(&quorum, Tier::T3, &rule), code_at_t3);
        assert_eq!(code(&quorum, Tier::T2, &rule), None);
    }
}

proptest! {
    /// More people never hurt, unless one of them does not count at all; and one that does not count spoils the whole.
    #[test]
    fn every_approver_must_count(uids in prop::collection::vec(0_u32..4, 0..5), two in any::<bool>(), rule in any::<bool>()) {
        let quorum = quorum(if two { 2 } else { 1 }, ApproverDiffers::Never, rule);
        let approvers: Vec<Approver> = uids.iter().map(|uid| typed(*uid)).collect();
        let different: BTreeSet<u32> = uids.into_iter().collect();
        let enough = different.len() >= usize::from(quorum.t3);
        prop_assert_eq!(code(&quorum, Tier::T3, &approvers).is_none(), enough);
        let mut spoilt = approvers;
        spoilt.push(by(9, ApprovalKind::PolkitRule));
        let ok = rule && different.len().saturating_add(1) >= usize::from(quorum.t3);
        prop_assert_eq!(code(&quorum, Tier::T3, &spoilt).is_none(), ok);
    }
}

/// Plans as those of a bundle, the bundle, and the approval of this digest.
fn bundled() -> (Vec<(Plan, Digest)>, Bundle, impl Fn(Digest) -> Approval) {
    let plans: Vec<(Plan, Digest)> = (1_u128..=3)
        .map(|id| {
            let (_, plan) = crate::record::tests::planned(&["true"], None, None);
            let plan = Plan { id: crate::request::RequestId::from_random(id), ..plan };
            let digest = plan.digest().unwrap();
            (plan, digest)
        })
        .collect();
    let (bundle, _) = Bundle::draw(crate::request::RequestId::from_random(9), &plans).unwrap();
    let (granted, expires) = (Moment::from_millis(1), plans[0].0.expires);
    let id = crate::request::RequestId::from_random(8);
    (plans, bundle, move |digest| Approval { id, digest, approvers: vec![typed(1)], granted, expires })
}

#[test]
fn one_yes_to_a_bundle_entitles_each_step_once_and_nothing_else() {
    let (plans, bundle, approval) = bundled();
    let digest = bundle.digest().unwrap();
    let approved = Approved::steps_by_human(approval(digest), &bundle, plans.clone()).unwrap();
    let placed: Vec<_> = approved.iter().map(|one| (one.digest(), one.step().unwrap().index)).collect();
    assert_eq!(placed, [(plans[0].1, 0), (plans[1].1, 1), (plans[2].1, 2)]);
    let refused = |digest, plans: &[(Plan, Digest)]| {
        Approved::steps_by_human(approval(digest), &bundle, plans.to_vec()).err().map(|failure| failure.code)
    };
    for (digest, plans) in [
        (Digest::ZERO, plans.clone()),
        (plans[0].1, plans.clone()),
        (digest, plans[..2].to_vec()),
        (digest, [&plans[..], &plans[..1]].concat()),
        (digest, vec![plans[1].clone(), plans[0].clone(), plans[2].clone()]),
    ] {
        assert_eq!(refused(digest, &plans), Some(Code::Changed));
    }
    let alone = Approved::by_human(approval(digest), plans[0].0.clone(), plans[0].1);
    assert!(alone.is_err(), "a step is not approved alone by a yes to the whole");
    assert!(Approved::steps_by_grant(Vec::new(), &bundle, plans).is_err(), "nobody allowed any step");
}
