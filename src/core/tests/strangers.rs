//! What we sign is read by programs that this project did not write: the crates `signed_note` and `tlog_tiles`, which
//! port Go's `golang.org/x/mod/sumdb` and implement <https://c2sp.org/signed-note> and <https://c2sp.org/tlog-checkpoint>.

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;

    use countersign_core::checkpoint::Checkpoint;
    use countersign_core::digest::Digest;
    use countersign_core::evidence::Evidence;
    use countersign_core::note::{Name, Note, SigningKey};
    use countersign_core::tree::{self, Frontier, Node, Subtrees, TreeHead};
    use signed_note::{StandardSigner, StandardVerifier, VerifierList};

    const NAME: &str = "web1.example.com/countersign";

    struct Kept(RefCell<Vec<Node>>);

    impl Subtrees for Kept {
        type Error = Infallible;

        fn subtree(&self, level: u32, index: u64) -> Result<Digest, Infallible> {
            let nodes = self.0.borrow();
            Ok(nodes.iter().find(|node| (node.level, node.index) == (level, index)).unwrap().hash)
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_seed(Name::new(NAME).unwrap(), &[42; 32])
    }

    fn log(count: u64) -> (Kept, TreeHead) {
        let (kept, mut frontier) = (Kept(RefCell::default()), Frontier::default());
        for n in 0..count {
            frontier.append(tree::leaf(&n.to_be_bytes()), |node| kept.0.borrow_mut().push(node)).unwrap();
        }
        (kept, frontier.head())
    }

    #[test]
    fn a_checkpoint_is_accepted() {
        let (_, head) = log(100);
        let ours = Checkpoint::new(key().verifier().name().clone(), head).sign(&key()).unwrap().to_string();
        let note = signed_note::Note::from_bytes(ours.as_bytes()).unwrap();
        let verifier = StandardVerifier::new(&key().verifier().to_string()).unwrap();
        let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), (NAME, 100, *head.root.bytes()));
    }

    #[test]
    fn a_changed_checkpoint_is_not() {
        let (_, head) = log(100);
        let ours = Checkpoint::new(key().verifier().name().clone(), head).sign(&key()).unwrap().to_string();
        let verifier = || -> Box<dyn signed_note::Verifier> {
            Box::new(StandardVerifier::new(&key().verifier().to_string()).unwrap())
        };
        let note = signed_note::Note::from_bytes(ours.replace("\n100\n", "\n101\n").as_bytes()).unwrap();
        assert!(note.verify(&VerifierList::new(vec![verifier()])).is_err());
    }

    #[test]
    fn what_they_sign_we_read() {
        let signer = StandardSigner::new(&key().encode()).unwrap();
        let mut theirs = signed_note::Note::new(b"text\n", &[]).unwrap();
        theirs.add_sigs(&[&signer]).unwrap();
        let ours = Note::parse(&theirs.to_bytes()).unwrap();
        assert_eq!(ours, Note::sign("text\n", &[&key()]).unwrap());
        ours.verify(std::slice::from_ref(key().verifier())).unwrap();
    }

    #[test]
    fn our_proofs_are_accepted_and_wrong_ones_are_not() {
        let (kept, head) = log(37);
        let proof = |hashes: &[Digest]| hashes.iter().map(|hash| tlog_tiles::Hash(*hash.bytes())).collect::<Vec<_>>();
        let root = tlog_tiles::Hash(*head.root.bytes());
        for index in 0..37_u64 {
            let made = proof(tree::inclusion(&kept, index, 37).unwrap().hashes());
            let leaf = tlog_tiles::record_hash(&index.to_be_bytes());
            tlog_tiles::check_record(&made, 37, root, index, leaf).unwrap();
            tlog_tiles::check_record(&made, 37, root, (index + 1) % 37, leaf).unwrap_err();
        }
        for old in 1..=37_u64 {
            let made = proof(tree::consistency(&kept, old, 37).unwrap().hashes());
            let old_root = tlog_tiles::Hash(*tree::root(&kept, old).unwrap().root.bytes());
            tlog_tiles::check_tree(&made, 37, root, old, old_root).unwrap();
        }
    }

    #[test]
    fn the_checkpoint_in_evidence_is_the_same_note() {
        let (kept, head) = log(5);
        let checkpoint = Checkpoint::new(key().verifier().name().clone(), head).sign(&key()).unwrap();
        let proof = tree::inclusion(&kept, 3, 5).unwrap();
        let evidence = Evidence { record: Some(3_u64.to_be_bytes().to_vec()), index: 3, proof, checkpoint };
        let text = evidence.to_string();
        let (_, note) = text.split_once("\n\n").unwrap();
        signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        evidence.check(&tree::leaf(&3_u64.to_be_bytes()), std::slice::from_ref(key().verifier())).unwrap();
    }
}
