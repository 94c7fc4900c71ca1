//! Kept answers.

use async_trait::async_trait;
use rusqlite::{Transaction, params};
use vault::{
    Timestamp, random,
    store::{
        Attempt, Begin, KEPT_MILLIS, LEASE_MILLIS, Lease, Replies, Reply, Slot, StoreError, StoredAnswer,
    },
};

use crate::{
    SqliteStore,
    connection::unavailable,
    reads::corrupt,
    rows::{self, Corrupt, find, get},
    writes::{execute, millis},
};

#[async_trait]
impl Replies for SqliteStore {
    async fn begin(&self, attempt: &Attempt, now: Timestamp) -> Result<Begin, StoreError> {
        let attempt = attempt.clone();
        self.write(move |t| {
            let now = millis(now);
            execute(t, "DELETE FROM replies WHERE expires_at <= ?1", [now])?;
            let slot = &attempt.slot;
            match row(t, slot)? {
                Some(row) if row.body != attempt.body => return Ok(Begin::OtherBody),
                Some(Row { answer: Some(answer), .. }) => return Ok(Begin::Answered(answer)),
                Some(row) if row.lease_until > now => return Ok(Begin::InProgress),
                Some(_) | None => {}
            }
            // Random, not counted: a row that was released and made anew must not bring an old fence back.
            let fence = u64::from_be_bytes(random::generate().map_err(unavailable)?) >> 1;
            execute(
                t,
                "INSERT INTO replies (org, token, method, path, key, body, fence, lease_until, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT DO UPDATE SET fence = excluded.fence, lease_until = excluded.lease_until",
                params![
                    slot.org.as_str(),
                    slot.token.as_str(),
                    slot.method,
                    slot.path,
                    slot.key,
                    attempt.body,
                    rows::number(fence),
                    now.saturating_add(rows::number(LEASE_MILLIS)),
                    now.saturating_add(rows::number(KEPT_MILLIS)),
                ],
            )?;
            Ok(Begin::Run(Lease { slot: slot.clone(), fence }))
        })
        .await
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |t| execute(t, "DELETE FROM replies WHERE expires_at <= ?1", [millis(now)]).map(drop))
            .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |t| {
            let Slot { org, token, method, path, key } = &lease.slot;
            execute(
                t,
                "DELETE FROM replies WHERE org = ?1 AND token = ?2 AND method = ?3 AND path = ?4 AND key = ?5
                 AND fence = ?6 AND answer IS NULL AND secret_id IS NULL",
                params![org.as_str(), token.as_str(), method, path, key, rows::number(lease.fence)],
            )
            .map(drop)
        })
        .await
    }

    async fn mark_replayed(&self, slot: &Slot) -> Result<bool, StoreError> {
        let slot = slot.clone();
        self.write(move |t| {
            let Slot { org, token, method, path, key } = &slot;
            let marked = execute(
                t,
                "UPDATE replies SET replayed = 1 WHERE org = ?1 AND token = ?2 AND method = ?3 AND path = ?4
                 AND key = ?5 AND answer IS NOT NULL",
                params![org.as_str(), token.as_str(), method, path, key],
            )?;
            Ok(marked == 1)
        })
        .await
    }

    async fn forget(&self, slot: &Slot) -> Result<(), StoreError> {
        let slot = slot.clone();
        self.write(move |t| delete(t, &slot)).await
    }
}

/// Keeps an answer under its lease; where that was taken over, the whole transaction fails.
pub(crate) fn keep(t: &Transaction<'_>, reply: &Reply) -> Result<(), StoreError> {
    let Slot { org, token, method, path, key } = &reply.lease.slot;
    let (answer, signer, secret) = match &reply.answer {
        StoredAnswer::Data { json, signer } => (Some(json), signer.as_ref().map(ToString::to_string), None),
        StoredAnswer::Secret { id } => (None, None, Some(id)),
    };
    let kept = execute(
        t,
        "UPDATE replies SET answer = ?7, signer = ?8, secret_id = ?9
         WHERE org = ?1 AND token = ?2 AND method = ?3 AND path = ?4 AND key = ?5
         AND fence = ?6 AND answer IS NULL AND secret_id IS NULL",
        params![
            org.as_str(),
            token.as_str(),
            method,
            path,
            key,
            rows::number(reply.lease.fence),
            answer,
            signer,
            secret,
        ],
    )?;
    if kept == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

pub(crate) fn is_replayed(t: &Transaction<'_>, slot: &Slot) -> Result<bool, StoreError> {
    Ok(row(t, slot)?.is_some_and(|row| row.replayed))
}

pub(crate) fn delete(t: &Transaction<'_>, slot: &Slot) -> Result<(), StoreError> {
    let Slot { org, token, method, path, key } = slot;
    execute(
        t,
        "DELETE FROM replies WHERE org = ?1 AND token = ?2 AND method = ?3 AND path = ?4 AND key = ?5",
        params![org.as_str(), token.as_str(), method, path, key],
    )
    .map(drop)
}

struct Row {
    body: [u8; 32],
    lease_until: i64,
    answer: Option<StoredAnswer>,
    replayed: bool,
}

fn row(t: &Transaction<'_>, slot: &Slot) -> Result<Option<Row>, StoreError> {
    let Slot { org, token, method, path, key } = slot;
    let sql =
        "SELECT * FROM replies WHERE org = ?1 AND token = ?2 AND method = ?3 AND path = ?4 AND key = ?5";
    find(t, sql, params![org.as_str(), token.as_str(), method, path, key], parse)?
        .transpose()
        .map_err(|column| corrupt(None, column))
}

fn parse(row: &rusqlite::Row<'_>) -> Result<Row, Corrupt> {
    let json = get::<Option<Vec<u8>>>(row, "answer")?;
    let answer = match (json, get::<Option<String>>(row, "secret_id")?) {
        (Some(json), _) => Some(StoredAnswer::Data { json, signer: rows::optional_id(row, "signer")? }),
        (None, Some(id)) => Some(StoredAnswer::Secret { id }),
        (None, None) => None,
    };
    Ok(Row {
        body: get(row, "body")?,
        lease_until: get(row, "lease_until")?,
        answer,
        replayed: get(row, "replayed")?,
    })
}
