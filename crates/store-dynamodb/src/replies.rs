//! Kept answers.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{error::ProvideErrorMetadata, operation::put_item::PutItemError};
use vault::{
    Timestamp, random,
    store::{
        Attempt, Begin, KEPT_MILLIS, LEASE_MILLIS, Lease, Replies, Reply, Slot, StoreError, StoredAnswer,
    },
};

use crate::{
    DynamoStore,
    connection::{Pause, unavailable},
    item::{self, Corrupt, Item, bytes, number, set, text},
    rows::corrupt,
    tables::{Key, Table},
    transaction::{Refused, Transaction, names},
};

#[async_trait]
impl Replies for DynamoStore {
    async fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<Begin, StoreError> {
        self.check_identity().await?;
        let (key, now) = (place(&attempt.slot), now.as_millis());
        let mut pause = Pause::begin();
        loop {
            let found = self.get(Table::Replies, &key).await?;
            let row = found.as_ref().map(parse).transpose().map_err(|name| corrupt(None, name))?;
            // Deletion of what has expired may be late by days, so it is judged here.
            let row = row.filter(|row| row.expires_at > now);
            match &row {
                Some(row) if row.body != attempt.body => return Ok(Begin::OtherBody),
                Some(Row { answer: Some(answer), .. }) => return Ok(Begin::Answered(answer.clone())),
                Some(row) if row.lease_until > now => return Ok(Begin::InProgress),
                Some(_) | None => {}
            }
            // Random, not counted: an item that was released and made anew must not bring an old fence back.
            let fence = u64::from_be_bytes(random::generate().map_err(unavailable)?) >> 1;
            let mut item = key.item();
            set(&mut item, "body", bytes(&attempt.body));
            set(&mut item, "fence", number(fence));
            set(&mut item, "lease_until", number(now.saturating_add(LEASE_MILLIS)));
            let expires_at = row.as_ref().map_or(now.saturating_add(KEPT_MILLIS), |row| row.expires_at);
            set(&mut item, "expires_at", number(expires_at));
            set(&mut item, "ttl", number(expires_at.div_ceil(1000)));
            let call =
                self.client().put_item().table_name(self.table_name(Table::Replies)).set_item(Some(item));
            // On condition that the item is as it was read, or not there. What has expired may be anything.
            let condition = match (&found, &row) {
                (None, _) => "attribute_not_exists(pk)",
                (Some(_), None) => "#fence = :before",
                (Some(_), Some(_)) => UNANSWERED,
            };
            let before =
                found.as_ref().map(|item| item::count(item, "fence").map_err(|name| corrupt(None, name)));
            let before =
                before.transpose()?.map(|fence| HashMap::from([(":before".to_owned(), number(fence))]));
            let call = call
                .condition_expression(condition)
                .set_expression_attribute_names(names(&[condition]))
                .set_expression_attribute_values(before);
            match call.send().await {
                Ok(_) => return Ok(Begin::Run(Lease { slot: attempt.slot.clone(), fence })),
                Err(failed)
                    if failed
                        .as_service_error()
                        .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
                {
                    // Another was first, or an attempt of this call of which it never heard.
                    let is = self.get(Table::Replies, &key).await?;
                    if is.and_then(|item| item::count(&item, "fence").ok()) == Some(fence) {
                        return Ok(Begin::Run(Lease { slot: attempt.slot.clone(), fence }));
                    }
                    pause.rest().await?;
                }
                // A transaction has the item: the next look sees what it left.
                Err(failed) if failed.code() == Some("TransactionConflictException") => pause.rest().await?,
                Err(failed) => return Err(unavailable(failed)),
            }
        }
    }

    async fn purge(&self, _: Timestamp) -> Result<(), StoreError> {
        // The table deletes what has expired by itself.
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        let before = [("before", number(lease.fence))];
        t.delete(Table::Replies, &place(&lease.slot), UNANSWERED, &before, Refused::LeaseLost)?;
        match t.commit_unchecked().await? {
            Ok(()) | Err(Refused::LeaseLost) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    async fn mark_replayed(&self, slot: &Slot) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        t.update(
            Table::Replies,
            &place(slot),
            "SET #replayed = :yes",
            "attribute_exists(#answer)",
            &[("yes", item::flag(true))],
            Refused::NotAsExpected,
        )?;
        t.commit_if_expected().await
    }

    async fn forget(&self, slot: &Slot) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        t.delete(Table::Replies, &place(slot), "", &[], Refused::NotAsExpected)?;
        Ok(t.commit().await??)
    }
}

/// The lease is the one that it was, and nothing was kept under it.
const UNANSWERED: &str =
    "#fence = :before AND attribute_not_exists(#answer) AND attribute_not_exists(#secret_id)";

/// Keeps an answer under its lease; where that was taken over, the whole transaction fails.
pub(crate) fn keep(t: &mut Transaction<'_>, reply: &Reply) -> Result<(), StoreError> {
    let mut values = vec![("before", number(reply.lease.fence))];
    let change = match &reply.answer {
        StoredAnswer::Data { json, signer: None } => {
            values.push(("answer", bytes(json)));
            "SET #answer = :answer"
        }
        StoredAnswer::Data { json, signer: Some(signer) } => {
            values.extend([("answer", bytes(json)), ("signer", text(signer.as_str()))]);
            "SET #answer = :answer, #signer = :signer"
        }
        StoredAnswer::Secret { id } => {
            values.push(("secret_id", text(id)));
            "SET #secret_id = :secret_id"
        }
    };
    t.update(Table::Replies, &place(&reply.lease.slot), change, UNANSWERED, &values, Refused::LeaseLost)
}

/// Of any length and with any characters, where a partition key may have 2,048 bytes.
pub(crate) fn place(slot: &Slot) -> Key {
    let Slot { org, token, method, path, key } = slot;
    let parts = [org.as_str(), token.as_str(), method, path, key];
    let parts = ledger::Json::from(parts.map(ledger::Json::from).to_vec());
    Key::alone(hex::encode(ledger::sha256(parts.to_canonical().as_bytes())))
}

struct Row {
    body: [u8; 32],
    lease_until: u64,
    expires_at: u64,
    answer: Option<StoredAnswer>,
}

fn parse(item: &Item) -> Result<Row, Corrupt> {
    let answer = match (item::blob_or_none(item, "answer")?, item::find(item, "secret_id")?) {
        (Some(json), _) => {
            Some(StoredAnswer::Data { json: json.to_vec(), signer: item::parsed_or_none(item, "signer")? })
        }
        (None, Some(id)) => Some(StoredAnswer::Secret { id: id.to_owned() }),
        (None, None) => None,
    };
    Ok(Row {
        body: item::array(item, "body")?,
        lease_until: item::count(item, "lease_until")?,
        expires_at: item::count(item, "expires_at")?,
        answer,
    })
}
