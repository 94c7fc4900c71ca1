//! No signature leaves before its event is durable, and none leaves once its key is revoked: a store that fails, or that
//! sees a revocation at the worst moment, is put in the way.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ledger::EventType;
use serde_json::json;
use vault::{
    Timestamp,
    store::{IssuedDigest, Record, Store, StoreError, Tombstone},
};

use crate::{
    in_process::Vault,
    interposed::{Interposed, Interposer, down},
};

/// Misbehaves around the commit of a signature, once `armed`.
struct Faulty {
    store: Arc<dyn Store>,
    fault: Fault,
    armed: Arc<AtomicBool>,
    /// Whose revocation comes at the worst moment.
    victim: Arc<OnceLock<Tombstone>>,
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
    /// The revocation is acknowledged before this returns.
    async fn revoke(&self) {
        self.store.revoke(self.victim.get().unwrap(), Record::default()).await.unwrap();
    }
}

#[async_trait]
impl Interposer for Faulty {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        match (self.fault, call) {
            (Fault::CommitFails, "record")
            | (Fault::WithholdFails, "withhold")
            | (Fault::EventsFail, "append") => Err(down()),
            (Fault::RevokedBeforeCommit, "record") => {
                self.revoke().await;
                Ok(())
            }
            // A status that is read before the commit, or beside it, is still the old one.
            (Fault::StatusUnreadable, "status") if self.committed.load(Ordering::SeqCst) => Err(down()),
            _ => Ok(()),
        }
    }

    async fn after(&self, call: &'static str) -> Result<(), StoreError> {
        if !self.armed.load(Ordering::SeqCst) || call != "record" {
            return Ok(());
        }
        self.committed.store(true, Ordering::SeqCst);
        match self.fault {
            Fault::CommitsAnswerIsLost => Err(down()),
            Fault::RevokedAfterCommit | Fault::WithholdFails => {
                self.revoke().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A vault with the fault in it, its key, and what arms the fault.
async fn vault_with(fault: Fault) -> (Vault, String, Arc<AtomicBool>) {
    let (armed, victim) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
    let (arm, whose) = (armed.clone(), victim.clone());
    let vault = Vault::over(|store| {
        let faulty = Faulty { store: store.clone(), fault, armed, victim, committed: AtomicBool::new(false) };
        Interposed::over(store, Arc::new(faulty))
    })
    .await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let record = vault.store.key(&vault.org, &key.parse().unwrap()).await.unwrap().unwrap();
    let fingerprint = hex::encode(record.public_key.fingerprint());
    let tombstone = Tombstone { org: record.org, key: record.id, fingerprint, revoked_at: Timestamp::now() };
    whose.set(tombstone).unwrap();
    (vault, key, arm)
}

/// Signs once under the fault: status, code, and the events of the signature that the store then has.
async fn sign_under(fault: Fault) -> (u16, String, Vec<EventType>, bool) {
    let (vault, key, armed) = vault_with(fault).await;
    armed.store(true, Ordering::SeqCst);
    let (status, body) = vault.sign(&key).await;
    assert!(body["data"].is_null(), "something left: {body}");
    let events = vault.events().await.split_off(3);
    let digest =
        [composite::Prehash::derive(composite::Algorithm::MlDsa44Ed25519, b"hello").as_bytes()].concat();
    let digest = IssuedDigest(ledger::sha256(&digest));
    let issued = vault.store.is_issued(&vault.org, &key.parse().unwrap(), &digest).await.unwrap();
    let types = events.iter().map(|event| event.event_type).collect();
    if let [first, second] = events.as_slice() {
        assert_eq!(json!(second.data), json!({"eventId": first.id, "keyId": key}));
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
    let (vault, key, armed) = vault_with(Fault::EventsFail).await;
    let (_, signed) = vault.sign(&key).await;
    let check = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["data"]["signature"]});
    armed.store(true, Ordering::SeqCst);
    let (status, body) = vault.call("/v1/verify", Some(&check)).await;
    assert_eq!((status, &body["code"]), (503, &json!("store_unavailable")));
    armed.store(false, Ordering::SeqCst);
    let (status, body) = vault.call("/v1/verify", Some(&check)).await;
    assert_eq!((status, &body["data"]["ok"]), (200, &json!(true)));
}
