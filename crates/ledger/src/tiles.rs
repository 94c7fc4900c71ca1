//! The tree as it is kept: tiles of 256 hashes, of which the full ones never change.
//!
//! A tile of level 0 holds leaf hashes; one of level L holds the roots of full tiles of level L − 1. So a proof in a tree of
//! 2^20 leaves reads at most two tiles of each of its three levels, and appending touches one.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet};

use crate::tree::{Hash, Nodes, node_hash};

/// How many hashes a full tile holds.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// How many levels of the tree one level of tiles spans.
const TILE_HEIGHT: u32 = 8;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for leaf hashes.
    pub level: u8,
    /// Counted from the left.
    pub index: u64,
}

impl TileId {
    /// How many hashes the tile holds in a tree of `size` leaves.
    #[must_use]
    pub fn width_in(self, size: u64) -> usize {
        let hashes = size.checked_shr(shift(self.level)).unwrap_or_default();
        let width = hashes.saturating_sub(self.index.saturating_mul(WIDTH)).min(WIDTH);
        usize::try_from(width).unwrap_or(TILE_WIDTH)
    }
}

/// A tile that is needed and not at hand, or not as long as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {} of level {} is not there, or cut short", .0.index, .0.level)]
pub struct MissingTile(pub TileId);

/// Tiles at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tiles(BTreeMap<TileId, Vec<Hash>>);

/// Notes which tiles some work needs: run it over this, fetch them, and run it over [`Tiles`].
#[derive(Debug, Default)]
pub struct Wanted(RefCell<BTreeSet<TileId>>);

impl Wanted {
    /// The tiles that were asked for.
    #[must_use]
    pub fn into_ids(self) -> Vec<TileId> {
        self.0.into_inner().into_iter().collect()
    }
}

impl Nodes for Wanted {
    type Error = MissingTile;

    fn node(&self, level: u32, index: u64) -> Result<Hash, MissingTile> {
        self.0.borrow_mut().insert(Spot::of(level, index).tile);
        Ok([0; 32])
    }
}

impl Nodes for Tiles {
    type Error = MissingTile;

    fn node(&self, level: u32, index: u64) -> Result<Hash, MissingTile> {
        let spot = Spot::of(level, index);
        let hashes = self.0.get(&spot.tile).and_then(|tile| tile.get(spot.first..spot.first + spot.width));
        hashes.and_then(perfect_root).ok_or(MissingTile(spot.tile))
    }
}

impl Tiles {
    /// Puts a tile in from its stored bytes: its hashes one after the other, 32 to 8,192 bytes. Bytes of another length are
    /// no tile and are left out, so that whatever needs it says that it is missing.
    pub fn insert(&mut self, id: TileId, bytes: &[u8]) {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() && hashes.len() <= TILE_WIDTH {
            self.0.insert(id, hashes.to_vec());
        }
    }

    /// Appends leaf hashes to a tree of `size` leaves, whose tiles of [`edge`] are at hand: the tiles that are new or longer.
    ///
    /// # Errors
    /// [`MissingTile`] where one of the edge's is not at hand.
    pub fn append(mut self, size: u64, leaves: &[Hash]) -> Result<Vec<(TileId, Vec<u8>)>, MissingTile> {
        for id in edge(size) {
            let filled = id.width_in(size);
            let tile = self.0.get_mut(&id).filter(|tile| tile.len() >= filled).ok_or(MissingTile(id))?;
            tile.truncate(filled);
        }
        let mut changed = BTreeSet::new();
        for (index, leaf) in (size..).zip(leaves) {
            let mut id = TileId { level: 0, index: index / WIDTH };
            let mut hash = *leaf;
            loop {
                changed.insert(id);
                let tile = self.0.entry(id).or_default();
                tile.push(hash);
                if tile.len() < TILE_WIDTH {
                    break;
                }
                hash = perfect_root(tile).ok_or(MissingTile(id))?;
                id = TileId { level: id.level + 1, index: id.index / WIDTH };
            }
        }
        Ok(changed.into_iter().filter_map(|id| Some((id, self.0.get(&id)?.concat()))).collect())
    }
}

/// The tiles at the right edge of a tree of `size` leaves that are not full: what appending needs.
#[must_use]
pub fn edge(size: u64) -> Vec<TileId> {
    (0..=u8::MAX)
        .map_while(|level| size.checked_shr(shift(level)).filter(|filled| *filled > 0).map(|f| (level, f)))
        .filter(|(_, filled)| filled % WIDTH != 0)
        .map(|(level, filled)| TileId { level, index: filled / WIDTH })
        .collect()
}

/// Where a node's hashes stand.
struct Spot {
    tile: TileId,
    first: usize,
    width: usize,
}

impl Spot {
    fn of(level: u32, index: u64) -> Self {
        let within = level % TILE_HEIGHT;
        let first = index << within;
        Self {
            // There are 64 levels of nodes, so 8 of tiles.
            tile: TileId {
                level: u8::try_from(level / TILE_HEIGHT).unwrap_or(u8::MAX),
                index: first / WIDTH,
            },
            first: usize::try_from(first % WIDTH).unwrap_or(TILE_WIDTH),
            width: 1 << within,
        }
    }
}

const WIDTH: u64 = 1 << TILE_HEIGHT;

fn shift(level: u8) -> u32 {
    u32::from(level) * TILE_HEIGHT
}

/// The root over hashes whose number is a power of two.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        let (pairs, rest) = level.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        level = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level.first().copied()
}
