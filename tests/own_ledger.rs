//! A ledger made by hand, with keys of its own: what an operator, a thief or a forger could hand to a verifier.

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{
    Algorithm, ClassicalSecret, Context, MessageRepresentative, PqSecret, Prehash, PublicKey, Signature,
    SigningInput,
};
use ledger::{
    Bundle, Checkpoint, CheckpointBody, Entry, Event, EventType, Json, LedgerEvidence, LineageKey,
    LoggedEntry, NO_ENTRY, Party, Receipt, SUCCESSION_TYPE, SigningKey, Statement, Succession, TileId, Tiles,
    sha256, tree,
};
use serde_json::{Value, json};

/// A hybrid key with both secrets at hand.
pub(crate) struct OwnKey {
    pub(crate) id: String,
    pub(crate) public: PublicKey,
    pq: PqSecret,
    classical: ClassicalSecret,
}

impl OwnKey {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        let seed = |half: &str| sha256(format!("{id} {half}").as_bytes());
        let pq = PqSecret::from_bytes(algorithm.pq(), &seed("pq")).unwrap();
        let classical = ClassicalSecret::from_bytes(algorithm.classical(), &seed("classical")).unwrap();
        let public = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
        Self { id: id.to_owned(), public, pq, classical }
    }

    pub(crate) fn sign(&self, input: &SigningInput) -> Vec<u8> {
        let pq = self.pq.sign(input).unwrap();
        let classical = self.classical.sign(input).unwrap();
        Signature::assemble(self.public.algorithm(), &pq, &classical).unwrap().to_bytes()
    }

    pub(crate) fn party(&self) -> Party {
        Party::new(&self.id, &self.public)
    }
}

/// An organisation's ledger, kept by whoever has its keys.
pub(crate) struct OwnLedger {
    pub(crate) org: String,
    /// Oldest first; the last one seals.
    pub(crate) keys: Vec<OwnKey>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) successions: Vec<(Statement, Vec<u8>, Vec<u8>, u64)>,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl OwnLedger {
    pub(crate) fn new(org: &str) -> Self {
        let key = OwnKey::new(&format!("key_{org}_ledger"), Algorithm::MlDsa65Ed25519);
        let created =
            json!({"kind": "ledger", "keyId": key.id, "fingerprint": hex::encode(key.public.fingerprint())});
        let mut ledger = Self {
            org: org.to_owned(),
            keys: vec![key],
            entries: Vec::new(),
            successions: Vec::new(),
            checkpoints: Vec::new(),
        };
        ledger.append(EventType::KeyCreated, None, created);
        ledger
    }

    /// Appends an event, and tells its place.
    pub(crate) fn append(
        &mut self,
        event_type: EventType,
        subject: Option<&str>,
        data: impl Into<Value>,
    ) -> u64 {
        let seq = self.entries.len() as u64;
        let event = Event {
            id: format!("evt_{seq:026}"),
            org: self.org.clone(),
            event_type,
            actor_id: "apk_1".into(),
            subject_id: subject.map(str::to_owned),
            issued_at: format!("2026-01-01T00:00:00.{:03}Z", seq % 1000),
            data: serde_json::from_value::<Json>(data.into()).unwrap(),
        };
        let previous = match self.entries.last() {
            Some(last) => digest(&last.entry_hash_hex),
            None => NO_ENTRY,
        };
        self.entries.push(Entry::place(&event, seq, &previous).0);
        seq
    }

    pub(crate) fn leaves(&self) -> Vec<tree::Hash> {
        self.entries.iter().map(|entry| tree::leaf_hash(&digest(&entry.entry_hash_hex))).collect()
    }

    pub(crate) fn tiles(&self) -> Tiles {
        let mut tiles = Tiles::default();
        for (id, bytes) in Tiles::default().append(0, &self.leaves()).unwrap() {
            tiles.insert(id, &bytes);
        }
        // A tree of one leaf has its tile as well.
        assert!(
            self.entries.is_empty() || tree::root(1, &tiles).is_ok(),
            "{:?}",
            TileId { level: 0, index: 0 }
        );
        tiles
    }

    /// Signs the first `size` entries with the newest key.
    pub(crate) fn seal(&mut self, size: u64) -> Checkpoint {
        let checkpoint = self.checkpoint_by(self.keys.last().unwrap(), size);
        self.checkpoints.push(checkpoint.clone());
        checkpoint
    }

    pub(crate) fn checkpoint_by(&self, key: &OwnKey, size: u64) -> Checkpoint {
        let root = tree::root(size, &self.tiles()).unwrap();
        let issued = "2026-01-02T00:00:00.000Z";
        let body = CheckpointBody { org: &self.org, tree_size: size, root: &root, issued };
        Checkpoint {
            tree_size: size,
            merkle_root_hex: hex::encode(root),
            signature_base64: STANDARD.encode(key.sign(&body.signing_input(key.public.algorithm()))),
            signing_key_id: key.id.clone(),
            created_at: issued.into(),
        }
    }

    /// Has the newest ledger key followed by one of a name.
    pub(crate) fn rotate(&mut self, name: &str) {
        let new = OwnKey::new(name, Algorithm::MlDsa65Ed25519);
        let old = self.keys.pop().unwrap();
        let link = self.log_succession(&old, &new);
        self.successions.push(link);
        self.keys.extend([old, new]);
    }

    /// Both sign, and the ledger logs it.
    pub(crate) fn log_succession(
        &mut self,
        old: &OwnKey,
        new: &OwnKey,
    ) -> (Statement, Vec<u8>, Vec<u8>, u64) {
        let statement = statement(&self.org, old, new);
        let sign = |key: &OwnKey| key.sign(&statement.signing_input(key.public.algorithm()));
        let (vouched, possessed) = (sign(old), sign(new));
        let seq = self.append(EventType::KeyRotated, Some(&old.id), json!(statement.event_data()));
        (statement, vouched, possessed, seq)
    }

    pub(crate) fn logged(&self, seq: u64, size: u64) -> LoggedEntry {
        let entry = self.entries[usize::try_from(seq).unwrap()].clone();
        let proof = tree::inclusion_proof(seq, size, &self.tiles()).unwrap();
        LoggedEntry {
            leaf_index: seq,
            leaf_hash_hex: hex::encode(tree::leaf_hash(&digest(&entry.entry_hash_hex))),
            proof_hex: proof.iter().map(hex::encode).collect(),
            tree_size: size,
            entry,
        }
    }

    pub(crate) fn link(&self, link: &(Statement, Vec<u8>, Vec<u8>, u64), size: u64) -> Succession {
        Succession {
            statement: link.0.clone(),
            predecessor_signature_base64: STANDARD.encode(&link.1),
            successor_signature_base64: STANDARD.encode(&link.2),
            proof: Some(self.logged(link.3, size)),
        }
    }

    pub(crate) fn evidence(&self) -> LedgerEvidence {
        let checkpoint = self.checkpoints.last().unwrap().clone();
        let size = checkpoint.tree_size;
        LedgerEvidence {
            signing_keys: self.keys.iter().map(|key| SigningKey::new(&key.id, &key.public)).collect(),
            successions: self.successions.iter().map(|link| self.link(link, size)).collect(),
            checkpoint,
        }
    }

    /// The whole ledger, up to its newest checkpoint.
    pub(crate) fn bundle(&self) -> Bundle {
        let evidence = self.evidence();
        let size = usize::try_from(evidence.checkpoint.tree_size).unwrap();
        Bundle {
            version: 1,
            org: self.org.clone(),
            generated_at: "2026-01-03T00:00:00.000Z".into(),
            entries: self.entries[..size].to_vec(),
            checkpoints: self.checkpoints.clone(),
            signing_keys: evidence.signing_keys,
            successions: evidence.successions,
            range: None,
        }
    }

    /// Signs a payload and logs it: the receipt, once the ledger is sealed, and the signature.
    pub(crate) fn issue(&mut self, key: &OwnKey, payload: &[u8]) -> (u64, Vec<u8>) {
        let algorithm = key.public.algorithm();
        let prehash = Prehash::derive(algorithm, payload);
        let input = SigningInput::user(algorithm, &Context::default(), &prehash).unwrap();
        let signature = key.sign(&input);
        let data = json!({
            "algorithm": algorithm, "contextBase64": "", "fingerprint": hex::encode(key.public.fingerprint()),
            "keyId": key.id, "metadata": {}, "payloadSha256": hex::encode(sha256(payload)),
            "payloadSize": payload.len(), "ph": hex::encode(prehash.as_bytes()),
            "phAlg": algorithm.prehash().id(), "signatureSha256": hex::encode(sha256(&signature)),
        });
        (self.append(EventType::SignatureIssued, Some(&key.id), data), signature)
    }

    pub(crate) fn receipt(&self, key: &OwnKey, seq: u64, signature: &[u8]) -> Receipt {
        let ledger = self.evidence();
        let size = ledger.checkpoint.tree_size;
        Receipt {
            v: 1,
            org: self.org.clone(),
            key_id: key.id.clone(),
            signature_base64: Some(STANDARD.encode(signature)),
            keys: vec![lineage_key(key)],
            successions: Vec::new(),
            issued: self.logged(seq, size),
            revoked: None,
            ledger,
        }
    }
}

pub(crate) fn statement(org: &str, old: &OwnKey, new: &OwnKey) -> Statement {
    Statement {
        org: org.into(),
        predecessor: old.party(),
        rotated_at: "2026-01-01T00:00:00.000Z".into(),
        successor: new.party(),
        kind: SUCCESSION_TYPE.into(),
    }
}

pub(crate) fn lineage_key(key: &OwnKey) -> LineageKey {
    LineageKey { id: key.id.clone(), public_key: key.public.to_json() }
}

pub(crate) fn digest(hex: &str) -> tree::Hash {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// Whether a signature over a message in any context verifies.
pub(crate) fn verifies(key: &PublicKey, context: &[u8], payload: &[u8], signature: &[u8]) -> bool {
    let algorithm = key.algorithm();
    let context = Context::new(context.to_vec()).unwrap();
    let message = MessageRepresentative::derive(algorithm, &context, &Prehash::derive(algorithm, payload));
    Signature::from_bytes(algorithm, signature)
        .is_ok_and(|signature| composite::verify(key, &message, &signature).ok())
}
