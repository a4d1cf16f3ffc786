//! What a file of profiles may say: layers, places of mistakes, and what an administrator's file may do to a vendor's.

use super::*;

/// Reads the shipped observe and system as the vendor's, and this as the administrator's.
fn own(text: &str) -> Result<Profiles, ProfileError> {
    let vendor = [OBSERVE, SYSTEM].map(|text| TextFile { name: "vendor.toml", text });
    Profiles::parse(&vendor, &[TextFile { name: "own.toml", text }])
}

#[test]
fn a_mistake_has_its_line_and_column() {
    for (from, to, place) in [
        ("network = \"host\"", "network = \"yes\"", "network = "),
        ("network = \"host\"", "netwrk = \"host\"", "netwrk"),
        ("seconds = 30", "seconds = \"30\"", "seconds = "),
        ("seconds = 30", "seconds = 0", "seconds = "),
        ("within = [\"system\"]", "within = [\"nowhere\"]", "within = ["),
        ("layers = [\"cgroup\", ", "layers = [", "layers = "),
        ("layers = [\"cgroup\", ", "layers = [\"network\", \"cgroup\", ", "layers = ["),
        ("layers = [\"cgroup\", ", "layers = [\"cgroup\", \"cgroup\", ", "layers = [\"cgroup\", "),
        ("why = \"zeros\"", "why = \"\"", "why = "),
    ] {
        let text = OBSERVE.replacen(from, to, 1);
        assert_ne!(text, OBSERVE, "{from}");
        let error = parse(&[&text, SYSTEM]).unwrap_err();
        let line = text.split_once(to).unwrap().0.matches('\n').count() + 1;
        let column = if place.contains('=') { to.find(place).unwrap() + place.len() + 1 } else { 1 };
        assert_eq!((error.line, error.column), (line, column), "{to}: {error}");
        assert!(error.to_string().starts_with(&format!("p.toml:{line}:{column}: ")), "{error}");
    }
}

#[test]
fn every_layer_that_a_profile_uses_is_listed_and_one_may_be_added() {
    for profile in shipped().iter() {
        for layer in LayerName::ALL {
            assert!(!layer.is_used_by(profile) || profile.layers.contains(&layer), "{:?} {layer:?}", profile.name);
        }
    }
    let limits = OBSERVE.replacen("layers = [", "layers = [\"cgroup-limits\", ", 1);
    assert!(parse(&[&limits, SYSTEM]).is_ok());
    for layer in ["seccomp", "landlock", "mounts", "credentials", "capabilities", "no-new-privs", "descriptors"] {
        let with = format!(", \"{layer}\"");
        let text = OBSERVE.replacen(&with, "", 1);
        assert_ne!(text, OBSERVE, "{layer}");
        let problem = parse(&[&text, SYSTEM]).unwrap_err().problem;
        assert!(matches!(problem, ProfileProblem::LayerMissing(missing) if missing.as_str() == layer), "{problem}");
    }
}

#[test]
fn the_names_of_layers_are_those_of_the_files() {
    for layer in LayerName::ALL {
        assert_eq!(serde_json::to_value(layer).unwrap(), layer.as_str());
    }
}

#[test]
fn an_administrator_may_narrow_a_vendors_profile() {
    for (from, to) in [
        ("seconds = 30", "seconds = 29"),
        ("network = \"host\"", "network = \"own\""),
        ("hidden = [", "hidden = [\"bus\", "),
        ("landlock_abi = 2", "landlock_abi = 6"),
        ("kind = \"netlink-route\"", "kind = \"netlink-diagnosis\""),
        ("layers = [", "layers = [\"cgroup-limits\", "),
        ("private = [", "private = [\"/srv/scratch\", "),
        ("\n[[device]]\npath = \"/dev/shm\"\nwhy = \"what programs share is looked at; nothing is written\"", ""),
    ] {
        let mut text = OBSERVE.replacen(from, to, 1);
        assert_ne!(text, OBSERVE, "{from}");
        if to.contains("own") {
            text = text.replacen("layers = [", "layers = [\"network\", ", 1);
        }
        let profiles = own(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
        assert_eq!(profiles.iter().count(), 2, "{to}: it takes the vendor's place");
        let shipped = shipped();
        let name = ProfileName::observe();
        assert_ne!(profiles.get(&name), shipped.get(&name), "{to}");
    }
    assert!(own(OBSERVE).is_ok(), "the same again is not wider");
}

#[test]
fn an_administrator_cannot_widen_a_vendors_profile_under_its_name() {
    let socket = "[[socket]]\nkind = \"inet\"\nwhy = \"x\"\n";
    let capability = "[[capability]]\nname = \"CHOWN\"\nwhy = \"x\"\n";
    let call = "[[call]]\nset = \"names\"\nwhy = \"x\"\n";
    let device = "[[device]]\npath = \"/dev/mem\"\nwhy = \"x\"\n";
    for (from, to, what) in [
        ("user = \"_countersign-observe\"", "user = \"root\"", "user root"),
        ("written = \"nothing\"", "written = \"targets\"", "what is written"),
        ("written = \"nothing\"", "written = \"everything\"", "what is written"),
        ("private = [\"/tmp\", ", "private = [", "/tmp is not private"),
        ("protected = [\"accounts\", ", "protected = [", "accounts are not protected"),
        ("hidden = [\"secrets\", ", "hidden = [", "passwords and private keys are not hidden"),
        ("landlock_abi = 2", "landlock_abi = 1", "landlock_abi 1"),
        ("seconds = 30", "seconds = 31", "limits.seconds"),
        ("tasks = 64", "tasks = 65", "limits.tasks"),
        ("memory_mib = 512", "memory_mib = 513", "limits.memory_mib"),
        ("memory_mib = 512\n", "", "limits.memory_mib"),
        ("output_mib = 64", "output_mib = 65", "limits.output_mib"),
        ("[[socket]]", &format!("{socket}[[socket]]"), "socket inet"),
        ("kind = \"netlink-route\"", "kind = \"netlink\"", "socket netlink"),
        ("[[capability]]", &format!("{capability}[[capability]]"), "capability CHOWN"),
        ("[[socket]]", &format!("{call}[[socket]]"), "call names"),
        ("[[device]]", &format!("{device}[[device]]"), "device /dev/mem"),
    ] {
        let text = OBSERVE.replacen("within = [\"system\"]\n", "", 1).replacen(from, to, 1);
        let error = own(&text).unwrap_err();
        assert_eq!(error.problem, ProfileProblem::Wider { what: what.to_owned() }, "{to}");
        assert_eq!((error.file.as_str(), error.line), ("own.toml", 3), "{error}");
        let added = text.replacen("name = \"observe\"", "name = \"look\"", 1);
        assert_eq!(own(&added).unwrap().iter().count(), 3, "{to}: under another name it may be added");
    }
    let open = SYSTEM.replacen("hidden = [\"own-secrets\"]", "hidden = []", 1);
    assert!(own(&open).is_err(), "nor any other");
}

#[test]
fn a_layer_cannot_be_taken_out_by_who_replaces() {
    let vendor = OBSERVE.replacen("layers = [", "layers = [\"cgroup-limits\", ", 1);
    let vendor = [TextFile { name: "v", text: &vendor }, TextFile { name: "v", text: SYSTEM }];
    let error = Profiles::parse(&vendor, &[TextFile { name: "own.toml", text: OBSERVE }]).unwrap_err();
    assert_eq!(error.problem, ProfileProblem::Wider { what: "without the layer cgroup-limits".to_owned() });
}

#[test]
fn two_of_an_administrators_files_cannot_define_one_profile() {
    let vendor = [TextFile { name: "v", text: SYSTEM }];
    let twice = [TextFile { name: "a", text: SYSTEM }, TextFile { name: "b", text: SYSTEM }];
    let error = Profiles::parse(&vendor, &twice).unwrap_err();
    assert_eq!((error.file.as_str(), error.problem), ("b", ProfileProblem::Twice("system".to_owned())));
    assert!(Profiles::parse(&[], &twice).is_err());
}

#[test]
fn what_is_said_to_lie_within_another_does() {
    let wider = OBSERVE.replacen("seconds = 30", "seconds = 901", 1);
    let problem = parse(&[&wider, SYSTEM]).unwrap_err().problem;
    assert_eq!(problem, ProfileProblem::NotWithin { wide: "system".to_owned(), what: "limits.seconds".to_owned() });
    let claims = SYSTEM.replacen("name = \"system\"", "name = \"mine\"\nwithin = [\"observe\"]", 1);
    assert!(matches!(own(&claims).unwrap_err().problem, ProfileProblem::NotWithin { .. }));
    let narrow =
        OBSERVE.replacen("name = \"observe\"", "name = \"look\"", 1).replacen("[\"system\"]", "[\"observe\"]", 1);
    let profiles = own(&narrow).unwrap();
    assert!(profiles.is_within(&ProfileName::new("look").unwrap(), &ProfileName::observe()));
}
