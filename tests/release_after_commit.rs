//! No signature leaves before its event is durable, and none leaves once its key is revoked: a store that fails, or that
//! sees a revocation at the worst moment, is put in the way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ledger::{Event, EventType};
use serde_json::json;
use vault::{
    id::{KeyId, OrgId},
    record_tag::KekId,
    store::{
        ActiveKey, Commit, EventWrites, Intake, Issued, IssuedDigest, IssuedRecord, KeyFilter, KeyRecord,
        KeyStatus, KeyWrites, Keys, NewOrg, OrgRecord, OrgWrites, Orgs, Record, Rewrapping, SealedHalves,
        SealedRecord, SignatureWrites, Store, StoreError, TokenRecord, Tokens,
    },
    token::TokenHash,
};

use crate::in_process::Vault;

/// A store that misbehaves around the commit of a signature, once `armed`.
struct Faulty {
    inner: Arc<dyn Store>,
    fault: Fault,
    armed: Arc<AtomicBool>,
    /// Whether a signature's commit has come back from the store beneath.
    committed: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// The commit fails and nothing is written.
    CommitFails,
    /// The commit is written, and its answer is lost.
    CommitsAnswerIsLost,
    /// The status cannot be read after the commit.
    StatusUnreadable,
    /// The key is revoked between the commit and the reading of its status.
    RevokedAfterCommit,
    /// The same, and then the signature cannot be withheld.
    WithholdFails,
    /// The key is revoked between the first reading and the commit.
    RevokedBeforeCommit,
    /// Events that stand alone cannot be written.
    EventsFail,
}

impl Faulty {
    fn over(inner: Arc<dyn Store>, fault: Fault, armed: Arc<AtomicBool>) -> Arc<dyn Store> {
        Arc::new(Self { inner, fault, armed, committed: AtomicBool::new(false) })
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault && self.armed.load(Ordering::SeqCst)
    }
}

fn down() -> StoreError {
    StoreError::Unavailable("injected".into())
}

#[async_trait]
impl SignatureWrites for Faulty {
    async fn record(&self, issued: &IssuedRecord, record: Record) -> Result<Commit, StoreError> {
        if self.is(Fault::CommitFails) {
            return Err(down());
        }
        if self.is(Fault::RevokedBeforeCommit) {
            return Ok(Commit::KeyRevoked);
        }
        let commit = self.inner.record(issued, record).await?;
        self.committed.store(true, Ordering::SeqCst);
        if self.is(Fault::CommitsAnswerIsLost) { Err(down()) } else { Ok(commit) }
    }

    async fn withhold(&self, issued: &IssuedRecord, record: Record) -> Result<(), StoreError> {
        if self.is(Fault::WithholdFails) {
            return Err(down());
        }
        self.inner.withhold(issued, record).await
    }
}

#[async_trait]
impl Keys for Faulty {
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.inner.key(org, key).await
    }

    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
        // A status that is read before the commit, or beside it, is still the old one.
        let committed = self.committed.load(Ordering::SeqCst);
        if self.is(Fault::StatusUnreadable) && committed {
            return Err(down());
        }
        if (self.is(Fault::RevokedAfterCommit) || self.is(Fault::WithholdFails)) && committed {
            return Ok(Some(KeyStatus::Revoked));
        }
        self.inner.status(org, key).await
    }

    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.list(org, filter).await
    }
}

#[async_trait]
impl EventWrites for Faulty {
    async fn append(&self, record: Record) -> Result<(), StoreError> {
        if self.is(Fault::EventsFail) { Err(down()) } else { self.inner.append(record).await }
    }
}

#[async_trait]
impl Orgs for Faulty {
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError> {
        self.inner.org(org).await
    }
    async fn any_org(&self) -> Result<bool, StoreError> {
        self.inner.any_org().await
    }
}

#[async_trait]
impl Tokens for Faulty {
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        self.inner.token(hash).await
    }
}

#[async_trait]
impl SealedHalves for Faulty {
    async fn sealed(&self, org: &OrgId, key: &KeyId) -> Result<SealedRecord, StoreError> {
        self.inner.sealed(org, key).await
    }
}

#[async_trait]
impl Issued for Faulty {
    async fn is_issued(&self, org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> Result<bool, StoreError> {
        self.inner.is_issued(org, key, digest).await
    }
}

#[async_trait]
impl Intake for Faulty {
    async fn events(&self, org: &OrgId) -> Result<Vec<Event>, StoreError> {
        self.inner.events(org).await
    }
}

#[async_trait]
impl OrgWrites for Faulty {
    async fn create_org(&self, org: NewOrg, record: Record) -> Result<(), StoreError> {
        self.inner.create_org(org, record).await
    }
}

#[async_trait]
impl KeyWrites for Faulty {
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError> {
        self.inner.create(key, sealed, record).await
    }
}

#[async_trait]
impl Rewrapping for Faulty {
    async fn active_keys(
        &self,
        after: Option<(&OrgId, &KeyId)>,
        limit: usize,
    ) -> Result<Vec<ActiveKey>, StoreError> {
        self.inner.active_keys(after, limit).await
    }
    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError> {
        self.inner.kek_use().await
    }
    async fn rewrap(&self, from: &KeyRecord, to: &KeyRecord) -> Result<bool, StoreError> {
        self.inner.rewrap(from, to).await
    }
}

/// Signs once under the fault: status, code, and the events of the signature that the store then has.
async fn sign_under(fault: Fault) -> (u16, String, Vec<EventType>, bool) {
    let armed = Arc::new(AtomicBool::new(false));
    let handle = armed.clone();
    let vault = Vault::over(|inner| Faulty::over(inner, fault, handle)).await;
    let key = vault.create_key("mldsa44+ed25519").await;
    armed.store(true, Ordering::SeqCst);
    let (status, body) = vault.sign(&key).await;
    assert!(body["data"].is_null(), "something left: {body}");
    let events = vault.store.events(&vault.org).await.unwrap().split_off(3);
    let digest =
        [composite::Prehash::derive(composite::Algorithm::MlDsa44Ed25519, b"hello").as_bytes()].concat();
    let digest = IssuedDigest(ledger::sha256(&digest));
    let issued = vault.store.is_issued(&vault.org, &key.parse().unwrap(), &digest).await.unwrap();
    let types = events.iter().map(|event| event.event_type).collect();
    if let [first, second] = events.as_slice() {
        assert_eq!(second.data, json!({"eventId": first.id, "keyId": key}));
    }
    (status, body["code"].as_str().unwrap_or_default().to_owned(), types, issued)
}

#[tokio::test]
async fn a_commit_that_fails_releases_nothing() {
    let (status, code, events, issued) = sign_under(Fault::CommitFails).await;
    assert_eq!((status, code.as_str(), issued), (503, "store_unavailable", false));
    assert!(events.is_empty(), "{events:?}");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_releases_nothing() {
    let (status, code, events, issued) = sign_under(Fault::CommitsAnswerIsLost).await;
    assert_eq!((status, code.as_str(), issued), (503, "store_unavailable", true));
    assert_eq!(
        events,
        [EventType::SignatureIssued],
        "committed: it may have left, as far as the ledger knows"
    );
}

#[tokio::test]
async fn a_status_that_cannot_be_read_releases_nothing() {
    let (status, code, events, _) = sign_under(Fault::StatusUnreadable).await;
    assert_eq!((status, code.as_str()), (503, "store_unavailable"));
    assert_eq!(events, [EventType::SignatureIssued]);
}

#[tokio::test]
async fn a_signature_whose_key_is_revoked_after_its_commit_is_withheld() {
    let (status, code, events, issued) = sign_under(Fault::RevokedAfterCommit).await;
    assert_eq!((status, code.as_str(), issued), (409, "key_revoked", false));
    assert_eq!(events, [EventType::SignatureIssued, EventType::SignatureWithheld]);
}

#[tokio::test]
async fn a_signature_that_cannot_be_withheld_still_does_not_leave() {
    let (status, code, events, _) = sign_under(Fault::WithholdFails).await;
    assert_eq!((status, code.as_str()), (503, "store_unavailable"));
    assert_eq!(events, [EventType::SignatureIssued]);
}

#[tokio::test]
async fn a_signature_whose_key_is_revoked_before_its_commit_is_not_committed() {
    let (status, code, events, issued) = sign_under(Fault::RevokedBeforeCommit).await;
    assert_eq!((status, code.as_str(), issued), (409, "key_revoked", false));
    assert_eq!(events, [EventType::SignatureRefused]);
}

#[tokio::test]
async fn a_check_that_cannot_be_written_down_is_not_answered() {
    let armed = Arc::new(AtomicBool::new(false));
    let handle = armed.clone();
    let vault = Vault::over(|inner| Faulty::over(inner, Fault::EventsFail, handle)).await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let (_, signed) = vault.sign(&key).await;
    let check = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["data"]["signature"]});
    armed.store(true, Ordering::SeqCst);
    let (status, body) = vault.call("/v1/verify", Some(&check)).await;
    assert_eq!((status, &body["code"]), (503, &json!("store_unavailable")));
    armed.store(false, Ordering::SeqCst);
    let (status, body) = vault.call("/v1/verify", Some(&check)).await;
    assert_eq!((status, &body["data"]["ok"]), (200, &json!(true)));
}
