//! Orders of a front that lies: the launcher proves each again and runs none that is not so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use countersign_core::approval::{ApprovalKind, Approver, Permission};
use countersign_core::caller::Uid;
use countersign_core::code::Code;
use countersign_core::digest::Digest;
use countersign_core::message::ToLauncher;
use countersign_core::order::Claim;
use countersign_core::path::CleanPath;
use countersign_core::plan::Plan;
use countersign_core::policy::Mode;
use countersign_core::profile::ProfileName;
use countersign_core::target::{Access, Target, TargetKind};
use countersign_core::tier::Tier;
use countersign_core::time::Moment;

use crate::driver::{Launcher, approved, fresh_id, now, shell, unasked, words};

const OPAQUE: &str = "exit 0; $X";

/// What a lie is answered with; the plan before it was told is sound.
fn answer(launcher: &mut Launcher, lie: impl FnOnce(&mut Plan)) -> Code {
    let mut plan = launcher.plan(&shell("system", OPAQUE)).unwrap();
    assert!(plan.tier >= Tier::T2);
    lie(&mut plan);
    launcher.order(approved(plan), None).err().expect("a lie was believed").code
}

#[test]
fn a_sound_order_runs_and_each_lie_in_the_plan_is_refused() {
    let mut launcher = Launcher::start();
    assert_eq!(launcher.run(&shell("system", OPAQUE)).status(), Some(0));
    assert_eq!(answer(&mut launcher, |plan| plan.tier = Tier::T0), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.tier = Tier::T3), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.version += 1), Code::Changed);
    assert_eq!(
        answer(&mut launcher, |plan| plan.profile = ProfileName::observe()),
        Code::Changed,
        "another profile's digest"
    );
    assert_eq!(answer(&mut launcher, |plan| plan.profile_digest = Digest::ZERO), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.profile = ProfileName::new("nowhere").unwrap()), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.mode = Mode::Readonly), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.ruleset.digest = Digest::ZERO), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.expires = now()), Code::Expired);
    assert_eq!(answer(&mut launcher, |plan| plan.pinned.executable.sha256 = Digest::ZERO), Code::Changed);
    assert_eq!(answer(&mut launcher, |plan| plan.pinned.executable.inode += 1), Code::Changed);
    assert_eq!(
        answer(&mut launcher, |plan| plan.pinned.executable.path = CleanPath::new("/bin/true").unwrap()),
        Code::Changed
    );
    assert_eq!(answer(&mut launcher, |plan| plan.caller.uid = 5_555.try_into().unwrap()), Code::AccessDenied);
    let target = Target { kind: TargetKind::Path, name: "/etc/shadow".to_owned(), access: Access::Write };
    assert_eq!(answer(&mut launcher, |plan| plan.targets.push(target)), Code::Changed);
}

#[test]
fn a_profile_wider_than_the_commands_is_refused() {
    let mut launcher = Launcher::start();
    let mut plan = launcher.plan(&words(&["cat", "/etc/passwd"])).unwrap();
    assert_eq!(plan.profile, ProfileName::observe());
    plan.profile = ProfileName::system();
    plan.profile_digest = launcher.policy.profiles().get(&plan.profile).unwrap().digest().unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::InvalidRequest);
}

#[test]
fn a_digest_that_is_not_the_plans_is_refused() {
    let mut launcher = Launcher::start();
    let plan = launcher.plan(&words(&["true"])).unwrap();
    let claim = Claim { digest: Digest::ZERO, ..approved(plan) };
    assert_eq!(launcher.order(claim, None).err().unwrap().code, Code::Changed);
}

#[test]
fn what_needs_a_human_does_not_run_without_one() {
    let mut launcher = Launcher::start();
    let plan = launcher.plan(&shell("system", OPAQUE)).unwrap();
    assert_eq!(launcher.order(unasked(plan), None).err().unwrap().code, Code::NeedsApproval);
}

#[test]
fn an_approval_of_something_else_or_of_the_past_is_none() {
    let mut launcher = Launcher::start();
    let plan = launcher.plan(&shell("system", OPAQUE)).unwrap();
    let mut claim = approved(plan.clone());
    let Permission::Human(approval) = &mut claim.permission else { unreachable!() };
    approval.digest = Digest::ZERO;
    assert_eq!(launcher.order(claim, None).err().unwrap().code, Code::Changed);
    let mut claim = approved(plan);
    let Permission::Human(approval) = &mut claim.permission else { unreachable!() };
    approval.expires = Moment::from_millis(now().millis() - 1);
    assert_eq!(launcher.order(claim, None).err().unwrap().code, Code::Expired);
}

/// What cannot be undone, of a file that is not there, with these people's yes.
fn irreversible(launcher: &mut Launcher, approvers: &[(u32, ApprovalKind)]) -> Result<(), Code> {
    let plan = launcher.plan(&words(&["shred", "-u", "/srv/not-there"])).unwrap();
    assert_eq!(plan.tier, Tier::T3);
    let mut claim = approved(plan);
    let Permission::Human(approval) = &mut claim.permission else { unreachable!() };
    let approver =
        |(uid, kind): &(u32, ApprovalKind)| Approver { uid: Uid::try_from(*uid).unwrap(), kind: *kind, latency_ms: 1 };
    approval.approvers = approvers.iter().map(approver).collect();
    let running = launcher.order(claim, None).map_err(|failure| failure.code)?;
    launcher.wait(running);
    Ok(())
}

#[test]
fn two_different_people_must_have_approved_where_the_policy_wants_two() {
    use ApprovalKind::{Challenge, PolkitRule};
    let mut launcher = Launcher::start_with("mode = 'open'\n[approval]\nquorum.t3 = 2\napprover_differs = 't3'\n");
    let caller = launcher.plan(&words(&["true"])).unwrap().caller.uid.get();
    let (one, other) = (caller.saturating_add(1), caller.saturating_add(2));
    for (approvers, code) in [
        (&[][..], Some(Code::NeedsApproval)),
        (&[(one, Challenge)], Some(Code::NeedsApproval)),
        (&[(one, Challenge), (one, Challenge)], Some(Code::NeedsApproval)),
        (&[(one, Challenge), (caller, Challenge)], Some(Code::SelfApproval)),
        (&[(one, Challenge), (other, PolkitRule)], Some(Code::NeedsApproval)),
        (&[(one, Challenge), (other, Challenge)], None),
    ] {
        assert_eq!(irreversible(&mut launcher, approvers).err(), code, "{approvers:?}");
    }
}

#[test]
fn a_rule_is_no_approval_of_what_cannot_be_undone_unless_the_policy_says_so() {
    let rule = [(0, ApprovalKind::PolkitRule)];
    assert_eq!(irreversible(&mut Launcher::start(), &rule), Err(Code::NeedsApproval));
    let settings = "mode = 'open'\n[approval]\npolkit_rule_at_t3 = true\n";
    assert_eq!(irreversible(&mut Launcher::start_with(settings), &rule), Ok(()));
}

#[test]
fn what_is_denied_is_denied_with_any_approval() {
    let mut launcher = Launcher::start();
    let ask = words(&["rm", "-rf", "/"]);
    let plan = launcher.plan(&ask).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Denied);
}

#[test]
fn an_order_runs_once() {
    let mut launcher = Launcher::start();
    let claim = approved(launcher.plan(&shell("system", OPAQUE)).unwrap());
    let running = launcher.order(claim.clone(), None).unwrap();
    launcher.wait(running);
    assert_eq!(launcher.order(claim, None).err().unwrap().code, Code::Changed);
}

#[test]
fn a_program_that_was_exchanged_or_written_to_is_refused() {
    let mut launcher = Launcher::start_after("cp bin/true opt/program; chmod 755 opt/program; cp bin/false opt/other");
    let ask = words(&["/opt/program"]);
    let root = launcher.root();
    let plan = launcher.plan(&ask).unwrap();
    fs::rename(root.join("opt/other"), root.join("opt/program")).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Changed);
    let plan = launcher.plan(&ask).unwrap();
    let mut content = fs::read(root.join("opt/program")).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(root.join("opt/program"), content).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Changed);
}

#[test]
fn a_program_that_others_can_write_is_not_even_planned() {
    let mut launcher = Launcher::start_after("cp bin/true opt/program; chmod 775 opt/program");
    let ask = words(&["/opt/program"]);
    let failure = launcher.plan(&ask).err().unwrap();
    assert_eq!(failure.code, Code::LaunchFailed);
    assert!(failure.sentence.contains("others than root"), "{failure}");
    let program = launcher.root().join("opt/program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let plan = launcher.plan(&ask).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o757)).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Changed);
}

#[test]
fn no_descriptor_or_one_that_is_no_pipe_is_refused() {
    let mut launcher = Launcher::start();
    let file = fs::File::open("/etc/passwd").unwrap();
    for files in [vec![], vec![std::os::fd::AsFd::as_fd(&file); 2]] {
        let plan = launcher.plan(&words(&["true"])).unwrap();
        launcher.send(&ToLauncher::Run { order: Box::new(approved(plan)) }, &files);
        let answer = launcher.next();
        assert!(
            matches!(&answer, Some(countersign_core::message::FromLauncher::Refused { failure, .. }) if failure.code == Code::Internal),
            "{answer:?}"
        );
    }
}

#[test]
fn what_is_no_message_ends_the_launcher_and_its_jobs() {
    let id = fresh_id();
    let unknown = format!(r#"{{"cancel":{{"id":"{id}","cause":"cancelled","more":1}}}}"#);
    for nonsense in [b"{".as_slice(), b"null", b"{\"obey\":{}}", b"\xff\xff"] {
        let mut launcher = Launcher::start();
        let job = launcher.start_job(&shell("observe", "sleep 1000")).unwrap();
        launcher.send_bytes(nonsense, &[]);
        drop(job);
        while launcher.next().is_some() {}
        assert!(!launcher.wait_for_end().success());
        assert_eq!(launcher.processes(), Vec::<u32>::new());
    }
    // A field too many in a message of another version is not guessed at where it is a claim.
    let mut launcher = Launcher::start();
    launcher.send_bytes(unknown.as_bytes(), &[]);
    std::thread::sleep(Duration::from_millis(100));
    assert!(launcher.run(&words(&["true"])).status() == Some(0));
}
