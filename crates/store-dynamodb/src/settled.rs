//! Reads that wait for transactions under way. A transaction shows its items one after the other while it commits, so who has
//! seen one of them may not see another yet: a head without its entries, a list's line without what it names.
//!
//! A transaction of reads is refused while a transaction of writes has any of its items, and says what is once it is over.
//! It costs twice as much as a read, so only what seems to be missing is read so.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::transact_get_items::TransactGetItemsError,
    types::{Get, TransactGetItem},
};
use vault::store::StoreError;

use crate::{
    DynamoStore,
    connection::{Pause, unavailable},
    item::Item,
    tables::{Key, Table},
    transaction::{BUSY, BUSY_AS_A_WHOLE},
};

impl DynamoStore {
    /// One item; that there is none is said only when nothing is under way that makes it.
    pub(crate) async fn get_settled(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        match self.get(table, key).await? {
            Some(item) => Ok(Some(item)),
            None => Ok(self.settle(&[(table, key.clone())]).await?.into_values().next()),
        }
    }

    /// Items of any tables, in any order. Those of `wanted` that are left out do not exist, and nothing is under way that makes
    /// them.
    pub(crate) async fn get_many_settled(
        &self,
        wanted: &[(Table, Key)],
    ) -> Result<HashMap<(Table, Key), Item>, StoreError> {
        let mut found = self.get_many(wanted).await?;
        self.settle_missing(wanted, &mut found).await?;
        Ok(found)
    }

    /// Adds what `found` has not got of `wanted`, once nothing is under way that makes it.
    pub(crate) async fn settle_missing(
        &self,
        wanted: &[(Table, Key)],
        found: &mut HashMap<(Table, Key), Item>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<(Table, Key)> = Vec::new();
        for place in wanted {
            if !found.contains_key(place) && !missing.contains(place) {
                missing.push(place.clone());
            }
        }
        found.extend(self.settle(&missing).await?);
        Ok(())
    }

    /// Items as they are once nothing is under way that writes them.
    pub(crate) async fn settle(
        &self,
        wanted: &[(Table, Key)],
    ) -> Result<HashMap<(Table, Key), Item>, StoreError> {
        let mut found = HashMap::new();
        for some in wanted.chunks(MAX_KEYS) {
            let mut gets = Vec::with_capacity(some.len());
            for (table, key) in some {
                let get = Get::builder().table_name(self.table_name(*table)).set_key(Some(key.item()));
                gets.push(TransactGetItem::builder().get(get.build().map_err(unavailable)?).build());
            }
            let mut pause = Pause::begin();
            let answers = loop {
                let call = self.client().transact_get_items().set_transact_items(Some(gets.clone()));
                match call.send().await {
                    Ok(answer) => break answer.responses.unwrap_or_default(),
                    Err(failed) if failed.as_service_error().is_some_and(is_busy) => pause.rest().await?,
                    Err(failed) => return Err(unavailable(failed)),
                }
            };
            for (place, answer) in some.iter().zip(answers) {
                if let Some(item) = answer.item.filter(|item| !item.is_empty()) {
                    found.insert(place.clone(), item);
                }
            }
        }
        Ok(found)
    }
}

fn is_busy(error: &TransactGetItemsError) -> bool {
    match error {
        TransactGetItemsError::TransactionCanceledException(cancelled) => {
            let mut codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            codes.any(|code| BUSY.contains(&code))
        }
        other => other.code().is_some_and(|code| BUSY_AS_A_WHOLE.contains(&code)),
    }
}

/// How many items one transaction reads.
const MAX_KEYS: usize = 100;
