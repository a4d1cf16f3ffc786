//! Bundles of a front that lies: steps out of order, twice, after one that failed, of another bundle, or with an index that
//! is not theirs. The launcher keeps the order by itself, from what it sees.

use std::time::Duration;

use countersign_core::approval::Permission;
use countersign_core::code::Code;
use countersign_core::message::CancelCause;
use countersign_core::order::Claim;
use countersign_core::plan::Plan;
use countersign_core::request::RequestId;
use countersign_core::tier::Tier;

use crate::driver::{Launcher, approved, now, shell, steps, unasked, words};

/// Plans of one bundle: the same caller and expiry, each its own id.
fn plans(launcher: &mut Launcher, lines: &[&'static str]) -> Vec<Plan> {
    let expires = now().after(Duration::from_secs(60));
    let plan = |text: &&'static str| Plan { expires, ..launcher.plan(&shell("system", text)).unwrap() };
    lines.iter().map(plan).collect()
}

fn bundle(launcher: &mut Launcher, lines: &[&'static str]) -> Vec<Claim> {
    steps(&plans(launcher, lines))
}

fn runs(launcher: &mut Launcher, claim: &Claim) -> Result<Option<u8>, Code> {
    let running = launcher.order(claim.clone(), None).map_err(|failure| failure.code)?;
    Ok(launcher.wait(running).status())
}

#[test]
fn steps_run_in_order_and_each_once() {
    let mut launcher = Launcher::start();
    let claims = bundle(&mut launcher, &["exit 0", "exit 0; :", "exit 0; : 2"]);
    for claim in &claims {
        assert_eq!(runs(&mut launcher, claim), Ok(Some(0)));
    }
    assert_eq!(runs(&mut launcher, &claims[2]), Err(Code::Void), "the last again");
}

#[test]
fn a_step_before_its_turn_is_refused_and_voids_the_whole() {
    let mut launcher = Launcher::start();
    let claims = bundle(&mut launcher, &["exit 0", "exit 0; :", "exit 0; : 2"]);
    assert_eq!(runs(&mut launcher, &claims[1]), Err(Code::Void), "the second first");
    assert_eq!(runs(&mut launcher, &claims[0]), Err(Code::Void), "an honest front would not have tried");
    let claims = bundle(&mut launcher, &["exit 0", "exit 0; :", "exit 0; : 2"]);
    assert_eq!(runs(&mut launcher, &claims[0]), Ok(Some(0)));
    assert_eq!(runs(&mut launcher, &claims[2]), Err(Code::Void), "one left out");
    assert_eq!(runs(&mut launcher, &claims[1]), Err(Code::Void));
}

#[test]
fn a_step_again_is_refused() {
    let mut launcher = Launcher::start();
    let claims = bundle(&mut launcher, &["exit 0", "exit 0; :"]);
    assert_eq!(runs(&mut launcher, &claims[0]), Ok(Some(0)));
    assert_eq!(runs(&mut launcher, &claims[0]), Err(Code::Void));
}

#[test]
fn nothing_begins_while_a_step_runs_or_after_one_that_failed() {
    let mut launcher = Launcher::start();
    let claims = bundle(&mut launcher, &["sleep 1000", "exit 0"]);
    let running = launcher.order(claims[0].clone(), None).unwrap();
    assert_eq!(runs(&mut launcher, &claims[1]), Err(Code::Void), "while another runs");
    launcher.cancel(running.id, CancelCause::Cancelled);
    launcher.wait(running);
    for failing in ["exit 1", "kill -9 $$"] {
        let claims = bundle(&mut launcher, &[failing, "exit 0"]);
        assert!(runs(&mut launcher, &claims[0]).is_ok_and(|status| status != Some(0)));
        assert_eq!(runs(&mut launcher, &claims[1]), Err(Code::Void), "after {failing}");
    }
}

#[test]
fn a_refused_step_voids_the_rest() {
    let mut launcher = Launcher::start();
    let claims = bundle(&mut launcher, &["exit 0", "exit 0; :"]);
    let mut lie = claims[0].clone();
    lie.digest = countersign_core::digest::Digest::ZERO;
    assert_eq!(runs(&mut launcher, &lie), Err(Code::Changed));
    assert_eq!(runs(&mut launcher, &claims[0]), Err(Code::Void));
}

/// What a lying front does to its claims.
type Lie = fn(&mut [Claim]);

#[test]
fn each_lie_about_the_bundle_is_refused() {
    let mut launcher = Launcher::start();
    let expired = now();
    let lies: [(&str, Code, Lie); 9] = [
        ("an index that is not its own", Code::Changed, |claims| claims[0].step.as_mut().unwrap().index = 1),
        ("an index beyond the end", Code::Changed, |claims| claims[0].step.as_mut().unwrap().index = 2),
        ("steps exchanged", Code::Changed, |claims| claims[0].step.as_mut().unwrap().bundle.steps.swap(0, 1)),
        ("a step more", Code::Changed, |claims| {
            let own = claims[0].digest;
            claims[0].step.as_mut().unwrap().bundle.steps.push(own);
        }),
        ("a milder tier", Code::Changed, |claims| claims[0].step.as_mut().unwrap().bundle.tier = Tier::T0),
        ("another expiry", Code::Changed, |claims| {
            claims[0].step.as_mut().unwrap().bundle.expires = now().after(Duration::from_secs(600));
        }),
        ("another id", Code::Changed, |claims| {
            claims[0].step.as_mut().unwrap().bundle.id = RequestId::from_random(5);
        }),
        ("the approval of the step alone", Code::Changed, |claims| {
            let own = claims[0].digest;
            let Permission::Human(approval) = &mut claims[0].permission else { unreachable!() };
            approval.digest = own;
        }),
        ("nobody's approval", Code::NeedsApproval, |claims| claims[0].permission = Permission::Grant),
    ];
    for (what, code, lie) in lies {
        let mut claims = bundle(&mut launcher, &["exit 0", "exit 0; :"]);
        lie(&mut claims);
        assert_eq!(runs(&mut launcher, &claims[0]), Err(code), "{what}");
    }
    let alone = bundle(&mut launcher, &["exit 0", "exit 0; :"]).remove(0);
    assert_eq!(runs(&mut launcher, &Claim { step: None, ..alone }), Err(Code::Changed), "a step without its bundle");
    let stale: Vec<Plan> = plans(&mut launcher, &["exit 0", "exit 0; :"])
        .into_iter()
        .map(|plan| Plan { expires: expired, ..plan })
        .collect();
    assert_eq!(runs(&mut launcher, &steps(&stale)[0]), Err(Code::Expired));
}

#[test]
fn the_approval_of_another_bundle_is_none() {
    let mut launcher = Launcher::start();
    let (mine, other) = (bundle(&mut launcher, &["exit 0", "exit 1"]), bundle(&mut launcher, &["exit 0", "exit 2"]));
    let stolen = Claim { permission: other[0].permission.clone(), ..mine[0].clone() };
    assert_eq!(runs(&mut launcher, &stolen), Err(Code::Changed));
    let moved = Claim { step: other[0].step.clone(), ..mine[0].clone() };
    assert_eq!(runs(&mut launcher, &moved), Err(Code::Changed));
}

#[test]
fn a_bundle_of_reads_runs_by_its_grant_and_in_order() {
    let mut launcher = Launcher::start();
    let expires = now().after(Duration::from_secs(60));
    let read = Plan { expires, ..launcher.plan(&words(&["cat", "/etc/hostname"])).unwrap() };
    let again = Plan { expires, ..launcher.plan(&words(&["cat", "/etc/passwd"])).unwrap() };
    let mut claims = steps(&[read, again]);
    claims.iter_mut().for_each(|claim| claim.permission = unasked(claim.plan.clone()).permission);
    assert_eq!(runs(&mut launcher, &claims[0]), Ok(Some(0)));
    assert_eq!(runs(&mut launcher, &claims[1]), Ok(Some(0)));
}

#[test]
fn one_bundles_failure_is_not_anothers_nor_a_requests() {
    let mut launcher = Launcher::start();
    let failing = bundle(&mut launcher, &["exit 1", "exit 0"]);
    assert_eq!(runs(&mut launcher, &failing[0]), Ok(Some(1)));
    let sound = bundle(&mut launcher, &["exit 0", "exit 0; :"]);
    assert_eq!(runs(&mut launcher, &sound[0]), Ok(Some(0)));
    let single = approved(launcher.plan(&shell("system", "exit 0; : 3")).unwrap());
    assert_eq!(runs(&mut launcher, &single), Ok(Some(0)));
    assert_eq!(runs(&mut launcher, &sound[1]), Ok(Some(0)));
}
