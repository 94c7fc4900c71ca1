//! Keys that are to be rotated, found by their rows.

use async_trait::async_trait;
use rusqlite::{Row, params};
use vault::{
    Timestamp,
    store::{DueRotation, DueRotations, StoreError},
};

use crate::{
    SqliteStore,
    reads::corrupt,
    rows::{self, Corrupt},
    writes::millis,
};

#[async_trait]
impl DueRotations for SqliteStore {
    async fn due(
        &self,
        now: Timestamp,
        after: Option<&DueRotation>,
        limit: usize,
    ) -> Result<Vec<DueRotation>, StoreError> {
        let after = after.cloned();
        self.read(move |t| {
            let sql = "SELECT org, id, created_at + rotate_after_days * 86400000 AS at FROM keys
                       WHERE rotate_after_days IS NOT NULL AND status = 'active'
                         AND created_at + rotate_after_days * 86400000 <= ?1
                         AND (created_at + rotate_after_days * 86400000, org, id) > (?2, ?3, ?4)
                       ORDER BY created_at + rotate_after_days * 86400000, org, id LIMIT ?5";
            let from = after
                .as_ref()
                .map_or((-1, "", ""), |due| (millis(due.at), due.org.as_str(), due.key.as_str()));
            let read = |row: &Row<'_>| {
                Ok(DueRotation {
                    at: rows::time(row, "at")?.ok_or("at")?,
                    org: rows::id(row, "org")?,
                    key: rows::id(row, "id")?,
                })
            };
            let found =
                rows::all(t, sql, params![millis(now), from.0, from.1, from.2, rows::limit(limit)], read)?;
            found.into_iter().collect::<Result<_, Corrupt>>().map_err(|column| corrupt(None, column))
        })
        .await
    }

    async fn settle_rotation(&self, _: &DueRotation) -> Result<(), StoreError> {
        // It is the row that says so, and the row says that the key has ended.
        Ok(())
    }
}
