//! The tree against the standard's vectors, against the standard's own recursive definitions, and against what would fool it.

use proptest::prelude::*;

use super::*;
use crate::{TileId, Tiles, Wanted, tiles::edge};

/// The eight leaves that Certificate Transparency's own implementations test with.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// The roots of their first n.
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

/// RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// §2.1.1
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = naive_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m < k {
        [naive_path(m, left), vec![naive_root(right)]].concat()
    } else {
        [naive_path(m - k, right), vec![naive_root(left)]].concat()
    }
}

/// §2.1.2
fn naive_proof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if complete { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = naive_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m <= k {
        [naive_proof(m, left, complete), vec![naive_root(right)]].concat()
    } else {
        [naive_proof(m - k, right, false), vec![naive_root(left)]].concat()
    }
}

fn naive_split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// Tiles filled in batches of `batch`.
fn tiles(leaves: &[Hash], batch: usize) -> Tiles {
    let mut stored: std::collections::BTreeMap<TileId, Vec<u8>> = std::collections::BTreeMap::new();
    let mut size = 0;
    for batch in leaves.chunks(batch) {
        let mut at_hand = Tiles::default();
        for id in edge(size) {
            at_hand.insert(id, &stored[&id]);
        }
        stored.extend(at_hand.append(size, batch).unwrap());
        size += batch.len() as u64;
    }
    let mut tiles = Tiles::default();
    for (id, bytes) in &stored {
        tiles.insert(*id, bytes);
    }
    tiles
}

#[test]
fn the_published_roots_come_out() {
    let leaves: Vec<Hash> = LEAVES.iter().map(|hex| leaf_hash(&hex::decode(hex).unwrap())).collect();
    let tiles = tiles(&leaves, 3);
    let mut accumulator = Accumulator::default();
    assert_eq!(
        hex::encode(accumulator.root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (count, expected) in (1..).zip(ROOTS) {
        accumulator.push(leaves[count - 1]);
        assert_eq!(hex::encode(accumulator.root()), expected);
        assert_eq!(hex::encode(root(count as u64, &tiles).unwrap()), expected);
    }
}

#[test]
fn the_example_of_the_standard_comes_out() {
    // RFC 6962 §2.1.3: seven leaves, with the proofs spelled out in the names of its picture.
    let d = leaves(7);
    let [a, b, c, e, f, j] = [d[0], d[1], d[2], d[3], d[4], d[6]];
    let g = node_hash(&a, &b);
    let h = node_hash(&c, &e);
    let i = node_hash(&f, &d[5]);
    let k = node_hash(&g, &h);
    let l = node_hash(&i, &j);
    let tiles = tiles(&d, 7);
    let d_leaf = d[3];
    assert_eq!(inclusion_proof(0, 7, &tiles).unwrap(), [b, h, l]);
    assert_eq!(inclusion_proof(3, 7, &tiles).unwrap(), [c, g, l]);
    assert_eq!(inclusion_proof(4, 7, &tiles).unwrap(), [d[5], j, k]);
    assert_eq!(inclusion_proof(6, 7, &tiles).unwrap(), [i, k]);
    assert_eq!(consistency_proof(3, 7, &tiles).unwrap(), [c, d_leaf, g, l]);
    assert_eq!(consistency_proof(4, 7, &tiles).unwrap(), [l]);
    assert_eq!(consistency_proof(6, 7, &tiles).unwrap(), [i, j, k]);
}

#[test]
fn every_proof_of_every_small_tree_is_the_naive_one_and_holds_for_nothing_else() {
    let all = leaves(40);
    let tiles = tiles(&all, 7);
    let roots: Vec<Hash> = (0..=all.len()).map(|n| naive_root(&all[..n])).collect();
    for size in 1..=all.len() {
        for index in 0..size {
            let proof = inclusion_proof(index as u64, size as u64, &tiles).unwrap();
            assert_eq!(proof, naive_path(index, &all[..size]));
            let check = |leaf: &Hash, index: usize, size: usize, proof: &[Hash]| {
                check_inclusion(leaf, index as u64, size as u64, proof, &roots[size])
            };
            assert_eq!(check(&all[index], index, size, &proof), Ok(()));
            assert!(check(&all[(index + 1) % 40], index, size, &proof).is_err());
            assert!(check(&all[index], index + 1, size, &proof).is_err());
            assert!(check(&all[index], index, size, &[proof.clone(), vec![all[0]]].concat()).is_err());
            if let Some((_, cut)) = proof.split_last() {
                assert!(check(&all[index], index, size, cut).is_err());
            }
        }
        for from in 1..=size {
            let proof = consistency_proof(from as u64, size as u64, &tiles).unwrap();
            assert_eq!(proof, naive_proof(from, &all[..size], true));
            let check = |from: usize, root: &Hash, proof: &[Hash]| {
                check_consistency(from as u64, root, size as u64, &roots[size], proof)
            };
            assert_eq!(check(from, &roots[from], &proof), Ok(()));
            assert!(check(from, &roots[from - 1], &proof).is_err());
            assert!(check(from, &roots[from], &[proof.clone(), vec![all[0]]].concat()).is_err());
            if let Some((_, cut)) = proof.split_last() {
                assert!(check(from, &roots[from], cut).is_err());
            }
        }
    }
}

#[test]
fn a_proof_in_a_tree_of_2_to_the_40_leaves_asks_for_two_tiles_a_level() {
    let size = (1 << 40) - 1;
    for index in [0, 1, size / 2, size - 1] {
        let wanted = Wanted::default();
        let proof = inclusion_proof(index, size, &wanted).unwrap();
        assert_eq!(proof.len(), 40 - usize::from(index == size - 1));
        assert!(wanted.into_ids().len() <= 2 * 5);
    }
}

#[test]
fn a_missing_or_shortened_tile_is_named() {
    let all = leaves(600);
    let id = TileId { level: 0, index: 1 };
    let mut short = tiles(&all, 600);
    short.insert(id, &all[256..300].concat());
    assert_eq!(root(600, &short).unwrap(), naive_root(&all), "full tiles are read by their roots");
    assert_eq!(inclusion_proof(300, 600, &short).unwrap_err().0, id);
    let no_edge = Tiles::default();
    assert_eq!(no_edge.append(600, &all[..1]).unwrap_err().0, TileId { level: 0, index: 2 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn tiles_make_the_naive_trees_proofs(size in 1usize..1500, a in 0usize..1500, b in 0usize..1500, batch in 1usize..700) {
        let all = leaves(size);
        let tiles = tiles(&all, batch);
        let (a, b) = (a % size, b % size);
        let (low, high) = (a.min(b), a.max(b));
        let top = naive_root(&all);
        prop_assert_eq!(root(size as u64, &tiles).unwrap(), top);
        let path = inclusion_proof(a as u64, size as u64, &tiles).unwrap();
        prop_assert_eq!(&path, &naive_path(a, &all));
        prop_assert_eq!(check_inclusion(&all[a], a as u64, size as u64, &path, &top), Ok(()));
        let proof = consistency_proof(low as u64 + 1, size as u64, &tiles).unwrap();
        prop_assert_eq!(&proof, &naive_proof(low + 1, &all, true));
        let old = naive_root(&all[..=low]);
        prop_assert_eq!(check_consistency(low as u64 + 1, &old, size as u64, &top, &proof), Ok(()));

        let (left, right) = around_range(low as u64, high as u64, size as u64, &tiles).unwrap();
        let mut accumulator = Accumulator::from_peaks(low as u64, left).unwrap();
        all[low..=high].iter().for_each(|leaf| accumulator.push(*leaf));
        prop_assert_eq!(accumulator.root_with(size as u64, &right), Ok(top));
        let more = [right, vec![top]].concat();
        prop_assert!(accumulator.root_with(size as u64, &more).is_err());
    }
}
