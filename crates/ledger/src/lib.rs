//! The audit ledger's formats, and the verifiers that believe none of them.
//!
//! In scope: an [`Event`] and its [`Entry`] in the hash chain, the rule for what callers
//! put into events ([`Content`]), the Merkle tree (RFC 6962, [`tree`]) and the [`Tiles`] that it is kept in, a
//! [`Checkpoint`], the [`Succession`] of one key by another, a [`Bundle`] and its ranges, a [`Lineage`] and a [`Receipt`].
//!
//! Every verifier answers with the first thing that is wrong, by its place, or with what was checked and what was
//! [`Anchored`] by what the verifier knew before ([`Pins`]).
//!
//! Out of scope: who may write, where anything is kept, clocks, randomness and anything asynchronous. The crate builds for
//! `wasm32-unknown-unknown`.

mod bundle;
mod bundle_verifier;
mod checkpoint;
mod content;
mod document;
mod entry;
mod event;
mod evidence;
mod findings;
mod hexes;
mod lineage;
mod pins;
mod proof;
mod receipt;
mod succession;
mod tiles;
pub mod tree;

pub use bundle::{BUNDLE_VERSION, Bundle, BundleError, BundleFault, BundleVerified, Part, Range};
pub use bundle_verifier::BundleVerifier;
pub use canonical_json::{Json, JsonError, Object};
pub use checkpoint::{Checkpoint, CheckpointBody, CheckpointError, SigningKey};
pub use content::{Content, ContentError, MAX_DEPTH, Payload};
pub use document::{Document, Malformed, Members, without_envelope};
pub use entry::{Entry, EntryError, Fields, LoggedEntry, LoggedError, NO_ENTRY, entry_hash};
pub use event::{Event, EventType};
pub use evidence::{Anchored, CheckpointEvidence, Consistency, EvidenceError, Ledger, LedgerEvidence};
pub use lineage::{Lineage, LineageError, LineageKey, LineageVerified};
pub use pins::{CheckpointPin, Known, LedgerPin, PINS_VERSION, Pins};
pub use proof::{ConsistencyProof, InclusionProof, TreeHead};
pub use receipt::{RECEIPT_VERSION, Receipt, ReceiptError, ReceiptVerified, Revocation, Signed};
pub use succession::{Line, LineError, LinkError, Party, SUCCESSION_TYPE, Statement, Succession};
pub use tiles::{MissingTile, TILE_WIDTH, TileId, Tiles, Wanted, edge};
pub use tree::sha256;
