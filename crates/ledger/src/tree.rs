//! The Merkle tree of RFC 6962 §2.1 over entry hashes: its hashes, its proofs, and how they are checked.
//!
//! Nothing here keeps hashes. What makes a proof is handed [`Nodes`], which knows the roots of complete subtrees; what
//! checks one needs none.

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Where the roots of complete subtrees come from.
pub trait Nodes {
    /// Why one is not to be had.
    type Error;

    /// The root of the subtree over the leaves `index · 2^level ..  (index + 1) · 2^level`, all of which exist.
    ///
    /// # Errors
    /// Whatever keeps it from being had.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// A proof that does not show what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The numbers alone cannot be: an index outside the tree, or a tree that shrank.
    #[error("the proof is for a leaf or a tree that cannot be")]
    Range,
    /// More or fewer hashes than the tree's shape has.
    #[error("the proof has another number of hashes than the tree's shape asks for")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hash of a leaf: SHA-256(0x00 ‖ data). The ledger's data are entry hashes.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0x00]).chain_update(data).finalize().into()
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree of the first `size` leaves (§2.1).
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes + ?Sized>(size: u64, nodes: &N) -> Result<Hash, N::Error> {
    if size == 0 { Ok(sha256(b"")) } else { range_root(0, size, nodes) }
}

/// The audit path of a leaf in the tree of the first `size` leaves (§2.1.1), lowest first. The leaf must be in the tree.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion_proof<N: Nodes + ?Sized>(index: u64, size: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high.saturating_sub(low) > 1 && (low..high).contains(&index) {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(middle, high, nodes)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, nodes)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `from` leaves is a beginning of the tree of the first `to` (§2.1.2). From nothing,
/// and to itself, it is empty.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency_proof<N: Nodes + ?Sized>(from: u64, to: u64, nodes: &N) -> Result<Vec<Hash>, N::Error> {
    if from == 0 || from >= to {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, to);
    let mut proof = Vec::new();
    // The old tree's root is known to the verifier as long as it is a node of the new tree from the very left.
    while from != high {
        let middle = low + split(high - low);
        if from <= middle {
            proof.push(range_root(middle, high, nodes)?);
            high = middle;
        } else {
            proof.push(range_root(low, middle, nodes)?);
            low = middle;
        }
    }
    if low != 0 {
        proof.push(range_root(low, high, nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The roots of the maximal nodes of the tree of `size` leaves that lie wholly before `since`, and of those wholly after
/// `until`, each from left to right. `since ≤ until < size`.
///
/// # Errors
/// Those of `nodes`.
pub fn around_range<N: Nodes + ?Sized>(
    since: u64,
    until: u64,
    size: u64,
    nodes: &N,
) -> Result<(Vec<Hash>, Vec<Hash>), N::Error> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut todo = vec![(0, size)];
    while let Some((low, high)) = todo.pop() {
        if low >= high || (low >= since && high <= until + 1) {
            continue;
        }
        if high <= since {
            left.push(range_root(low, high, nodes)?);
        } else if low > until {
            right.push(range_root(low, high, nodes)?);
        } else {
            let middle = low + split(high - low);
            todo.push((middle, high));
            todo.push((low, middle));
        }
    }
    Ok((left, right))
}

/// Checks an audit path (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn check_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Range);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2). From nothing everything follows, by an empty proof.
///
/// # Errors
/// [`ProofError`].
pub fn check_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::Range);
    }
    if from == 0 || from == to {
        let same = if from == 0 { *from_root == sha256(b"") } else { from_root == to_root };
        return match (proof.is_empty(), same) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::Root),
            (false, _) => Err(ProofError::Length),
        };
    }
    let mut hashes = proof.iter();
    let first = if from.is_power_of_two() { from_root } else { hashes.next().ok_or(ProofError::Length)? };
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    match (last, old == *from_root && new == *to_root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// A tree that is only ever appended to, as the roots of the complete subtrees that it is made of, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accumulator {
    size: u64,
    peaks: Vec<Hash>,
}

impl Accumulator {
    /// The tree of the first `size` leaves, of which only the roots of the maximal nodes are known.
    ///
    /// # Errors
    /// [`ProofError::Length`] where `size` leaves have another number of maximal nodes.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, ProofError> {
        if usize::try_from(size.count_ones()) == Ok(peaks.len()) {
            Ok(Self { size, peaks })
        } else {
            Err(ProofError::Length)
        }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
            None => sha256(b""),
        }
    }

    /// The root of a larger tree that it is the beginning of, given the roots of the maximal nodes after it.
    ///
    /// # Errors
    /// [`ProofError`] where `size` is smaller or `right` has another number of hashes.
    pub fn root_with(&self, size: u64, right: &[Hash]) -> Result<Hash, ProofError> {
        if size < self.size {
            return Err(ProofError::Range);
        }
        if size == self.size {
            return if right.is_empty() { Ok(self.root()) } else { Err(ProofError::Length) };
        }
        let mut known = self.peaks.iter().chain(right);
        let root = self.fold(0, size, &mut known)?;
        if known.next().is_some() { Err(ProofError::Length) } else { Ok(root) }
    }

    fn fold<'a>(
        &self,
        low: u64,
        high: u64,
        known: &mut impl Iterator<Item = &'a Hash>,
    ) -> Result<Hash, ProofError> {
        if high <= self.size || low >= self.size {
            return known.next().copied().ok_or(ProofError::Length);
        }
        let middle = low + split(high - low);
        let left = self.fold(low, middle, known)?;
        Ok(node_hash(&left, &self.fold(middle, high, known)?))
    }
}

/// The largest power of two below `n`, which is at least 2.
const fn split(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// The root over the leaves `low..high`, a node of the tree.
fn range_root<N: Nodes + ?Sized>(low: u64, high: u64, nodes: &N) -> Result<Hash, N::Error> {
    let width = high - low;
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return nodes.node(level, low >> level);
    }
    let middle = low + split(width);
    Ok(node_hash(&range_root(low, middle, nodes)?, &range_root(middle, high, nodes)?))
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
