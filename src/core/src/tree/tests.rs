//! The tree against published vectors, against the definition in RFC 6962, and against whoever cheats.

use std::collections::HashMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// The eight leaves of the tests of certificate-transparency (<https://github.com/google/certificate-transparency>,
/// `cpp/merkletree/merkle_tree_test.cc`), in hexadecimal.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// Its roots for one to eight leaves.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Its audit paths: index from 0, size, hashes.
const PATHS: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// Its consistency proofs: both sizes, hashes.
const CONSISTENCY: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// The size up to which every proof is tried.
const SIZES: u64 = 130;

/// Every complete subtree of a tree, as a store keeps them.
#[derive(Default)]
pub(crate) struct Kept {
    frontier: Frontier,
    nodes: HashMap<(u32, u64), Digest>,
}

impl Kept {
    pub(crate) fn of(leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut kept = Self::default();
        leaves.into_iter().for_each(|leaf| kept.push(leaf));
        kept
    }

    fn push(&mut self, leaf: Digest) {
        let mut add = |node: Node| assert!(self.nodes.insert((node.level, node.index), node.hash).is_none());
        self.frontier.append(leaf, &mut add).unwrap();
    }
}

impl Subtrees for Kept {
    type Error = Infallible;

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, Infallible> {
        Ok(self.nodes[&(level, index)])
    }
}

pub(crate) fn numbered(count: u64) -> Kept {
    Kept::of((0..count).map(|n| leaf(&n.to_be_bytes())))
}

fn published() -> Vec<Digest> {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    let bytes = |hex: &str| -> Vec<u8> { hex.as_bytes().chunks(2).map(byte).collect() };
    LEAVES.iter().map(|hex| leaf(&bytes(hex))).collect()
}

fn proof(hashes: &[&str]) -> Proof {
    Proof::try_from(hashes.iter().map(|hash| hash.parse().unwrap()).collect::<Vec<_>>()).unwrap()
}

/// `MTH` as RFC 6962 section 2.1 defines it.
fn defined(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        [..] => {
            let half = leaves.len().next_power_of_two() / 2;
            node(&defined(&leaves[..half]), &defined(&leaves[half..]))
        }
    }
}

#[test]
fn published_roots() {
    let leaves = published();
    assert_eq!(TreeHead::empty().root.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (count, expected) in (1..).zip(ROOTS) {
        let kept = Kept::of(leaves[..count].iter().copied());
        assert_eq!(kept.frontier.head().root.to_string(), expected);
        assert_eq!(root(&kept, kept.frontier.size()), Ok(kept.frontier.head()));
    }
}

#[test]
fn published_audit_paths() {
    let leaves = published();
    let kept = Kept::of(leaves.iter().copied());
    for (index, size, hashes) in PATHS {
        let made = inclusion(&kept, index, size).unwrap();
        assert_eq!(made, proof(hashes), "{index} of {size}");
        let leaf = leaves[usize::try_from(index).unwrap()];
        verify_inclusion(&leaf, index, &root(&kept, size).unwrap(), &made).unwrap();
    }
}

#[test]
fn published_consistency_proofs() {
    let kept = Kept::of(published());
    for (old, new, hashes) in CONSISTENCY {
        let made = consistency(&kept, old, new).unwrap();
        assert_eq!(made, proof(hashes), "{old} to {new}");
        verify_consistency(&root(&kept, old).unwrap(), &root(&kept, new).unwrap(), &made).unwrap();
    }
}

#[test]
fn every_root_is_the_one_that_the_definition_gives() {
    let mut kept = Kept::default();
    let mut leaves = Vec::new();
    for n in 0..SIZES {
        assert_eq!(kept.frontier.head(), TreeHead { size: n, root: defined(&leaves) });
        assert_eq!(Frontier::read(&kept, n), Ok(kept.frontier.clone()));
        let stored = serde_json::to_string(&kept.frontier).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&stored).unwrap(), kept.frontier);
        leaves.push(leaf(&n.to_be_bytes()));
        kept.push(leaves[leaves.len() - 1]);
    }
}

#[test]
fn every_inclusion_proof_of_every_size_proves_its_leaf_and_no_other() {
    let kept = numbered(SIZES);
    for size in 1..=SIZES {
        let head = root(&kept, size).unwrap();
        for index in 0..size {
            let made = inclusion(&kept, index, size).unwrap();
            let leaf = kept.subtree(0, index).unwrap();
            verify_inclusion(&leaf, index, &head, &made).unwrap();
            for other in [index ^ 1, index + 1, size - 1 - index, size, u64::MAX].into_iter().filter(|i| *i != index) {
                verify_inclusion(&leaf, other, &head, &made).unwrap_err();
            }
            verify_inclusion(&kept.subtree(0, (index + 1) % SIZES).unwrap(), index, &head, &made).unwrap_err();
            verify_inclusion(&leaf, index, &TreeHead { root: leaf_of_nothing(), ..head }, &made).unwrap_err();
            let other_size = root(&kept, if size == SIZES { index } else { size + 1 }).unwrap();
            verify_inclusion(&leaf, index, &other_size, &made).unwrap_err();
            assert_eq!(inclusion(&kept, size, size), Err(ProveError::Beyond { size, wanted: size }));
        }
    }
}

#[test]
fn every_consistency_proof_of_every_pair_of_sizes_proves_that_pair_and_no_other() {
    let kept = numbered(SIZES);
    let heads: Vec<TreeHead> = (0..=SIZES).map(|size| root(&kept, size).unwrap()).collect();
    for new in &heads {
        for old in heads.iter().filter(|old| old.size <= new.size) {
            let made = consistency(&kept, old.size, new.size).unwrap();
            verify_consistency(old, new, &made).unwrap();
            let forged = |head: &TreeHead| TreeHead { root: leaf_of_nothing(), ..*head };
            assert!(verify_consistency(&forged(old), new, &made).is_err(), "{old} to {new}");
            assert!(old.size == 0 || verify_consistency(old, &forged(new), &made).is_err(), "{old} to {new}");
            if let Some(before) = old.size.checked_sub(1).and_then(|size| heads.get(usize::try_from(size).unwrap())) {
                let claimed = TreeHead { size: old.size, root: before.root };
                verify_consistency(&claimed, new, &made).unwrap_err();
            }
            if old.size < new.size {
                assert_eq!(verify_consistency(new, old, &made), Err(Mismatch::Size));
                assert!(consistency(&kept, new.size, old.size).is_err());
            }
        }
    }
}

#[test]
fn everything_begins_with_nothing_and_nothing_with_a_forged_nothing() {
    let kept = numbered(3);
    let (empty, three) = (TreeHead::empty(), root(&kept, 3).unwrap());
    assert_eq!(verify_consistency(&empty, &three, &Proof::default()), Ok(()));
    assert_eq!(verify_consistency(&empty, &empty, &Proof::default()), Ok(()));
    let forged = TreeHead { size: 0, root: three.root };
    assert_eq!(verify_consistency(&forged, &three, &Proof::default()), Err(Mismatch::Root));
    assert_eq!(verify_consistency(&empty, &forged, &Proof::default()), Err(Mismatch::Root));
    assert_eq!(verify_consistency(&forged, &forged, &Proof::default()), Err(Mismatch::Root));
    let padded = Proof::try_from(vec![three.root]).unwrap();
    for (old, new) in [(&empty, &three), (&three, &three)] {
        assert_eq!(verify_consistency(old, new, &padded), Err(Mismatch::Length));
    }
}

#[test]
fn a_proof_has_at_most_so_many_hashes() {
    assert!(Proof::try_from(vec![Digest::ZERO; MAX_PROOF]).is_ok());
    assert_eq!(Proof::try_from(vec![Digest::ZERO; MAX_PROOF + 1]), Err(TooLong));
    let written = |count| serde_json::to_string(&vec![Digest::ZERO; count]).unwrap();
    assert!(serde_json::from_str::<Proof>(&written(MAX_PROOF)).is_ok());
    assert!(serde_json::from_str::<Proof>(&written(MAX_PROOF + 1)).is_err());
}

#[test]
fn a_frontier_has_as_many_peaks_as_its_size_says() {
    for (size, peaks) in [(0, 0), (1, 1), (5, 2), (u64::MAX, 64)] {
        assert!(Frontier::new(size, vec![Digest::ZERO; peaks]).is_ok());
        assert_eq!(Frontier::new(size, vec![Digest::ZERO; peaks + 1]), Err(NotAFrontier { size }));
    }
    assert!(serde_json::from_str::<Frontier>(r#"{"size":"1","peaks":[]}"#).is_err());
}

#[test]
fn a_full_tree_takes_no_leaf_and_stays_as_it_was() {
    let mut full = Frontier::new(u64::MAX, vec![Digest::ZERO; 64]).unwrap();
    let before = full.clone();
    assert_eq!(full.append(Digest::ZERO, |_| {}), Err(Full));
    assert_eq!(full, before);
    let mut nearly = Frontier::new(u64::MAX - 1, vec![Digest::ZERO; 63]).unwrap();
    assert_eq!(nearly.append(Digest::ZERO, |_| {}), Ok(()));
    assert_eq!(nearly.head().size, u64::MAX);
}

/// A tree whose every subtree is there, whatever its size: only its arithmetic is looked at.
struct Endless;

impl Subtrees for Endless {
    type Error = Infallible;

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, Infallible> {
        assert!(index.checked_add(1).and_then(|next| u128::from(next).checked_shl(level)).is_some());
        Ok(Digest::of(&[level.to_be_bytes().as_slice(), &index.to_be_bytes()].concat()))
    }
}

#[test]
fn sizes_up_to_the_last_one_overflow_nothing() {
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, (1 << 63) + 1] {
        assert_eq!(root(&Endless, size).unwrap().root, Frontier::read(&Endless, size).unwrap().head().root);
        for index in [0, 1, size / 2, size - 1] {
            assert!(inclusion(&Endless, index, size).unwrap().hashes().len() <= 64);
            assert!(consistency(&Endless, index, size).unwrap().hashes().len() <= MAX_PROOF);
        }
    }
}

fn leaf_of_nothing() -> Digest {
    leaf(b"something else")
}

/// The same proof with one bit of it flipped.
fn flipped(proof: &Proof, bit: usize) -> Proof {
    let mut hashes: Vec<Digest> = proof.clone().into();
    let within = bit % 256;
    let at = (bit / 256).checked_rem(hashes.len()).unwrap();
    let mut bytes = *hashes[at].bytes();
    bytes[within / 8] ^= 1 << (within % 8);
    hashes[at] = Digest::from_bytes(bytes);
    Proof(hashes)
}

/// Proofs that are nearly this one.
fn bent(proof: &Proof, bit: usize) -> Vec<Proof> {
    let hashes = proof.hashes();
    let mut bent = vec![Proof([hashes, &[Digest::ZERO]].concat())];
    if let Some((last, rest)) = hashes.split_last() {
        bent.extend([flipped(proof, bit), Proof(rest.to_vec()), Proof([hashes, &[*last]].concat())]);
    }
    bent
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_bent_inclusion_proof_passes(size in 1_u64..=SIZES, index in any::<prop::sample::Index>(), bit in any::<usize>()) {
        let index = u64::try_from(index.index(usize::try_from(size).unwrap())).unwrap();
        let kept = numbered(size);
        let (head, leaf) = (root(&kept, size).unwrap(), kept.subtree(0, index).unwrap());
        let made = inclusion(&kept, index, size).unwrap();
        for bent in bent(&made, bit) {
            prop_assert!(verify_inclusion(&leaf, index, &head, &bent).is_err());
        }
    }

    #[test]
    fn no_bent_consistency_proof_passes(new in 1_u64..=SIZES, old in any::<prop::sample::Index>(), bit in any::<usize>()) {
        let old = u64::try_from(old.index(usize::try_from(new).unwrap())).unwrap().saturating_add(1);
        let kept = numbered(new);
        let (old_head, new_head) = (root(&kept, old).unwrap(), root(&kept, new).unwrap());
        let made = consistency(&kept, old, new).unwrap();
        for bent in bent(&made, bit) {
            prop_assert!(verify_consistency(&old_head, &new_head, &bent).is_err());
        }
    }

    #[test]
    fn rewritten_history_is_consistent_with_nothing(size in 2_u64..=SIZES, at in any::<prop::sample::Index>(), more in 0_u64..20) {
        let at = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let (honest, total) = (numbered(size), size.saturating_add(more));
        let forged = Kept::of((0..total).map(|n| if n == at { leaf(b"forged") } else { leaf(&n.to_be_bytes()) }));
        let claimed = root(&forged, total).unwrap();
        let made = consistency(&forged, size, total).unwrap();
        prop_assert!(verify_consistency(&honest.frontier.head(), &claimed, &made).is_err());
    }

    #[test]
    fn verifying_never_panics(old in any::<u64>(), new in any::<u64>(), count in 0..=MAX_PROOF) {
        let head = |size| TreeHead { size, root: Digest::ZERO };
        let proof = Proof(vec![Digest::ZERO; count]);
        let (consistent, included) =
            (verify_consistency(&head(old), &head(new), &proof), verify_inclusion(&Digest::ZERO, old, &head(new), &proof));
        prop_assert!(included.is_err() && (consistent.is_ok() == (old == new && count == 0 && old != 0)));
    }
}
