//! A bundle checked page by page: each as it comes, each after the one before.

use std::collections::{BTreeMap, VecDeque};

use canonical_json::Json;

use crate::{
    Anchored, Bundle, BundleError, BundleFault, BundleVerified, Entry, EvidenceError, Fields, Ledger,
    NO_ENTRY, Part, Pins, Range,
    bundle::BUNDLE_VERSION,
    hexes::{self, HexError},
    tree::{Accumulator, Hash, leaf_hash},
};

/// Checks a bundle page by page: each as it comes, each after the one before.
pub struct BundleVerifier {
    pins: Pins,
    state: Option<State>,
}

struct State {
    since: u64,
    previous: Hash,
    tree: Accumulator,
    /// The newest checkpoint, and what makes it believable.
    ledger: Ledger,
    /// Roots that the entries must come to, and at which size, the smallest first.
    expected: VecDeque<(u64, Hash)>,
    /// Keys that were followed, and by which entry.
    followed: BTreeMap<String, u64>,
    /// The largest pinned checkpoint that the entries came to.
    pinned: Option<u64>,
}

impl BundleVerifier {
    /// A verifier that has seen nothing.
    #[must_use]
    pub const fn new(pins: Pins) -> Self {
        Self { pins, state: None }
    }

    /// How many entries were checked so far, up to the next expected place.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.tree.size())
    }

    /// Checks the next page. After an error the verifier is where it was.
    ///
    /// # Errors
    /// [`BundleError`]: the first thing that is wrong.
    pub fn page(&mut self, bundle: &Bundle) -> Result<(), BundleError> {
        let next = page(&self.pins, self.state.as_ref(), bundle)?;
        self.state = Some(next);
        Ok(())
    }

    /// What was found.
    ///
    /// # Errors
    /// [`BundleError`] where there was no page, or the pins tell of more than there is.
    pub fn finish(self) -> Result<BundleVerified, BundleError> {
        let state = self.state.ok_or_else(|| bad(Part::Bundle, BundleFault::Checkpoints(0)))?;
        let ledger = &state.ledger;
        let mut anchored = Anchored { checkpoint: state.pinned, ..Anchored::default() };
        for pin in self.pins.ledgers.iter().filter(|pin| pin.org == ledger.org) {
            anchored.ledger |= ledger.is_anchored_by(&pin.fingerprint);
            let seen = pin.checkpoint.as_ref().map_or(0, |seen| seen.tree_size);
            if seen > ledger.tree_size {
                let rolled_back = EvidenceError::RolledBack { pinned: seen, found: ledger.tree_size };
                return Err(bad(Part::Bundle, rolled_back.into()));
            }
        }
        Ok(BundleVerified {
            org: ledger.org.clone(),
            ledger_fingerprint: ledger.signer_fingerprint(),
            since: state.since,
            entries: state.tree.size() - state.since,
            tree_size: ledger.tree_size,
            root: ledger.root,
            complete: state.since == 0 && state.tree.size() == ledger.tree_size && state.expected.is_empty(),
            anchored,
        })
    }
}

fn page(pins: &Pins, before: Option<&State>, bundle: &Bundle) -> Result<State, BundleError> {
    let whole = |fault| bad(Part::Bundle, fault);
    if bundle.version != BUNDLE_VERSION {
        return Err(whole(BundleFault::Version(bundle.version)));
    }
    if before.is_some_and(|state| state.ledger.org != bundle.org) {
        return Err(whole(BundleFault::Org));
    }
    let count = bundle.checkpoints.len();
    let newest = bundle.checkpoints.last().ok_or_else(|| whole(BundleFault::Checkpoints(count)))?;
    if bundle.range.as_ref().is_some_and(|range| count != 1 || range.tree_size != newest.tree_size) {
        return Err(whole(BundleFault::Checkpoints(count)));
    }
    if !bundle.checkpoints.iter().is_sorted_by(|a, b| a.tree_size < b.tree_size) {
        return Err(whole(BundleFault::CheckpointOrder));
    }
    let ledger = Ledger::check(&bundle.org, newest, &bundle.signing_keys, &bundle.successions)
        .map_err(|why| whole(why.into()))?;

    let mut state = begin(before, bundle, ledger)?;
    let start = state.tree.size();
    state.meet_pins(pins, start, state.tree.root())?;
    state.meet_pins(pins, state.ledger.tree_size, state.ledger.root)?;
    for checkpoint in &bundle.checkpoints {
        let part = || Part::Checkpoint(checkpoint.tree_size);
        let root = state.ledger.check_older(checkpoint).map_err(|why| bad(part(), why.into()))?;
        state.expect(checkpoint.tree_size, root).map_err(|fault| bad(part(), fault))?;
    }
    for entry in &bundle.entries {
        state.take(entry, pins)?;
    }
    let newest = state.ledger.tree_size;
    let right = match &bundle.range {
        Some(range) => hexes::parse_all(&range.right_hex)
            .map_err(|HexError| bad(Part::Range, BundleFault::Field("rightHex")))?,
        None => Vec::new(),
    };
    match state.tree.root_with(newest, &right) {
        Ok(root) if root == state.ledger.root => Ok(state),
        Ok(_) => Err(bad(Part::Checkpoint(newest), BundleFault::Root)),
        Err(why) => Err(bad(Part::Range, BundleFault::Around(why))),
    }
}

/// Where the page begins, checked against where the one before ended.
fn begin(before: Option<&State>, bundle: &Bundle, ledger: Ledger) -> Result<State, BundleError> {
    let found = u64::try_from(bundle.entries.len()).unwrap_or(u64::MAX);
    let next = before.map_or(0, |state| state.tree.size());
    let expected = match &bundle.range {
        Some(range) if range.since <= range.until && range.until < range.tree_size => {
            range.until - range.since + 1
        }
        Some(_) => return Err(bad(Part::Range, BundleFault::Field("until"))),
        // Without a range it is whole, or the empty page after the last one.
        None => ledger.tree_size.saturating_sub(next),
    };
    if found != expected {
        return Err(bad(Part::Bundle, BundleFault::Entries { expected, found }));
    }
    if let Some(before) = before {
        check_keys(before, &ledger)?;
    }
    let state = match (before, &bundle.range) {
        (Some(state), _) => State {
            ledger,
            previous: state.previous,
            tree: state.tree.clone(),
            expected: state.expected.clone(),
            followed: state.followed.clone(),
            ..*state
        },
        (None, None) => State::new(ledger, 0, NO_ENTRY, Accumulator::default()),
        (None, Some(range)) => {
            let (previous, left) = range.around()?;
            let tree = Accumulator::from_peaks(range.since, left)
                .map_err(|why| bad(Part::Range, BundleFault::Around(why)))?;
            State::new(ledger, range.since, previous, tree)
        }
    };
    if let Some(range) = &bundle.range {
        if range.since != state.tree.size() {
            let fault = BundleFault::Next { expected: state.tree.size(), found: range.since };
            return Err(bad(Part::Range, fault));
        }
        let (previous, left) = range.around()?;
        if previous != state.previous || (range.since == 0 && previous != NO_ENTRY) {
            return Err(bad(Part::Range, BundleFault::Field("prevHashHex")));
        }
        if Accumulator::from_peaks(range.since, left).as_ref() != Ok(&state.tree) {
            return Err(bad(Part::Range, BundleFault::Field("leftHex")));
        }
    }
    Ok(state)
}

/// A page's ledger keys begin as those of the pages before, and say of every ledger key that was followed until then that it
/// was, and by which entry.
fn check_keys(before: &State, ledger: &Ledger) -> Result<(), BundleError> {
    let continued = before.ledger.line.keys().eq(ledger.line.keys().take(before.ledger.line.keys().count()));
    if !continued {
        return Err(bad(Part::Bundle, BundleFault::OtherKeys));
    }
    for (key, seq) in &before.followed {
        check_followed(ledger, key, *seq).map_err(|fault| bad(Part::Bundle, fault))?;
    }
    Ok(())
}

fn check_followed(ledger: &Ledger, key: &str, seq: u64) -> Result<(), BundleFault> {
    match ledger.line.reign(key) {
        Some((_, until)) if until != Some(seq) => Err(BundleFault::FollowedUnseen(seq)),
        _ => Ok(()),
    }
}

impl Range {
    fn around(&self) -> Result<(Hash, Vec<Hash>), BundleError> {
        let field = |name| move |HexError| bad(Part::Range, BundleFault::Field(name));
        Ok((
            hexes::parse(&self.prev_hash_hex).map_err(field("prevHashHex"))?,
            hexes::parse_all(&self.left_hex).map_err(field("leftHex"))?,
        ))
    }
}

impl State {
    const fn new(ledger: Ledger, since: u64, previous: Hash, tree: Accumulator) -> Self {
        Self {
            since,
            previous,
            tree,
            ledger,
            expected: VecDeque::new(),
            followed: BTreeMap::new(),
            pinned: None,
        }
    }

    /// A checkpoint whose size the entries are still to come to is kept until they do. One of a size that they have passed
    /// was either met then, or lies before a range, where nothing can be said of it.
    fn expect(&mut self, size: u64, root: Hash) -> Result<(), BundleFault> {
        if size == self.tree.size() && root != self.tree.root() {
            return Err(BundleFault::Root);
        }
        if size > self.tree.size() {
            match self.expected.binary_search_by_key(&size, |(size, _)| *size) {
                Ok(at) if self.expected.get(at) != Some(&(size, root)) => return Err(BundleFault::Root),
                Ok(_) => {}
                Err(at) => self.expected.insert(at, (size, root)),
            }
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry, pins: &Pins) -> Result<(), BundleError> {
        let seq = self.tree.size();
        let part = |fault| bad(Part::Entry(seq), fault);
        let (fields, hash) =
            entry.check_at(&self.ledger.org, seq, &self.previous).map_err(|why| part(why.into()))?;
        self.judge(&fields).map_err(part)?;
        self.previous = hash;
        self.tree.push(leaf_hash(&hash));

        let size = self.tree.size();
        if let Some((_, root)) = self.expected.pop_front_if(|(expected, _)| *expected == size)
            && root != self.tree.root()
        {
            return Err(bad(Part::Checkpoint(size), BundleFault::Root));
        }
        self.meet_pins(pins, size, self.tree.root())
    }

    /// Compares a tree that the entries came to, or that the newest checkpoint says they come to, with those that were seen.
    fn meet_pins(&mut self, pins: &Pins, size: u64, root: Hash) -> Result<(), BundleError> {
        for pin in pins.ledgers.iter().filter(|pin| pin.org == self.ledger.org) {
            let Some(seen) = pin.checkpoint.as_ref().filter(|seen| seen.tree_size == size) else { continue };
            if seen.root != root {
                return Err(bad(Part::Bundle, EvidenceError::Forked(size).into()));
            }
            // Anyone can continue a tree that is known, by a key of their own.
            if self.ledger.is_anchored_by(&pin.fingerprint) {
                self.pinned = self.pinned.max(Some(size));
            }
        }
        Ok(())
    }

    /// What an entry may not say, although it hashes.
    fn judge(&mut self, fields: &Fields<'_>) -> Result<(), BundleFault> {
        let text = |name: &str| fields.data.get(name).and_then(Json::as_str);
        if fields.seq == 0 {
            let first = self.ledger.line.keys().next().map(|(_, key)| hex::encode(key.fingerprint()));
            let is_first = fields.event_type == "key.created"
                && text("kind") == Some("ledger")
                && text("fingerprint") == first.as_deref();
            if !is_first {
                return Err(BundleFault::FirstEntry);
            }
        }
        if fields.event_type == "key.rotated" {
            let predecessor = fields.subject_id.unwrap_or_default();
            if self.followed.insert(predecessor.to_owned(), fields.seq).is_some() {
                return Err(BundleFault::Fork);
            }
            check_followed(&self.ledger, predecessor, fields.seq)?;
        }
        Ok(())
    }
}

const fn bad(part: Part, why: BundleFault) -> BundleError {
    BundleError { part, why }
}
