//! The tree, its proofs and the signed notes against vectors that others published.
//!
//! Sources: the reference tree of Certificate Transparency (`merkle_tree_test` of
//! google/certificate-transparency, repeated in transparency-dev/merkle), the example tree of
//! RFC 6962 §2.1.3, and the note of golang.org/x/mod/sumdb/note.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests.

use audit::Hash;
use audit::merkle::{Frontier, empty_root, leaf_hash, node_hash};
use audit::note::{Checkpoint, VerifierKey};
use audit::proof::{Gather, Node, Plan, verify_consistency, verify_inclusion};
use audit::tile::{self, Index, Kind, Path, TileReader};

const CT_LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const CT_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const N96: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const N5F: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const N6B: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const NBC: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const NCA: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const N0E: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

fn ct_leaves() -> Vec<Hash> {
    CT_LEAVES
        .iter()
        .map(|hex| leaf_hash(&hex::decode(hex).unwrap()))
        .collect()
}

/// `count` leaves that are easy to tell apart.
fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.append(*leaf));
    frontier.root()
}

/// MTH of RFC 6962 §2.1, written as the definition is.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&defined_root(&leaves[..k]), &defined_root(&leaves[k..]))
        }
    }
}

fn proof(plan: &Plan, leaves: &[Hash]) -> Vec<Hash> {
    let mut reader = |node: Node| {
        let start = (node.index << node.level) as usize;
        Ok(defined_root(&leaves[start..start + (1 << node.level)]))
    };
    plan.proof(&mut reader).unwrap()
}

#[test]
fn roots_of_the_ct_reference_tree() {
    assert_eq!(root(&[]), empty_root());
    let leaves = ct_leaves();
    for (size, expected) in (1..).zip(CT_ROOTS) {
        assert_eq!(hex::encode(root(&leaves[..size])), expected, "size {size}");
    }
}

#[test]
fn inclusion_proofs_of_the_ct_reference_tree() {
    let leaves = ct_leaves();
    let cases: [(u64, usize, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[N96, N5F, N6B]),
        (5, 8, &[NBC, NCA, CT_ROOTS[3]]),
        (2, 3, &[CT_ROOTS[1]]),
        (1, 5, &[CT_ROOTS[0], N5F, NBC]),
    ];
    for (index, size, expected) in cases {
        let plan = Plan::inclusion(index, size as u64).unwrap();
        let ours: Vec<String> = proof(&plan, &leaves[..size])
            .iter()
            .map(hex::encode)
            .collect();
        assert_eq!(ours, expected, "leaf {index} of {size}");
    }
}

#[test]
fn consistency_proofs_of_the_ct_reference_tree() {
    let leaves = ct_leaves();
    let cases: [(u64, usize, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[N96, N5F, N6B]),
        (6, 8, &[N0E, NCA, CT_ROOTS[3]]),
        (2, 5, &[N5F, NBC]),
    ];
    for (old, new, expected) in cases {
        let plan = Plan::consistency(old, new as u64).unwrap();
        let ours: Vec<String> = proof(&plan, &leaves[..new])
            .iter()
            .map(hex::encode)
            .collect();
        assert_eq!(ours, expected, "{old} in {new}");
    }
}

/// The tree of seven leaves of RFC 6962 §2.1.3, by the names that it gives its nodes.
#[test]
fn proofs_of_the_example_in_rfc_6962() {
    let d = leaves(7);
    let (a, b, c, f, j) = (d[0], d[1], d[2], d[5], d[6]);
    let g = node_hash(&a, &b);
    let h = node_hash(&c, &d[3]);
    let i = node_hash(&d[4], &f);
    let k = node_hash(&g, &h);
    let l = node_hash(&i, &j);
    assert_eq!(root(&d), node_hash(&k, &l));
    let inclusion = |index| proof(&Plan::inclusion(index, 7).unwrap(), &d);
    assert_eq!(inclusion(0), [b, h, l]);
    assert_eq!(inclusion(3), [c, g, l]);
    assert_eq!(inclusion(4), [f, j, k]);
    assert_eq!(inclusion(6), [i, k]);
    let consistency = |old| proof(&Plan::consistency(old, 7).unwrap(), &d);
    assert_eq!(consistency(3), [c, d[3], g, l]);
    assert_eq!(consistency(4), [l]);
    assert_eq!(consistency(6), [i, j, k]);
}

#[test]
fn every_proof_holds_and_no_altered_one_does() {
    let all = leaves(40);
    for size in 1..=all.len() {
        let tree = &all[..size];
        let top = root(tree);
        assert_eq!(top, defined_root(tree));
        for (index, leaf) in tree.iter().enumerate() {
            let (index, size) = (index as u64, size as u64);
            let path = proof(&Plan::inclusion(index, size).unwrap(), tree);
            verify_inclusion(leaf, index, size, &path, &top).unwrap();
            assert!(verify_inclusion(leaf, index + 1, size, &path, &top).is_err());
            assert!(verify_inclusion(&top, index, size, &path, &leaf_hash(b"x")).is_err());
            for cut in altered(&path) {
                assert!(verify_inclusion(leaf, index, size, &cut, &top).is_err());
            }
        }
        for old in 0..=size {
            let before = (old as u64, &root(&all[..old]));
            let now = (size as u64, &top);
            let path = proof(&Plan::consistency(old as u64, size as u64).unwrap(), tree);
            verify_consistency(before, now, &path).unwrap();
            if old == 0 {
                // Every tree begins with the empty one.
                continue;
            }
            assert!(verify_consistency((before.0, &leaf_hash(b"x")), now, &path).is_err());
            assert!(verify_consistency(before, (now.0, &leaf_hash(b"x")), &path).is_err());
            for cut in altered(&path) {
                assert!(
                    verify_consistency(before, now, &cut).is_err(),
                    "{old} in {size}"
                );
            }
        }
    }
}

/// A proof with one hash changed, one left out, or one added.
fn altered(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[proof, &[leaf_hash(b"more")]].concat()];
    for place in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[place][31] ^= 1;
        all.push(changed);
        let mut shorter = proof.to_vec();
        shorter.remove(place);
        all.push(shorter);
    }
    all
}

#[test]
fn a_frontier_survives_storage_and_refuses_what_is_not_one() {
    let mut frontier = Frontier::new();
    for leaf in leaves(300) {
        let stored = frontier.encode();
        assert_eq!(Frontier::decode(&stored).unwrap(), frontier);
        assert!(Frontier::decode(&stored[..stored.len() - 1]).is_err());
        assert!(Frontier::decode(&[&stored[..], &[0; 32]].concat()).is_err());
        frontier.append(leaf);
    }
    assert_eq!(frontier.size(), 300);
}

#[test]
fn proofs_come_the_same_from_tiles_from_the_index_and_from_one_pass() {
    let size = 70_000;
    let all = leaves(size);
    let mut index = Index::new();
    all.iter().for_each(|leaf| index.push(*leaf).unwrap());
    let mut tiles = TileReader::new(size, |path: Path| match path.kind {
        Kind::Hashes(0) => {
            let range = path.entries();
            Ok(all[range.start as usize..range.end as usize]
                .as_flattened()
                .to_vec())
        }
        _ => Ok(index.tile(path).unwrap()),
    });
    let plans = [0, 1, 255, 256, 65_535, 65_536, 69_999]
        .map(|leaf| Plan::inclusion(leaf, size).unwrap())
        .into_iter()
        .chain([1, 256, 300, 65_536, 69_888].map(|old| Plan::consistency(old, size).unwrap()));
    for plan in plans {
        let mut pass = Gather::new(&plan);
        all.iter().for_each(|leaf| pass.append(*leaf));
        let from_tiles = plan.proof(&mut tiles).unwrap();
        assert_eq!(from_tiles, plan.proof(&mut pass).unwrap());
        assert_eq!(from_tiles, proof(&plan, &all));
    }
}

#[test]
fn tile_paths_are_those_of_c2sp_and_have_one_spelling() {
    let path = |kind, index, width| Path { kind, index, width };
    let cases = [
        ("tile/0/000", path(Kind::Hashes(0), 0, 256)),
        (
            "tile/0/x001/x234/067",
            path(Kind::Hashes(0), 1_234_067, 256),
        ),
        ("tile/1/x001/234.p/8", path(Kind::Hashes(1), 1234, 8)),
        ("tile/entries/999.p/255", path(Kind::Entries, 999, 255)),
        ("certificates/x001/000", path(Kind::Certificates, 1000, 256)),
    ];
    for (text, path) in cases {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse::<Path>().unwrap(), path);
    }
    for bad in [
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/08",
        "tile/0/x001/x234",
        "tile/0/../checkpoint",
        "tile/256/001",
        "tile/entries/é01",
    ] {
        assert!(bad.parse::<Path>().is_err(), "{bad}");
    }
}

#[test]
fn a_tree_has_the_tiles_that_c2sp_says() {
    // C2SP tlog-tiles: the example of a tree of 70,000 entries.
    let size = 70_000;
    let shape: Vec<(u64, Option<u16>)> = Path::levels(size)
        .map(|level| {
            let all: Vec<Path> = Path::all(Kind::Hashes(level), size).collect();
            let full = all.iter().filter(|path| path.width == 256).count();
            let partial = all
                .last()
                .map(|path| path.width)
                .filter(|width| *width < 256);
            (full as u64, partial)
        })
        .collect();
    assert_eq!(shape, [(273, Some(112)), (1, Some(17)), (0, Some(1))]);
    assert_eq!(Path::levels(0).count(), 0);
    assert_eq!(Path::levels(255), 0..1);
    assert_eq!(Path::levels(256), 0..2);
    assert!(tile::fold(&leaves(3)).is_err());
}

const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn the_note_of_the_go_implementation_opens() {
    let key: VerifierKey = NEUMANN.parse().unwrap();
    assert_eq!(key.to_string(), NEUMANN);
    assert_eq!(key.open(NEUMANN_NOTE).unwrap().lines().count(), 2);
    let other = format!("{NEUMANN_NOTE}— somebody.else AAAAAAAA\n");
    assert!(
        key.open(&other).is_ok(),
        "signatures of others are passed over"
    );
    for bad in [
        NEUMANN_NOTE.replace("think", "thing"),
        NEUMANN_NOTE.replace("\n\n", "\n"),
        NEUMANN_NOTE.trim_end().to_owned(),
        NEUMANN_NOTE.replace("JnAM=", "JnAN="),
        NEUMANN_NOTE.replace("— P", "- P"),
        NEUMANN_NOTE.replace("— PeterNeumann", "— EnochRoot"),
    ] {
        assert!(key.open(&bad).is_err(), "{bad}");
    }
    for bad in [
        "PeterNeumann+c74f20a4",
        "Peter+Neumann+c74f20a3+AAAA",
        "",
        "a b+00000000+AQ==",
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
}

#[test]
fn r36_no_byte_of_a_checkpoint_can_have_another_value() {
    let (key, sign) = log_key();
    let checkpoint = Checkpoint {
        origin: key.name().to_owned(),
        size: 70_000,
        root: leaf_hash(b"root"),
    };
    let note = checkpoint.sign(&key, sign).unwrap();
    assert_eq!(Checkpoint::open(&note, &key).unwrap(), checkpoint);
    let mut bytes = note.into_bytes();
    for place in 0..bytes.len() {
        let right = bytes[place];
        for wrong in (0..=255).filter(|wrong| *wrong != right) {
            bytes[place] = wrong;
            let opens =
                std::str::from_utf8(&bytes).is_ok_and(|note| Checkpoint::open(note, &key).is_ok());
            assert!(!opens, "byte {place} may be {wrong:#04x}");
        }
        bytes[place] = right;
    }
}

fn log_key() -> (VerifierKey, impl Fn(&[u8]) -> Result<Vec<u8>, audit::Error>) {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let key = VerifierKey::new("ward.hospital.example/log", public).unwrap();
    (key, move |message: &[u8]| {
        Ok(pair.sign(message).as_ref().to_vec())
    })
}
