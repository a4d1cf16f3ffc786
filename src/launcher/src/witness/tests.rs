//! One history and no other, through crashes and restarts.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use countersign_core::digest::Digest;
use countersign_core::note::{Note, VerifierKey};
use countersign_core::tree::{Frontier, Node, Subtrees, consistency, leaf, root};

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-witness-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn witness(&self) -> Witness {
        Witness::below(&self.0.join("state"), &self.0.join("run"), &self.0.join("credentials"))
    }

    fn public(&self) -> VerifierKey {
        fs::read_to_string(self.0.join("run/audit-key")).unwrap().trim_end().parse().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A log whose record `forged` is another one than in the honest log.
struct Kept(Vec<Node>);

/// A file that nobody else may read.
fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Kept {
    fn new(size: u64, forged: Option<u64>) -> Self {
        let (mut nodes, mut frontier) = (Vec::new(), Frontier::default());
        for n in 0..size {
            let text = if forged == Some(n) { "forged".to_owned() } else { n.to_string() };
            frontier.append(leaf(text.as_bytes()), |node| nodes.push(node)).unwrap();
        }
        Self(nodes)
    }

    fn head(&self, size: u64) -> TreeHead {
        root(self, size).unwrap()
    }
}

impl Subtrees for Kept {
    type Error = ();

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, ()> {
        self.0.iter().find(|node| (node.level, node.index) == (level, index)).map(|node| node.hash).ok_or(())
    }
}

fn ask(witness: &mut Witness, log: &Kept, base: u64, size: u64) -> Result<Checkpoint, Unsigned> {
    let proof = consistency(log, base.min(size), size).unwrap();
    let note = witness.sign(&Settings::default(), base, log.head(size), &proof)?;
    Ok(Checkpoint::parse(Note::parse(note.as_bytes()).unwrap().text()).unwrap())
}

#[test]
fn a_log_that_grows_is_signed_by_the_key_that_everybody_can_read() {
    let scratch = Scratch::new("grows");
    let (mut witness, log) = (scratch.witness(), Kept::new(40, None));
    for (base, size) in [(0, 1), (1, 1), (1, 7), (7, 40)] {
        assert_eq!(ask(&mut witness, &log, base, size).unwrap().head, log.head(size));
    }
    let proof = consistency(&log, 40, 40).unwrap();
    let note = witness.sign(&Settings::default(), 40, log.head(40), &proof).unwrap();
    Note::parse(note.as_bytes()).unwrap().verify(&[scratch.public()]).unwrap();
    for (file, mode) in
        [("state", 0o700), ("state/signing-key", 0o600), ("state/signed.json", 0o600), ("run/audit-key", 0o644)]
    {
        assert_eq!(fs::metadata(scratch.0.join(file)).unwrap().mode() & 0o777, mode, "{file}");
    }
    let shown = fs::read_to_string(scratch.0.join("run/audit-key")).unwrap();
    assert!(!shown.contains("PRIVATE"));
}

#[test]
fn rewritten_history_is_never_signed_not_even_after_a_restart() {
    let scratch = Scratch::new("rewritten");
    let (honest, forged) = (Kept::new(40, None), Kept::new(40, Some(3)));
    ask(&mut scratch.witness(), &honest, 0, 20).unwrap();
    let rewritten = Err(Unsigned::Rewritten { signed: honest.head(20) });
    for _ in 0..2 {
        let mut witness = scratch.witness();
        for size in [19, 20, 21, 32, 40] {
            assert_eq!(ask(&mut witness, &forged, 20, size), rewritten, "forged, {size}");
        }
        for size in [0, 1, 16, 19] {
            assert_eq!(ask(&mut witness, &honest, size, size), rewritten, "shrunk or replayed, {size}");
        }
    }
    ask(&mut scratch.witness(), &honest, 20, 40).unwrap();
}

#[test]
fn a_proof_from_elsewhere_or_none_is_no_proof() {
    let scratch = Scratch::new("proof");
    let (mut witness, log) = (scratch.witness(), Kept::new(40, None));
    ask(&mut witness, &log, 0, 20).unwrap();
    let base = Err(Unsigned::Base { signed: log.head(20) });
    for elsewhere in [0, 19, 21, 30] {
        assert_eq!(ask(&mut witness, &log, elsewhere, 30), base, "from {elsewhere}");
    }
    for proof in [Proof::default(), consistency(&log, 19, 30).unwrap(), consistency(&log, 20, 31).unwrap()] {
        let told = witness.sign(&Settings::default(), 20, log.head(30), &proof);
        assert_eq!(told, Err(Unsigned::Rewritten { signed: log.head(20) }));
    }
    ask(&mut witness, &log, 20, 30).unwrap();
}

#[test]
fn a_crash_on_either_side_of_the_store_signs_one_history() {
    let (honest, forged) = (Kept::new(40, None), Kept::new(40, Some(25)));
    let scratch = Scratch::new("crash");
    ask(&mut scratch.witness(), &honest, 0, 20).unwrap();
    // Before the store: what was to replace the file is there, unfinished, and means nothing.
    fs::write(scratch.0.join("state/.signed.json.new"), b"{\"size\":\"30").unwrap();
    ask(&mut scratch.witness(), &honest, 20, 20).unwrap();
    // After the store and before the signature: the head is remembered, so that only its own log may go on.
    remember(&scratch.0.join("state"), &honest.head(30)).unwrap();
    let mut witness = scratch.witness();
    assert_eq!(ask(&mut witness, &forged, 20, 30), Err(Unsigned::Rewritten { signed: honest.head(30) }));
    assert_eq!(ask(&mut witness, &honest, 20, 31), Err(Unsigned::Base { signed: honest.head(30) }));
    assert_eq!(ask(&mut witness, &honest, 30, 30).unwrap().head, honest.head(30));
}

#[test]
fn what_cannot_be_read_signs_nothing_until_it_can() {
    let log = Kept::new(9, None);
    for (file, bytes) in [
        ("state/signed.json", "{"),
        ("state/signing-key", "PRIVATE+KEY+x"),
        ("credentials/countersign-signing-key", ""),
    ] {
        let scratch = Scratch::new("unreadable");
        ask(&mut scratch.witness(), &log, 0, 4).unwrap();
        let path = scratch.0.join(file);
        let before = fs::read(&path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let mut witness = scratch.witness();
        assert_eq!(ask(&mut witness, &log, 4, 9), Err(Unsigned::Unavailable), "{file}");
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        ask(&mut witness, &log, 4, 9).unwrap();
    }
}

/// What befell a key.
type Deed = fn(&Path);

fn moved_behind_a_link(key: &Path) {
    let elsewhere = key.with_file_name("elsewhere");
    fs::rename(key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(elsewhere, key).unwrap();
}

fn replaced_by_a_directory(key: &Path) {
    fs::remove_file(key).unwrap();
    fs::create_dir(key).unwrap();
}

#[test]
fn a_key_that_is_not_roots_alone_signs_nothing_and_says_what_to_do() {
    let mode = |key: &Path, mode| fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
    let cases: [(&str, Deed); 3] = [
        ("another's", |key| std::os::unix::fs::chown(key, Some(65_534), None).unwrap()),
        ("a link", moved_behind_a_link),
        ("a directory", replaced_by_a_directory),
    ];
    let log = Kept::new(9, None);
    let refused = |what: &str, deed: &dyn Fn(&Path)| {
        let scratch = Scratch::new("private");
        ask(&mut scratch.witness(), &log, 0, 4).unwrap();
        deed(&scratch.0.join("state/signing-key"));
        let error = scratch.witness().prepare(&Settings::default()).unwrap_err();
        assert!(matches!(error, WitnessError::NotPrivate { name: "signing-key" }), "{what}: {error:?}");
        assert!(error.to_string().contains("chmod"), "{error}");
        assert_eq!(ask(&mut scratch.witness(), &log, 4, 9), Err(Unsigned::Unavailable), "{what}");
    };
    for (what, deed) in cases {
        refused(what, &deed);
    }
    for bits in [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o610] {
        refused(&format!("{bits:o}"), &|key: &Path| mode(key, bits));
    }
    for bits in [0o600, 0o400] {
        let scratch = Scratch::new("private");
        ask(&mut scratch.witness(), &log, 0, 4).unwrap();
        mode(&scratch.0.join("state/signing-key"), bits);
        ask(&mut scratch.witness(), &log, 4, 9).unwrap();
    }
}

#[test]
fn the_next_key_that_is_not_roots_alone_is_not_taken() {
    let (scratch, log) = (Scratch::new("next-private"), Kept::new(9, None));
    ask(&mut scratch.witness(), &log, 0, 4).unwrap();
    let (next, before) = (scratch.0.join("state/signing-key.next"), scratch.public());
    private(&next, &format!("{}\n", SigningKey::from_seed(before.name().clone(), &[8; 32]).encode()));
    fs::set_permissions(&next, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(ask(&mut scratch.witness(), &log, 4, 9), Err(Unsigned::Unavailable));
    fs::remove_file(next).unwrap();
    ask(&mut scratch.witness(), &log, 4, 9).unwrap();
    assert_eq!(scratch.public(), before);
}

#[test]
fn no_key_is_made_where_something_was_signed() {
    let log = Kept::new(9, None);
    for (what, kept) in [("signed", "signed.json"), ("garbage", "signed.json"), ("handed over", "handovers.json")] {
        let scratch = Scratch::new("gone");
        ask(&mut scratch.witness(), &log, 0, 4).unwrap();
        let state = scratch.0.join("state");
        let key = fs::read_to_string(state.join("signing-key")).unwrap();
        for name in ["signing-key", "signed.json"] {
            fs::rename(state.join(name), scratch.0.join(name)).unwrap();
        }
        match what {
            "signed" => drop(fs::copy(scratch.0.join("signed.json"), state.join(kept)).unwrap()),
            _ => fs::write(state.join(kept), "{").unwrap(),
        }
        let error = scratch.witness().prepare(&Settings::default()).unwrap_err();
        assert!(matches!(error, WitnessError::KeyGone), "{what}: {error:?}");
        assert!(!state.join("signing-key").exists(), "{what}");
        // Both ways out: what was there comes back, or everything is moved away.
        fs::remove_file(state.join(kept)).unwrap();
        private(&state.join("signing-key"), &key);
        let before = scratch.public();
        ask(&mut scratch.witness(), &log, 0, 9).unwrap();
        assert_eq!(scratch.public(), before);
        fs::remove_dir_all(&state).unwrap();
        ask(&mut scratch.witness(), &log, 0, 9).unwrap();
        assert_ne!(scratch.public(), before);
    }
}

#[test]
fn what_cannot_be_remembered_is_not_signed() {
    let (scratch, log) = (Scratch::new("full"), Kept::new(9, None));
    let mut witness = scratch.witness();
    ask(&mut witness, &log, 0, 4).unwrap();
    // A directory in the way of the file that would be written, which not even root can replace by a file.
    let in_the_way = scratch.0.join("state/.signed.json.new");
    fs::create_dir_all(in_the_way.join("x")).unwrap();
    assert_eq!(ask(&mut witness, &log, 4, 9), Err(Unsigned::Unavailable));
    fs::remove_dir_all(&in_the_way).unwrap();
    assert_eq!(
        ask(&mut witness, &Kept::new(9, Some(8)), 4, 8).unwrap().head.size,
        8,
        "nothing above 4 was promised yet"
    );
}

#[test]
fn a_credential_goes_before_the_key_that_was_made_here() {
    let (scratch, log) = (Scratch::new("credential"), Kept::new(9, None));
    ask(&mut scratch.witness(), &log, 0, 4).unwrap();
    let made = scratch.public();
    let key = SigningKey::from_seed(countersign_core::note::Name::new("hsm.example/log").unwrap(), &[9; 32]);
    fs::create_dir(scratch.0.join("credentials")).unwrap();
    fs::write(scratch.0.join("credentials/countersign-signing-key"), format!("{}\n", key.encode())).unwrap();
    assert_eq!(ask(&mut scratch.witness(), &log, 4, 9).unwrap().origin, *key.verifier().name());
    assert_eq!(scratch.public(), *key.verifier());
    assert_ne!(scratch.public(), made);
}

#[test]
fn the_name_of_the_settings_is_that_of_the_first_key_only() {
    let scratch = Scratch::new("name");
    let named =
        |name: &str| Settings { origin: Some(countersign_core::note::Name::new(name).unwrap()), ..Settings::default() };
    scratch.witness().prepare(&named("one.example/log")).unwrap();
    scratch.witness().prepare(&named("two.example/log")).unwrap();
    assert_eq!(scratch.public().name().as_str(), "one.example/log");
}

#[test]
fn the_next_key_is_taken_once_the_old_one_has_named_it() {
    let (scratch, log) = (Scratch::new("next"), Kept::new(9, None));
    ask(&mut scratch.witness(), &log, 0, 4).unwrap();
    let (old, state) = (scratch.public(), scratch.0.join("state"));
    let next = SigningKey::from_seed(old.name().clone(), &[8; 32]);
    private(&state.join("signing-key.next"), &format!("{}\n", next.encode()));
    ask(&mut scratch.witness(), &log, 4, 4).unwrap();
    assert_eq!(scratch.public(), old, "a change that was interrupted is none");
    let secret = SigningKey::decode(fs::read_to_string(state.join("signing-key")).unwrap().trim_end()).unwrap();
    let note =
        Checkpoint::handover(old.name().clone(), log.head(4), next.verifier()).sign(&secret).unwrap().to_string();
    let by = countersign_core::message::StopNote {
        time: countersign_core::time::Moment::from_millis(1),
        who: "root".to_owned(),
        why: "yearly".to_owned(),
    };
    let handovers = vec![Handover { note, old: old.to_string(), by }];
    fs::write(state.join("handovers.json"), serde_json::to_vec(&handovers).unwrap()).unwrap();
    for _ in 0..2 {
        let mut witness = scratch.witness();
        assert_eq!(witness.handovers(), handovers);
        ask(&mut witness, &log, 4, 4).unwrap();
        assert_eq!(scratch.public(), *next.verifier());
    }
    assert!(!state.join("signing-key.next").exists());
}
