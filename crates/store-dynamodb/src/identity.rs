//! Whether the tables are those that belong together: the table of tombstones is never put back to an earlier hour, and
//! keeps the ids of the others. DynamoDB puts back by making a new table, which has a new id.

use futures::future::try_join_all;
use vault::store::{Recovery, StoreError};

use crate::{
    DynamoStore,
    connection::unavailable,
    item::{self, Item, text},
    rows::corrupt,
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

/// Where tombstones and the list of organisations each say which store they belong to.
pub(crate) fn place() -> Key {
    Key::alone("store")
}

/// What the tombstones know of the store.
pub(crate) struct Known {
    /// The store's name for itself, random.
    pub(crate) store: String,
    /// The ids of the tables, and the names that they were read by.
    tables: Vec<(Table, String)>,
}

impl DynamoStore {
    /// Refuses to write where a table is another than it was.
    pub(crate) async fn check_identity(&self) -> Result<(), StoreError> {
        if self.known_to_be_the_same() {
            return Ok(());
        }
        if self.is_restored().await? {
            return Err(StoreError::Restored);
        }
        self.remember_to_be_the_same(true);
        Ok(())
    }

    async fn table_ids(&self) -> Result<Vec<(Table, String)>, StoreError> {
        try_join_all(Table::RESTORABLE.map(async |table| {
            let call = self.client().describe_table().table_name(self.table_name(table));
            let description = call.send().await.map_err(unavailable)?.table;
            let id = description.and_then(|table| table.table_id);
            Ok((table, id.ok_or_else(|| unavailable(NoId(table.name())))?))
        }))
        .await
    }

    pub(crate) async fn known(&self) -> Result<Option<Known>, StoreError> {
        let Some(item) = self.get(Table::Tombstones, &place()).await? else { return Ok(None) };
        let parse = || {
            let mut tables = Vec::new();
            for table in Table::RESTORABLE {
                // One that is missing is one that came with a newer version.
                if let Some(id) = item::find(&item, table.name())? {
                    tables.push((table, id.to_owned()));
                }
            }
            Ok(Known { store: item::get(&item, "store")?.to_owned(), tables })
        };
        parse().map(Some).map_err(|name| corrupt(None, name))
    }

    /// Whether a table is another than it was. Tables that are new are written down.
    pub(crate) async fn differs(&self, known: Known) -> Result<bool, StoreError> {
        let now = self.table_ids().await?;
        if !known.tables.iter().all(|table| now.contains(table)) {
            return Ok(true);
        }
        if known.tables.len() < now.len() {
            self.declare(&known.store, false).await??;
        }
        Ok(false)
    }

    /// What the store calls itself; none where it was never written, or its list of organisations is another's.
    pub(crate) async fn own_name(&self) -> Result<Option<String>, StoreError> {
        let found = self.get(Table::Orgs, &place()).await?;
        found
            .map(|item| item::get(&item, "store").map(str::to_owned))
            .transpose()
            .map_err(|n| corrupt(None, n))
    }

    /// Writes down which tables belong together.
    pub(crate) async fn declare(&self, name: &str, first: bool) -> Result<Result<(), Refused>, StoreError> {
        let mut known = Item::from([("store".to_owned(), text(name))]);
        for (table, id) in self.table_ids().await? {
            known.insert(table.name().to_owned(), text(id));
        }
        let mut t = Transaction::new(self);
        let own = Item::from([("store".to_owned(), text(name))]);
        if first {
            t.make(Table::Tombstones, &place(), known)?;
            t.make(Table::Orgs, &place(), own)?;
        } else {
            t.put(Table::Tombstones, &place(), known)?;
            t.put(Table::Orgs, &place(), own)?;
        }
        t.commit_unchecked().await
    }
}

/// A table whose description names no id.
#[derive(Debug, thiserror::Error)]
#[error("the description of table `{0}` names no id")]
struct NoId(&'static str);
