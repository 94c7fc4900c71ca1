//! A transaction: writes that happen together or not at all, each on a condition that says what it means when it fails.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use vault::{
    random,
    store::{Record, StoreError},
};

use crate::{
    DynamoStore,
    connection::{Pause, unavailable},
    intake,
    item::Item,
    replies,
    tables::{Key, Table},
};

/// What a condition that fails means to whoever set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// What is to be made exists.
    Exists,
    /// The lease of the answer was taken over.
    LeaseLost,
    /// What is to be changed is not as it was expected to be.
    NotAsExpected,
    /// The event has its place already.
    Placed,
    /// The answer may have left.
    Replayed,
    /// The key that signed is not active.
    KeyNotActive,
    /// The intent of what is made is gone, or abandoned.
    Abandoned,
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Exists => Self::Exists,
            Refused::LeaseLost => Self::LeaseLost,
            Refused::Abandoned => Self::Abandoned,
            other => unavailable(Unexpected(other)),
        }
    }
}

/// A condition failed whose meaning nobody waited for.
#[derive(Debug, thiserror::Error)]
#[error("a condition failed: {0:?}")]
struct Unexpected(Refused);

/// Values of an expression.
pub(crate) type Values<'a> = &'a [(&'a str, AttributeValue)];

/// Writes that are put together.
pub(crate) struct Transaction<'a> {
    store: &'a DynamoStore,
    writes: Vec<TransactWriteItem>,
    meanings: Vec<Refused>,
}

impl<'a> Transaction<'a> {
    pub(crate) const fn new(store: &'a DynamoStore) -> Self {
        Self { store, writes: Vec::new(), meanings: Vec::new() }
    }

    /// An item that must not exist.
    pub(crate) fn make(&mut self, table: Table, key: &Key, item: Item) -> Result<(), StoreError> {
        self.replace(table, key, item, NOT_THERE, &[], Refused::Exists)
    }

    /// An item, whether it exists or not.
    pub(crate) fn put(&mut self, table: Table, key: &Key, item: Item) -> Result<(), StoreError> {
        let put = Put::builder().table_name(self.store.table_name(table)).set_item(Some(merged(key, item)));
        let put = put.build().map_err(unavailable)?;
        self.push(TransactWriteItem::builder().put(put).build(), Refused::NotAsExpected);
        Ok(())
    }

    /// An item in place of another, on a condition on that, or on that there is none.
    pub(crate) fn replace(
        &mut self,
        table: Table,
        key: &Key,
        item: Item,
        condition: &str,
        values: Values<'_>,
        meaning: Refused,
    ) -> Result<(), StoreError> {
        let put = Put::builder()
            .table_name(self.store.table_name(table))
            .set_item(Some(merged(key, item)))
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[condition]))
            .set_expression_attribute_values(placed(values))
            .build()
            .map_err(unavailable)?;
        self.push(TransactWriteItem::builder().put(put).build(), meaning);
        Ok(())
    }

    /// A change of an item, on a condition. Attributes stand in both as `#name`, values as `:name`.
    pub(crate) fn update(
        &mut self,
        table: Table,
        key: &Key,
        change: &str,
        condition: &str,
        values: Values<'_>,
        meaning: Refused,
    ) -> Result<(), StoreError> {
        let update = Update::builder()
            .table_name(self.store.table_name(table))
            .set_key(Some(key.item()))
            .update_expression(change)
            .set_condition_expression((!condition.is_empty()).then(|| condition.to_owned()))
            .set_expression_attribute_names(names(&[change, condition]))
            .set_expression_attribute_values(placed(values))
            .build()
            .map_err(unavailable)?;
        self.push(TransactWriteItem::builder().update(update).build(), meaning);
        Ok(())
    }

    /// The end of an item, on a condition.
    pub(crate) fn delete(
        &mut self,
        table: Table,
        key: &Key,
        condition: &str,
        values: Values<'_>,
        meaning: Refused,
    ) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(self.store.table_name(table))
            .set_key(Some(key.item()))
            .set_condition_expression((!condition.is_empty()).then(|| condition.to_owned()))
            .set_expression_attribute_names(names(&[condition]))
            .set_expression_attribute_values(placed(values))
            .build()
            .map_err(unavailable)?;
        self.push(TransactWriteItem::builder().delete(delete).build(), meaning);
        Ok(())
    }

    /// A condition on an item that is not written.
    pub(crate) fn check(
        &mut self,
        table: Table,
        key: &Key,
        condition: &str,
        values: Values<'_>,
        meaning: Refused,
    ) -> Result<(), StoreError> {
        let check = ConditionCheck::builder()
            .table_name(self.store.table_name(table))
            .set_key(Some(key.item()))
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[condition]))
            .set_expression_attribute_values(placed(values))
            .build()
            .map_err(unavailable)?;
        self.push(TransactWriteItem::builder().condition_check(check).build(), meaning);
        Ok(())
    }

    /// The events, and the answer to keep.
    pub(crate) fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        for (number, event) in (0..).zip(&record.events) {
            let (key, item) = intake::item(event, number)?;
            self.make(Table::Intake, &key, item)?;
        }
        match &record.reply {
            Some(reply) => replies::keep(self, reply),
            None => Ok(()),
        }
    }

    fn push(&mut self, write: TransactWriteItem, meaning: Refused) {
        self.writes.push(write);
        self.meanings.push(meaning);
    }

    /// Commits where the tables are those that they were. Where a condition fails nothing is written, and the first that did
    /// is told.
    pub(crate) async fn commit(self) -> Result<Result<(), Refused>, StoreError> {
        self.store.check_identity().await?;
        self.commit_unchecked().await
    }

    /// The same; `false` where something was [`Refused::NotAsExpected`].
    pub(crate) async fn commit_if_expected(self) -> Result<bool, StoreError> {
        match self.commit().await? {
            Ok(()) => Ok(true),
            Err(Refused::NotAsExpected) => Ok(false),
            Err(refused) => Err(refused.into()),
        }
    }

    /// The same as [`Self::commit`] for what makes a restored store fit to be written again.
    pub(crate) async fn commit_unchecked(self) -> Result<Result<(), Refused>, StoreError> {
        // Under one token, so that an attempt whose answer was lost is not repeated but told.
        let token = hex::encode(random::generate::<16>().map_err(unavailable)?);
        let mut pause = Pause::begin();
        loop {
            let call = self.store.client().transact_write_items().client_request_token(&token);
            let failed = match call.set_transact_items(Some(self.writes.clone())).send().await {
                Ok(_) => return Ok(Ok(())),
                Err(failed) => failed,
            };
            match self.judge(&failed) {
                Judgement::Refused(meaning) => return Ok(Err(meaning)),
                Judgement::Busy => pause.rest().await?,
                Judgement::Failed => return Err(unavailable(failed)),
            }
        }
    }

    fn judge(&self, failed: &SdkError<TransactWriteItemsError>) -> Judgement {
        let Some(error) = failed.as_service_error() else { return Judgement::Failed };
        let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
            let busy = error.code().is_some_and(|code| BUSY_AS_A_WHOLE.contains(&code));
            return if busy { Judgement::Busy } else { Judgement::Failed };
        };
        let codes =
            || cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
        let refused = codes().zip(&self.meanings).find(|(code, _)| *code == "ConditionalCheckFailed");
        match refused {
            Some((_, meaning)) => Judgement::Refused(*meaning),
            None if codes().any(|code| BUSY.contains(&code)) => Judgement::Busy,
            None => Judgement::Failed,
        }
    }
}

enum Judgement {
    /// A condition did not hold.
    Refused(Refused),
    /// Nothing was written, because others wrote the same items or too much at once: to be tried again.
    Busy,
    /// It may have happened.
    Failed,
}

/// The condition that there is no such item.
pub(crate) const NOT_THERE: &str = "attribute_not_exists(pk)";

/// The whole transaction was turned away, or an attempt before it is still under way: nothing was written by this one.
pub(crate) const BUSY_AS_A_WHOLE: [&str; 4] = [
    "TransactionInProgressException",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
];

pub(crate) const BUSY: [&str; 3] =
    ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"];

fn merged(key: &Key, mut item: Item) -> Item {
    item.extend(key.item());
    item
}

fn placed(values: Values<'_>) -> Option<HashMap<String, AttributeValue>> {
    (!values.is_empty())
        .then(|| values.iter().map(|(name, value)| (format!(":{name}"), value.clone())).collect())
}

/// The attributes that expressions name: written `#name` throughout, because many names are words of the expressions' own.
pub(crate) fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let mut names = HashMap::new();
    for part in expressions.iter().flat_map(|expression| expression.split('#').skip(1)) {
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        names.insert(format!("#{name}"), name);
    }
    (!names.is_empty()).then_some(names)
}
