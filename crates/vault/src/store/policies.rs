//! Policies, as stores keep them.

use async_trait::async_trait;

use super::{Record, StoreError};
use crate::{
    Error, Timestamp,
    error::IntegrityFault,
    id::{OrgId, PolicyId},
    policies::PolicyRecord,
};

/// Reads policies.
#[async_trait]
pub trait Policies: Send + Sync {
    /// All of an organisation's, oldest first; there are at most [`MAX_POLICIES`]. One that the vault would not have written is
    /// among them, by its id.
    async fn policies(&self, org: &OrgId) -> Result<Vec<StoredPolicy>, StoreError>;
}

/// Changes policies.
#[async_trait]
pub trait PolicyWrites: Send + Sync {
    /// The policy, unless the organisation has [`MAX_POLICIES`].
    async fn create_policy(&self, policy: &PolicyRecord, record: Record) -> Result<Making, StoreError>;

    /// The policy in place of the one of its id that was last changed when `replaces` says; `false`, and nothing is written, where
    /// there is no such one.
    async fn replace_policy(
        &self,
        policy: &PolicyRecord,
        replaces: Timestamp,
        record: Record,
    ) -> Result<bool, StoreError>;

    /// The end of a policy, one that cannot be read too; `false`, and nothing is written, where there is none.
    async fn delete_policy(&self, org: &OrgId, policy: &PolicyId, record: Record)
    -> Result<bool, StoreError>;
}

/// A policy's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// `pol_…`
    pub id: PolicyId,
    /// What it says, or the column that the vault would not have written.
    pub row: Result<PolicyRecord, &'static str>,
}

/// How making a policy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// It is durable.
    Done,
    /// There are as many as there may be; nothing was written.
    TooMany,
}

impl StoredPolicy {
    /// The policy.
    ///
    /// # Errors
    /// [`Error::PolicyUnreadable`].
    pub(crate) fn into_record(self) -> Result<PolicyRecord, Error> {
        let unreadable =
            |column| Error::PolicyUnreadable { policy: self.id, source: IntegrityFault::Column(column) };
        self.row.map_err(unreadable)
    }
}

/// How many policies an organisation may have: all of them are read at every signature.
pub const MAX_POLICIES: usize = 100;
