//! Kept answers: one idempotency key, one effect.

use async_trait::async_trait;

use super::StoreError;
use crate::{
    Timestamp,
    id::{KeyId, OrgId, TokenId},
};

/// Keeps answers for retries.
#[async_trait]
pub trait Replies: Send + Sync {
    /// Begins a call: it is the only one until its lease is released or over, or it is told what became of the call before
    /// it. What has expired is as if it had never been.
    async fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<Begin, StoreError>;

    /// Deletes what has expired.
    async fn purge(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Gives up a lease under which no answer was kept. One that was taken over is not the caller's to give up.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Marks a kept answer as replayed: it may leave from now on. `false` where there is none any more.
    async fn mark_replayed(&self, slot: &Slot) -> Result<bool, StoreError>;

    /// Forgets a kept answer that must not leave.
    async fn forget(&self, slot: &Slot) -> Result<(), StoreError>;
}

/// Whose idempotency key, for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The organisation.
    pub org: OrgId,
    /// The token that was presented.
    pub token: TokenId,
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The key that the caller chose.
    pub key: String,
}

/// A call with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where its answer is kept.
    pub slot: Slot,
    /// SHA-256 of the raw body.
    pub body: [u8; 32],
}

/// The right to be the one call of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Where the answer is to be kept.
    pub slot: Slot,
    /// Another whenever the lease is given, so that whoever had it before commits nothing. Below 2^63.
    pub fence: u64,
}

/// What became of the call before, if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// None, or none that got anywhere: this call is the one.
    Run(Lease),
    /// It is running.
    InProgress,
    /// It had another body.
    OtherBody,
    /// It was answered.
    Answered(StoredAnswer),
}

/// An answer to keep, and under which lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The lease.
    pub lease: Lease,
    /// The answer.
    pub answer: StoredAnswer,
}

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAnswer {
    /// It leaves again, byte for byte.
    Data {
        /// JSON.
        json: Vec<u8>,
        /// The key without which it may not leave: the one that signed.
        signer: Option<KeyId>,
    },
    /// It held a secret, which is shown once.
    Secret {
        /// The id of what was made.
        id: String,
    },
}

/// How long an answer is kept.
pub const KEPT_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// How long a call may run before another may take over.
pub const LEASE_MILLIS: u64 = 60 * 1000;
