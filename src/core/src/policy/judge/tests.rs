//! The gates, each with a case that passes and one that does not, and the laws that hold over all of them.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::caller::{Gid, Uid};
use crate::classify::{Classification, RuleFile};
use crate::policy::{Mode, Names, Sources, TextFile};

struct Everybody;

impl Names for Everybody {
    fn uid(&self, _: &str) -> Option<Uid> {
        Uid::try_from(1000).ok()
    }
    fn gid(&self, _: &str) -> Option<Gid> {
        Gid::try_from(900).ok()
    }
}

const PROFILES: [TextFile<'_>; 3] = [
    TextFile { name: "observe.toml", text: include_str!("../../../../../policy/profiles/observe.toml") },
    TextFile { name: "change.toml", text: include_str!("../../../../../policy/profiles/change.toml") },
    TextFile { name: "system.toml", text: include_str!("../../../../../policy/profiles/system.toml") },
];

fn policy(mode: Mode) -> &'static Policy {
    static EACH: LazyLock<[Policy; 3]> = LazyLock::new(|| [Mode::Open, Mode::Guarded, Mode::Readonly].map(parsed));
    EACH.iter().find(|policy| policy.settings().mode == mode).unwrap()
}

fn parsed(mode: Mode) -> Policy {
    let text = format!("mode = '{mode}'");
    let settings = [TextFile { name: "countersign.toml", text: &text }];
    let rules: [RuleFile<'_>; 0] = [];
    Policy::parse(
        &Sources { settings: &settings, grants: &[], rules: &rules, profiles: &PROFILES, own_profiles: &[] },
        &Everybody,
    )
    .unwrap()
}

fn classification(ruling: Ruling) -> Classification {
    let tier = ruling.tier().map_or("deny", Tier::name);
    let profile = match tier {
        "T0" => "observe",
        "T1" => "change",
        _ => "system",
    };
    let text = format!(
        r#"{{"tier":"{tier}","profile":"{profile}","targets":[{{"kind":"path","name":"/etc/x","access":"write"}}],"rules":[],"evidence":[]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn grant(ceiling: Tier, auto: Tier) -> Grant {
    let text = format!("[[grant]]\nuid = 1000\nceiling = '{ceiling}'\nauto = '{auto}'");
    let grants = crate::policy::Grants::parse(&[TextFile { name: "g", text: &text }], &Everybody).unwrap();
    grants.for_ids(Uid::try_from(1000).unwrap(), &[]).unwrap()
}

fn facts(grant: Option<Grant>) -> Facts {
    Facts { state: RunState::Green, taint: Taint::Clean, grant, memory: Memory::Clear }
}

fn code(verdict: &Verdict) -> Option<Code> {
    match verdict {
        Verdict::Deny(refused) => Some(refused.failure.code),
        Verdict::Allow(..) | Verdict::Hold(_) | Verdict::Silence => None,
    }
}

fn judge_parts(
    policy: &Policy,
    classification: &Classification,
    profile: &ProfileName,
    narrowing: &Narrowing,
    facts: &Facts,
) -> Verdict {
    judge(&Case { policy, classification, profile, narrowing, facts })
}

fn verdict(mode: Mode, ruling: Ruling, facts: &Facts) -> Verdict {
    let case = classification(ruling);
    judge_parts(policy(mode), &case, &case.profile, &Narrowing::default(), facts)
}

#[test]
fn each_tier_has_its_way_through() {
    let wide = facts(Some(grant(Tier::T3, Tier::T0)));
    assert!(matches!(verdict(Mode::Open, Ruling::Tier(Tier::T0), &wide), Verdict::Allow(_, Tier::T0)));
    for tier in [Tier::T1, Tier::T2, Tier::T3] {
        assert_eq!(verdict(Mode::Open, Ruling::Tier(tier), &wide), Verdict::Hold(Needs { tier }));
    }
    assert_eq!(code(&verdict(Mode::Open, Ruling::Deny, &wide)), Some(Code::Denied));
}

#[test]
fn without_a_grant_there_is_no_detail() {
    for ruling in [Ruling::Tier(Tier::T0), Ruling::Tier(Tier::T3), Ruling::Deny] {
        assert_eq!(code(&verdict(Mode::Open, ruling, &facts(None))), Some(Code::AccessDenied));
    }
}

#[test]
fn the_mode_caps_what_a_grant_gives() {
    let wide = facts(Some(grant(Tier::T3, Tier::T1)));
    for (mode, tier, capped) in [
        (Mode::Open, Tier::T3, false),
        (Mode::Guarded, Tier::T2, false),
        (Mode::Guarded, Tier::T3, true),
        (Mode::Readonly, Tier::T0, false),
        (Mode::Readonly, Tier::T1, true),
    ] {
        let code = code(&verdict(mode, Ruling::Tier(tier), &wide));
        assert_eq!(code == Some(Code::ModeCeiling), capped, "{mode} {tier}");
    }
}

#[test]
fn a_grants_ceiling_holds_at_the_tier_and_above() {
    let narrow = facts(Some(grant(Tier::T1, Tier::T0)));
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T1), &narrow)), None);
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T2), &narrow)), Some(Code::Denied));
}

#[test]
fn auto_ends_with_taint_but_reads_do_not() {
    let auto = grant(Tier::T3, Tier::T1);
    let tainted = Facts { taint: Taint::Tainted, ..facts(Some(auto.clone())) };
    assert!(matches!(verdict(Mode::Open, Ruling::Tier(Tier::T1), &facts(Some(auto))), Verdict::Allow(_, Tier::T1)));
    assert!(matches!(verdict(Mode::Open, Ruling::Tier(Tier::T1), &tainted), Verdict::Hold(_)));
    assert!(matches!(verdict(Mode::Open, Ruling::Tier(Tier::T0), &tainted), Verdict::Allow(_, Tier::T0)));
}

#[test]
fn amber_serves_reads_and_red_serves_nothing() {
    let state = |state| Facts { state, ..facts(Some(grant(Tier::T3, Tier::T1))) };
    assert!(matches!(verdict(Mode::Open, Ruling::Tier(Tier::T0), &state(RunState::Amber)), Verdict::Allow(..)));
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T1), &state(RunState::Amber))), Some(Code::Held));
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T0), &state(RunState::Red))), Some(Code::Stopped));
}

#[test]
fn a_profile_narrows_and_never_widens() {
    let wide = facts(Some(grant(Tier::T3, Tier::T0)));
    let with = |ruling, profile: ProfileName| {
        judge_parts(policy(Mode::Open), &classification(ruling), &profile, &Narrowing::default(), &wide)
    };
    assert!(matches!(with(Ruling::Tier(Tier::T2), ProfileName::observe()), Verdict::Hold(_)));
    assert_eq!(code(&with(Ruling::Tier(Tier::T0), ProfileName::system())), Some(Code::InvalidRequest));
    assert_eq!(code(&with(Ruling::Tier(Tier::T0), ProfileName::new("nowhere").unwrap())), Some(Code::InvalidRequest));
}

#[test]
fn a_rule_that_names_too_wide_a_profile_gains_nothing() {
    let auto = facts(Some(grant(Tier::T3, Tier::T1)));
    for (tier, profile, asks) in [
        (Tier::T0, "observe", false),
        (Tier::T0, "change", true),
        (Tier::T0, "system", true),
        (Tier::T1, "change", false),
        (Tier::T1, "system", true),
    ] {
        let mut case = classification(Ruling::Tier(tier));
        case.profile = ProfileName::new(profile).unwrap();
        let verdict = judge_parts(policy(Mode::Open), &case, &case.profile, &Narrowing::default(), &auto);
        assert_eq!(matches!(verdict, Verdict::Hold(_)), asks, "{tier} {profile}: {verdict:?}");
    }
}

#[test]
fn callers_narrow_by_tier_and_by_target() {
    let wide = facts(Some(grant(Tier::T3, Tier::T0)));
    let with = |narrowing: Narrowing| {
        let case = classification(Ruling::Tier(Tier::T1));
        code(&judge_parts(policy(Mode::Open), &case, &case.profile, &narrowing, &wide))
    };
    let tier = |max| Narrowing { max_tier: Some(max), ..Narrowing::default() };
    let named = |names: &[&str]| Narrowing {
        targets: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Narrowing::default()
    };
    assert_eq!(with(tier(Tier::T1)), None);
    assert_eq!(with(tier(Tier::T0)), Some(Code::Denied));
    assert_eq!(with(named(&["/etc/x", "/etc/y"])), None);
    assert_eq!(with(named(&[])), Some(Code::Denied));
}

/// A case against which every gate but the first two has something to say.
fn hopeless(facts: &Facts) -> Vec<Gate> {
    let case = classification(Ruling::Tier(Tier::T3));
    let narrowing = Narrowing { max_tier: Some(Tier::T0), ..Narrowing::default() };
    let nowhere = ProfileName::new("nowhere").unwrap();
    let (policy, classification) = (policy(Mode::Readonly), &case);
    let case = Case { policy, classification, profile: &nowhere, narrowing: &narrowing, facts };
    refusals(&case).iter().map(|refused| refused.gate).collect()
}

#[test]
fn all_gates_are_told_in_order_and_the_first_to_callers() {
    let narrow = facts(Some(grant(Tier::T1, Tier::T0)));
    let all = [Gate::Hold, Gate::Mode, Gate::Ceiling, Gate::Profile, Gate::Narrowing];
    assert_eq!(hopeless(&Facts { state: RunState::Amber, ..narrow.clone() }), all);
    assert_eq!(hopeless(&narrow), all[1..]);
    assert!(GATES.is_sorted() && GATES.len() == 8);
    let case = classification(Ruling::Deny);
    let held = Facts { state: RunState::Red, ..narrow };
    let narrowing = Narrowing::default();
    let case = Case {
        policy: policy(Mode::Open),
        classification: &case,
        profile: &case.profile,
        narrowing: &narrowing,
        facts: &held,
    };
    let told: Vec<Gate> = refusals(&case).iter().map(|refused| refused.gate).collect();
    assert_eq!(told, [Gate::State, Gate::DenyList]);
    assert!(matches!(judge(&case), Verdict::Deny(Refused { gate: Gate::State, .. })));
}

#[test]
fn who_has_no_grant_is_told_of_no_other_gate() {
    assert_eq!(hopeless(&facts(None)), [Gate::Grant]);
}

#[test]
fn what_was_refused_too_often_is_not_answered_but_stops_and_grants_are() {
    let silent = Facts { memory: Memory::Silent, ..facts(Some(grant(Tier::T3, Tier::T1))) };
    for ruling in [Ruling::Tier(Tier::T0), Ruling::Tier(Tier::T1), Ruling::Tier(Tier::T3), Ruling::Deny] {
        assert_eq!(verdict(Mode::Guarded, ruling, &silent), Verdict::Silence, "{ruling:?}");
    }
    let stopped = Facts { state: RunState::Red, ..silent.clone() };
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T2), &stopped)), Some(Code::Stopped));
    let nobody = Facts { grant: None, ..silent };
    assert_eq!(code(&verdict(Mode::Open, Ruling::Tier(Tier::T2), &nobody)), Some(Code::AccessDenied));
}

#[test]
fn a_refused_profile_names_a_narrower_one_that_the_grant_has() {
    for (profiles, named) in [("['change', 'observe']", Some("change")), ("[]", None)] {
        let text = format!("[[grant]]\nuid = 1000\nceiling = 'T3'\nprofiles = {profiles}");
        let grants = crate::policy::Grants::parse(&[TextFile { name: "g", text: &text }], &Everybody).unwrap();
        let facts = facts(grants.for_ids(Uid::try_from(1000).unwrap(), &[]));
        let Verdict::Deny(refused) = verdict(Mode::Open, Ruling::Tier(Tier::T2), &facts) else { unreachable!() };
        assert_eq!(refused.gate, Gate::Profile);
        assert_eq!(
            named.is_some_and(|name| refused.failure.sentence.contains(&format!("has {name}"))),
            named.is_some()
        );
    }
}

fn tiers() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow(..) => 0,
        Verdict::Hold(_) => 1,
        Verdict::Deny(_) => 2,
        Verdict::Silence => 3,
    }
}

proptest! {
    #[test]
    fn a_stricter_tier_mode_or_state_never_yields_a_milder_verdict(
        low in tiers(), high in tiers(), ceiling in tiers(), auto in prop::sample::select(vec![Tier::T0, Tier::T1]),
    ) {
        let (low, high) = (low.min(high), low.max(high));
        let facts = facts(Some(grant(ceiling, auto.min(ceiling))));
        for mode in [Mode::Open, Mode::Guarded, Mode::Readonly] {
            let milder = verdict(mode, Ruling::Tier(low), &facts);
            let stricter = verdict(mode, Ruling::Tier(high), &facts);
            prop_assert!(rank(&milder) <= rank(&stricter), "{mode} {low} {milder:?} {high} {stricter:?}");
            let open = verdict(Mode::Open, Ruling::Tier(low), &facts);
            prop_assert!(rank(&open) <= rank(&milder));
            for state in [RunState::Amber, RunState::Red] {
                let held = verdict(mode, Ruling::Tier(low), &Facts { state, ..facts.clone() });
                prop_assert!(rank(&milder) <= rank(&held));
            }
        }
    }
}
