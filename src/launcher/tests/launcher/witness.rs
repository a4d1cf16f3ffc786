//! A front that was taken over asks the real launcher to sign another history, in every way it can think of.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::message::{FromLauncher, ToLauncher, Unsigned};
use countersign_core::note::{Note, VerifierKey};
use countersign_core::tree::{Frontier, Node, Proof, Subtrees, TreeHead, consistency, leaf, root};

use crate::driver::Launcher;

/// The front's log, honest or not.
struct Log(Vec<Node>);

impl Log {
    /// A log in which every record from `forged` on is another one than in the honest log.
    fn new(size: u64, forged: u64) -> Self {
        let (mut nodes, mut frontier) = (Vec::new(), Frontier::default());
        for n in 0..size {
            let text = if n >= forged { format!("forged {n}") } else { n.to_string() };
            frontier.append(leaf(text.as_bytes()), |node| nodes.push(node)).unwrap();
        }
        Self(nodes)
    }

    fn honest(size: u64) -> Self {
        Self::new(size, size)
    }

    fn head(&self, size: u64) -> TreeHead {
        root(self, size).unwrap()
    }

    fn proof(&self, base: u64, size: u64) -> Proof {
        consistency(self, base, size).unwrap()
    }
}

impl Subtrees for Log {
    type Error = ();

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, ()> {
        self.0.iter().find(|node| (node.level, node.index) == (level, index)).map(|node| node.hash).ok_or(())
    }
}

impl Launcher {
    fn sign(&mut self, base: u64, head: TreeHead, proof: Proof) -> Result<Note, Unsigned> {
        self.send(&ToLauncher::Sign { base, head, proof }, &[]);
        match self.next() {
            Some(FromLauncher::Signed { result }) => result.map(|note| Note::parse(note.as_bytes()).unwrap()),
            other => panic!("neither signed nor refused: {other:?}"),
        }
    }

    fn key(&self) -> VerifierKey {
        fs::read_to_string(self.root().join("run/countersign/audit-key")).unwrap().trim_end().parse().unwrap()
    }
}

#[test]
fn an_honest_log_is_signed_as_it_grows() {
    let mut launcher = Launcher::start();
    let log = Log::honest(200);
    let mut base = 0;
    for size in [3, 64, 128, 200] {
        let note = launcher.sign(base, log.head(size), log.proof(base, size)).unwrap();
        note.verify(&[launcher.key()]).unwrap();
        assert_eq!(Checkpoint::parse(note.text()).unwrap().head, log.head(size));
        base = size;
    }
    let again = launcher.sign(base, log.head(200), Proof::default()).unwrap();
    again.verify(&[launcher.key()]).unwrap();
}

#[test]
fn a_front_that_was_taken_over_gets_no_signature_for_another_history() {
    let mut launcher = Launcher::start();
    let (honest, forged) = (Log::honest(200), Log::new(200, 50));
    launcher.sign(0, honest.head(100), Proof::default()).unwrap();
    let rewritten = Unsigned::Rewritten { signed: honest.head(100) };
    for (what, base, head, proof) in [
        ("cut off", 100, honest.head(99), Proof::default()),
        ("cut off, with a proof", 60, honest.head(99), honest.proof(60, 99)),
        ("emptied", 0, TreeHead::empty(), Proof::default()),
        ("the same size, other records", 100, forged.head(100), Proof::default()),
        ("the same size, a proof from before", 40, forged.head(100), forged.proof(40, 100)),
        ("longer, other records", 100, forged.head(200), forged.proof(100, 200)),
        ("longer, the honest proof", 100, forged.head(200), honest.proof(100, 200)),
        ("longer, no proof", 100, honest.head(200), Proof::default()),
        ("longer, another size's proof", 100, honest.head(200), honest.proof(99, 200)),
        ("the largest size", 100, TreeHead { size: u64::MAX, ..honest.head(200) }, honest.proof(100, 200)),
    ] {
        assert_eq!(launcher.sign(base, head, proof), Err(rewritten.clone()), "{what}");
    }
    let from_before = launcher.sign(40, forged.head(200), forged.proof(40, 200));
    assert_eq!(from_before, Err(Unsigned::Base { signed: honest.head(100) }), "from before the forged part");
    let from_nothing = launcher.sign(0, forged.head(200), Proof::default());
    assert_eq!(from_nothing, Err(Unsigned::Base { signed: honest.head(100) }), "as if nothing had been signed");
    launcher.sign(100, honest.head(200), honest.proof(100, 200)).unwrap();
}

#[test]
fn the_end_of_a_log_is_signed_after_a_drain_and_until_the_front_is_gone() {
    let mut launcher = Launcher::start();
    let log = Log::honest(9);
    launcher.sign(0, log.head(4), Proof::default()).unwrap();
    launcher.send(&ToLauncher::Drain, &[]);
    assert!(matches!(launcher.next(), Some(FromLauncher::Drained)));
    launcher.sign(4, log.head(9), log.proof(4, 9)).unwrap().verify(&[launcher.key()]).unwrap();
    let (ended, left) = launcher.hang_up();
    assert!(ended.success() && left.is_empty(), "{ended:?}, {left:?}");
}

#[test]
fn key_and_memory_are_roots_alone_and_outlive_the_launcher() {
    let mut launcher = Launcher::start();
    let honest = Log::honest(30);
    launcher.sign(0, honest.head(20), Proof::default()).unwrap();
    let state = launcher.root().join("var/lib/countersign-launcher");
    let key = fs::read_to_string(state.join("signing-key")).unwrap();
    let signed = fs::read_to_string(state.join("signed.json")).unwrap();
    for (name, mode) in [("signing-key", 0o600), ("signed.json", 0o600)] {
        let found = fs::metadata(state.join(name)).unwrap();
        assert_eq!((found.mode() & 0o777, found.uid()), (mode, 0), "{name}");
    }
    let public = launcher.key();
    drop(launcher);
    let before = format!(
        "umask 077; mkdir var/lib/countersign-launcher; printf '%s' '{key}' > var/lib/countersign-launcher/signing-key; \
         printf '%s' '{signed}' > var/lib/countersign-launcher/signed.json"
    );
    let mut launcher = Launcher::start_after(&before);
    assert_eq!(launcher.key(), public);
    let forged = Log::new(30, 10);
    let rewritten = Unsigned::Rewritten { signed: honest.head(20) };
    assert_eq!(launcher.sign(20, forged.head(30), forged.proof(20, 30)), Err(rewritten));
    launcher.sign(20, honest.head(30), honest.proof(20, 30)).unwrap();
}

#[test]
fn a_proof_longer_than_any_is_no_message() {
    let mut launcher = Launcher::start();
    let hash = format!("\"{}\"", Digest::ZERO);
    let hashes = vec![hash.as_str(); 66].join(",");
    let head = format!("{{\"size\":\"1\",\"root\":{hash}}}");
    launcher
        .send_bytes(format!("{{\"sign\":{{\"base\":\"0\",\"head\":{head},\"proof\":[{hashes}]}}}}").as_bytes(), &[]);
    assert!(launcher.next().is_none(), "an unreadable message ends the launcher");
    assert!(!launcher.wait_for_end().success());
}
