//! The shipped profiles parse, mean what the design says, and a mistake in one is an error and never a wider sandbox.

use super::*;
use crate::target::{Access, Target, TargetKind};

const OBSERVE: &str = include_str!("../../../../policy/profiles/observe.toml");
const CHANGE: &str = include_str!("../../../../policy/profiles/change.toml");
const SYSTEM: &str = include_str!("../../../../policy/profiles/system.toml");

const OTHERS: [&str; 10] = [
    include_str!("../../../../policy/profiles/kernel.toml"),
    include_str!("../../../../policy/profiles/kernel-log.toml"),
    include_str!("../../../../policy/profiles/network.toml"),
    include_str!("../../../../policy/profiles/packages.toml"),
    include_str!("../../../../policy/profiles/power.toml"),
    include_str!("../../../../policy/profiles/services.toml"),
    include_str!("../../../../policy/profiles/storage.toml"),
    include_str!("../../../../policy/profiles/users.toml"),
    include_str!("../../../../policy/profiles/named.toml"),
    include_str!("../../../../policy/profiles/switch.toml"),
];

fn parse(texts: &[&str]) -> Result<Profiles, ProfileError> {
    let files: Vec<TextFile<'_>> = texts.iter().map(|text| TextFile { name: "p.toml", text }).collect();
    Profiles::parse(&files, &[])
}

fn shipped() -> Profiles {
    let mut texts = vec![OBSERVE, CHANGE, SYSTEM];
    texts.extend(OTHERS);
    parse(&texts).unwrap()
}

fn written(name: &str) -> Target {
    Target { kind: TargetKind::Path, name: name.to_owned(), access: Access::Write }
}

#[test]
fn the_shipped_profiles_are_those_of_the_tiers() {
    let profiles = shipped();
    for (name, written) in [
        (ProfileName::observe(), Written::Nothing),
        (ProfileName::change(), Written::Targets),
        (ProfileName::system(), Written::Everything),
    ] {
        assert_eq!(profiles.get(&name).unwrap().files.written, written, "{name:?}");
    }
}

#[test]
fn observe_has_one_capability_and_no_socket_that_leads_out() {
    let profiles = shipped();
    let observe = profiles.get(&ProfileName::observe()).unwrap();
    let names: Vec<&str> = observe.capabilities.iter().map(|each| each.name.name()).collect();
    assert_eq!(names, ["DAC_READ_SEARCH"]);
    assert!(!observe.reaches_out());
    assert_ne!(observe.user, "root");
}

#[test]
fn change_opens_no_socket_at_all() {
    assert_eq!(shipped().get(&ProfileName::change()).unwrap().sockets, vec![]);
}

#[test]
fn the_kernels_surface_is_lifted_only_by_name() {
    let ordinary = ["names", "memory-files", "attributes", "credentials", "kernel-log"];
    for (profile, lifted) in [
        ("observe", &[][..]),
        ("kernel-log", &[]),
        ("change", &[]),
        ("named", &[]),
        ("system", &[]),
        ("switch", &["chroot"]),
        ("users", &[]),
        ("services", &[]),
        ("network", &[]),
        ("packages", &["chroot", "nodes"]),
        ("storage", &["accounting", "keys", "mounts", "nodes", "swap"]),
        ("power", &["boot"]),
        ("kernel", &["chroot", "clock", "kernel-programs", "kexec", "modules", "nodes"]),
    ] {
        let profiles = shipped();
        let found = profiles.get(&ProfileName::new(profile).unwrap()).unwrap();
        let mut names: Vec<String> = found.calls.iter().map(|each| each.set.name()).collect();
        names.retain(|name| !ordinary.contains(&name.as_str()));
        names.sort_unstable();
        assert_eq!(names, lifted, "{profile}");
        assert_eq!(found.refused_calls().len() + found.calls.len(), CallSet::ALL.len(), "{profile}");
    }
    assert_eq!(shipped().iter().count(), 13, "every profile that ships is looked at");
}

#[test]
fn the_kernels_own_capabilities_are_given_only_by_name() {
    let own = [
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_BOOT",
        "SYS_TIME",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "BPF",
        "PERFMON",
        "AUDIT_CONTROL",
        "SYS_PTRACE",
        "SYS_PACCT",
        "CHECKPOINT_RESTORE",
        "SETPCAP",
    ];
    for profile in shipped().iter() {
        let given: Vec<&str> =
            profile.capabilities.iter().map(|each| each.name.name()).filter(|name| own.contains(name)).collect();
        let expected: &[&str] = match profile.name.as_str() {
            "storage" => &["SYS_RAWIO"],
            "power" => &["SYS_BOOT", "SYS_TIME"],
            "kernel" => &["SYS_MODULE", "SYS_BOOT", "SYS_TIME", "SYS_RAWIO", "BPF", "PERFMON", "AUDIT_CONTROL"],
            _ => &[],
        };
        assert_eq!(given, expected, "{:?}", profile.name);
        assert!(profile.files.hidden.contains(&PlaceSet::OwnSecrets), "{:?}", profile.name);
        assert!(profile.files.protected.contains(&PlaceSet::Own), "{:?}", profile.name);
        let authority = profile.files.protected.contains(&PlaceSet::Authority);
        assert_eq!(authority, !["packages", "named"].contains(&profile.name.as_str()), "{:?}", profile.name);
    }
}

#[test]
fn narrower_is_itself_or_said_and_never_the_other_way_round() {
    let profiles = shipped();
    let (observe, change, system) = (ProfileName::observe(), ProfileName::change(), ProfileName::system());
    assert!(profiles.is_within(&observe, &system) && profiles.is_within(&change, &system));
    assert!(profiles.is_within(&observe, &observe));
    assert!(!profiles.is_within(&system, &observe) && !profiles.is_within(&system, &change));
    for wide in ["services", "packages", "network", "storage", "power", "users", "kernel"] {
        let wide = ProfileName::new(wide).unwrap();
        assert!(profiles.is_within(&observe, &wide) && !profiles.is_within(&wide, &observe), "{wide:?}");
        assert!(!profiles.is_within(&change, &wide), "{wide:?}");
    }
    assert!(!profiles.is_within(&observe, &change), "observe opens sockets that change does not");
    assert!(!profiles.is_within(&ProfileName::new("nowhere").unwrap(), &system));
}

/// The names of a profile's allowances of one kind that another has not.
fn beyond(wide: &[CapabilityAllowance], narrow: &[CapabilityAllowance]) -> Vec<&'static str> {
    let there = |name: &str| narrow.iter().any(|each| each.name.name() == name);
    wide.iter().map(|each| each.name.name()).filter(|name| !there(name)).collect()
}

#[test]
fn named_is_change_where_everybody_is_kept_out_and_switch_is_system_as_somebody_else() {
    let profiles = shipped();
    let get = |name: &str| profiles.get(&ProfileName::new(name).unwrap()).unwrap();
    let (named, change) = (get("named"), get("change"));
    assert_eq!(beyond(&named.capabilities, &change.capabilities), ["FSETID", "LINUX_IMMUTABLE", "SETFCAP"]);
    assert_eq!((named.files.written, &named.sockets, named.network), (Written::Targets, &vec![], Network::Own));
    assert!(named.files.protected.contains(&PlaceSet::Approval) && named.files.hidden.contains(&PlaceSet::Bus));
    let (switch, system) = (get("switch"), get("system"));
    assert_eq!(beyond(&switch.capabilities, &system.capabilities), ["SETUID", "SETGID", "SYS_CHROOT"]);
    assert_eq!((&switch.files, &switch.sockets), (&system.files, &system.sockets));
}

#[test]
fn a_mistake_is_an_error() {
    for (from, to) in [
        ("written = \"nothing\"", "written = \"anything\""),
        ("written = \"nothing\"", "writen = \"nothing\""),
        ("DAC_READ_SEARCH\"", "CAP_DAC_READ_SEARCH\""),
        ("DAC_READ_SEARCH\"", "ALL\""),
        ("kind = \"unix\"", "kind = \"any\""),
        ("path = \"/dev/null\"", "path = \"dev/null\""),
        ("network = \"host\"", "network = \"yes\""),
        ("landlock_abi = 2", ""),
        ("within = [\"system\"]", "within = [\"sytem\"]"),
        ("why = \"zeros\"", "why = \" \""),
        ("why = \"zeros\"", ""),
        ("name = \"observe\"", "name = \"Observe\""),
    ] {
        let text = OBSERVE.replacen(from, to, 1);
        assert_ne!(text, OBSERVE, "{from}");
        assert!(parse(&[&text, CHANGE, SYSTEM]).is_err(), "{from} → {to}");
    }
}

#[test]
fn what_is_lifted_is_known_and_fits_the_rest() {
    let storage = OTHERS[6];
    for (from, to) in [
        ("set = \"swap\"", "set = \"swaps\""),
        ("why = \"disk quotas\"", "why = \"\""),
        ("landlock_abi = 0", "landlock_abi = 2"),
        ("set = \"mounts\"", "set = \"clock\""),
        ("written = \"everything\"", "written = \"listed\""),
    ] {
        let text = storage.replacen(from, to, 1);
        assert_ne!(text, storage, "{from}");
        assert!(parse(&[&text]).is_err(), "{from} → {to}");
    }
    assert!(parse(&[storage]).is_ok());
    let unlisted = OTHERS[7].replacen("written = \"listed\"", "written = \"everything\"", 1);
    assert_eq!(parse(&[&unlisted]).unwrap_err().problem, ProfileProblem::Writes);
}

#[test]
fn the_detail_names_every_allowance_with_its_reason() {
    for profile in shipped().iter() {
        let detail = profile.detail();
        for each in &profile.capabilities {
            assert!(detail.contains(&format!("  {}: {}\n", each.name.name(), each.why)), "{detail}");
        }
        for path in profile.devices.iter().chain(&profile.writes) {
            assert!(detail.contains(&format!("  {}: {}\n", path.path, path.why)), "{detail}");
        }
        for each in &profile.calls {
            assert!(detail.contains(&format!("  {}: {}\n", each.set.name(), each.why)), "{detail}");
        }
        assert!(detail.contains("/var/lib/countersign: the audit log"), "{detail}");
    }
}

#[test]
fn limits_hold_at_n_and_n_plus_one() {
    for (key, good, bad) in [
        ("seconds = 30", "seconds = 86400", "seconds = 86401"),
        ("seconds = 30", "seconds = 1", "seconds = 0"),
        ("tasks = 64", "tasks = 65536", "tasks = 65537"),
        ("memory_mib = 512", "memory_mib = 16", "memory_mib = 15"),
        ("output_mib = 64", "output_mib = 1", "output_mib = 0"),
    ] {
        let alone = OBSERVE.replacen("within = [\"system\"]\n", "", 1);
        assert!(parse(&[&alone.replacen(key, good, 1)]).is_ok(), "{good}");
        let error = parse(&[&alone.replacen(key, bad, 1)]).unwrap_err();
        assert!(matches!(error.problem, ProfileProblem::OutOfBounds { .. }), "{bad}: {error}");
    }
}

#[test]
fn two_files_cannot_define_one_profile() {
    assert!(matches!(parse(&[SYSTEM, SYSTEM]).unwrap_err().problem, ProfileProblem::Twice(_)));
}

#[test]
fn a_wider_profile_has_another_digest() {
    let profiles = shipped();
    let wider = parse(&[&SYSTEM.replacen("seconds = 900", "seconds = 901", 1)]).unwrap();
    let name = ProfileName::system();
    assert_ne!(profiles.get(&name).unwrap().digest().unwrap(), wider.get(&name).unwrap().digest().unwrap());
    assert_eq!(profiles.digest().unwrap(), shipped().digest().unwrap());
}

#[test]
fn the_words_name_the_paths_and_nothing_in_them_is_alive() {
    let profiles = shipped();
    let change = profiles.get(&ProfileName::change()).unwrap();
    let words = change.may_touch(&[written("/etc/x\n\u{1b}[31m\u{202e}")]);
    assert!(words.contains("/etc/x") && words.contains("nothing else") && words.contains("no network"), "{words}");
    assert!(!words.contains(['\n', '\u{1b}', '\u{202e}']), "{words}");
    let many: Vec<Target> = (0..7).map(|n| written(&format!("/srv/{n}"))).collect();
    assert!(change.may_touch(&many).contains("and 3 more"));
    let observe = profiles.get(&ProfileName::observe()).unwrap().may_touch(&[]);
    assert!(observe.contains("change nothing") && observe.contains("no network"), "{observe}");
    assert!(profiles.get(&ProfileName::system()).unwrap().may_touch(&[]).contains("may use the network"));
    let words = |name: &str| profiles.get(&ProfileName::new(name).unwrap()).unwrap().may_touch(&[]);
    assert!(
        words("users").contains("may change /etc, /home, ") && words("users").contains("and 5 more and nothing else")
    );
    assert!(words("storage").contains("Of the kernel: attaches and detaches file systems; "), "{}", words("storage"));
}

mod files;
