//! Which signatures were issued.

use async_trait::async_trait;
use vault::{
    id::{KeyId, OrgId},
    store::{Commit, Issued, IssuedDigest, IssuedRecord, Record, SignatureWrites, Slot, StoreError},
};

use crate::{
    DynamoStore,
    connection::Range,
    item::Item,
    replies,
    tables::{Key, Table, of_key},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Issued for DynamoStore {
    async fn is_issued(&self, org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> Result<bool, StoreError> {
        let (pk, mut found) = (partition(org, key, digest), false);
        let range = Range { pk: &pk, page: Some(1), ..Range::default() };
        self.query(Table::Issued, range, |_| {
            found = true;
            false
        })
        .await?;
        Ok(found)
    }
}

#[async_trait]
impl SignatureWrites for DynamoStore {
    /// It does not look at the key: a condition on one item would set all signers of a key against each other. Whoever
    /// releases a signature reads the key's status afterwards.
    async fn record(&self, issued: &IssuedRecord, record: Record) -> Result<Commit, StoreError> {
        let mut t = Transaction::new(self);
        t.make(Table::Issued, &place(issued), Item::new())?;
        t.record(&record)?;
        t.commit().await??;
        Ok(Commit::Done)
    }

    async fn withhold(
        &self,
        issued: &IssuedRecord,
        answer: Option<&Slot>,
        record: Record,
    ) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        if let Some(slot) = answer {
            let key = replies::place(slot);
            t.delete(Table::Replies, &key, "attribute_not_exists(#replayed)", &[], Refused::Replayed)?;
        }
        t.delete(Table::Issued, &place(issued), "", &[], Refused::NotAsExpected)?;
        t.record(&record)?;
        match t.commit().await? {
            Ok(()) | Err(Refused::Replayed) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }
}

fn place(issued: &IssuedRecord) -> Key {
    Key::new(partition(&issued.org, &issued.key, &issued.digest), issued.event.as_str())
}

fn partition(org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> String {
    format!("{}#{}", of_key(org, key), hex::encode(digest.0))
}
