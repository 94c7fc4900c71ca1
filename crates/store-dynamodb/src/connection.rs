//! Calls to DynamoDB: reads that see every write before them, and transactions that are tried again where that is safe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, KeysAndAttributes,
        ScalarAttributeType, StreamSpecification, StreamViewType,
    },
};
use aws_types::SdkConfig;
use vault::{random, store::StoreError};

use crate::{
    item::Item,
    tables::{Key, PARTITION_KEY, SORT_KEY, Table},
};

/// The store. Cloning it shares its client.
#[derive(Clone)]
pub struct DynamoStore {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    prefix: String,
    /// Until when the tables are taken for those that they were.
    same_until: Mutex<Option<Instant>>,
}

impl DynamoStore {
    /// A store over the tables of a deployment, whose names begin with `prefix`. Nothing is called yet.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(ATTEMPT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(BUDGET)
            .build();
        let config = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(8).with_initial_backoff(FIRST_PAUSE))
            .timeout_config(timeouts)
            .build();
        let inner = Inner {
            client: Client::from_conf(config),
            prefix: prefix.to_owned(),
            same_until: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    /// A table's whole name.
    #[must_use]
    pub fn table_name(&self, table: Table) -> String {
        format!("{}{}", self.inner.prefix, table.name())
    }

    /// Makes the tables where they are missing. A deployment's are made with it; this is for emulators.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn make_tables(&self) -> Result<(), StoreError> {
        for table in Table::ALL {
            let attribute = |name, kind| {
                (
                    AttributeDefinition::builder()
                        .attribute_name(name)
                        .attribute_type(ScalarAttributeType::S)
                        .build(),
                    KeySchemaElement::builder().attribute_name(name).key_type(kind).build(),
                )
            };
            let stream = StreamSpecification::builder()
                .stream_enabled(table.is_streamed())
                .set_stream_view_type(table.is_streamed().then_some(StreamViewType::KeysOnly))
                .build()
                .map_err(unavailable)?;
            let mut call = self
                .client()
                .create_table()
                .table_name(self.table_name(table))
                .billing_mode(BillingMode::PayPerRequest)
                .stream_specification(stream);
            for (attribute, key) in
                [attribute(PARTITION_KEY, KeyType::Hash), attribute(SORT_KEY, KeyType::Range)]
            {
                call = call
                    .attribute_definitions(attribute.map_err(unavailable)?)
                    .key_schema(key.map_err(unavailable)?);
            }
            match call.send().await {
                Ok(_) => {}
                Err(failed)
                    if failed
                        .as_service_error()
                        .is_some_and(CreateTableError::is_resource_in_use_exception) => {}
                Err(failed) => return Err(unavailable(failed)),
            }
        }
        Ok(())
    }

    pub(crate) fn known_to_be_the_same(&self) -> bool {
        let until = *self.inner.same_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn remember_to_be_the_same(&self, same: bool) {
        let until = same.then(|| Instant::now() + SAME);
        *self.inner.same_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// One item.
    pub(crate) async fn get(&self, table: Table, key: &Key) -> Result<Option<Item>, StoreError> {
        let call = self.client().get_item().table_name(self.table_name(table)).set_key(Some(key.item()));
        Ok(call.consistent_read(true).send().await.map_err(unavailable)?.item)
    }

    /// Items of any tables, in any order; those that do not exist are left out.
    pub(crate) async fn get_many(
        &self,
        wanted: &[(Table, Key)],
    ) -> Result<HashMap<(Table, Key), Item>, StoreError> {
        let mut found = HashMap::new();
        for some in wanted.chunks(MAX_KEYS) {
            let mut requests: HashMap<String, KeysAndAttributes> = HashMap::new();
            for table in Table::ALL {
                let mut keys: Vec<Item> = Vec::new();
                for (_, key) in some.iter().filter(|(of, _)| *of == table) {
                    let key = key.item();
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                if !keys.is_empty() {
                    let keys =
                        KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
                    requests.insert(self.table_name(table), keys.map_err(unavailable)?);
                }
            }
            let mut pause = Pause::begin();
            while !requests.is_empty() {
                let call = self.client().batch_get_item().set_request_items(Some(requests));
                let answer = call.send().await.map_err(unavailable)?;
                for (name, items) in answer.responses.unwrap_or_default() {
                    let table = Table::ALL.into_iter().find(|table| self.table_name(*table) == name);
                    for item in items {
                        if let (Some(table), Some(key)) = (table, Key::of(&item)) {
                            found.insert((table, key), item);
                        }
                    }
                }
                requests = answer.unprocessed_keys.unwrap_or_default();
                if !requests.is_empty() {
                    pause.rest().await?;
                }
            }
        }
        Ok(found)
    }

    /// The items of a partition, in the order of their sort keys, page after page until `take` has enough.
    pub(crate) async fn query(
        &self,
        table: Table,
        range: Range<'_>,
        mut take: impl FnMut(Item) -> bool + Send,
    ) -> Result<(), StoreError> {
        let condition = match (range.from, range.below) {
            (None, None) => "pk = :pk",
            (Some(_), None) => "pk = :pk AND sk >= :from",
            (None, Some(_)) => "pk = :pk AND sk < :below",
            (Some(_), Some(_)) => "pk = :pk AND sk BETWEEN :from AND :below",
        };
        let mut values = HashMap::new();
        for (name, value) in [(":pk", Some(range.pk)), (":from", range.from), (":below", range.below)] {
            if let Some(value) = value {
                values.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
            }
        }
        let mut start = None;
        loop {
            let call = self.client().query().table_name(self.table_name(table));
            let call = call
                .key_condition_expression(condition)
                .set_expression_attribute_values(Some(values.clone()))
                .consistent_read(true)
                .scan_index_forward(!range.newest_first)
                .set_limit(range.page.map(|page| i32::try_from(page).unwrap_or(i32::MAX)))
                .set_exclusive_start_key(start);
            let answer = call.send().await.map_err(unavailable)?;
            for item in answer.items.unwrap_or_default() {
                // `BETWEEN` has both its ends.
                let beyond =
                    range.below.is_some_and(|below| Key::of(&item).is_some_and(|key| key.sk == below));
                if !beyond && !take(item) {
                    return Ok(());
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Every item of a table, page after page until `take` has enough.
    pub(crate) async fn scan(
        &self,
        table: Table,
        mut take: impl FnMut(Item) -> bool + Send,
    ) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let call = self.client().scan().table_name(self.table_name(table)).consistent_read(true);
            let answer = call.set_exclusive_start_key(start).send().await.map_err(unavailable)?;
            for item in answer.items.unwrap_or_default() {
                if !take(item) {
                    return Ok(());
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }
}

/// A part of a partition.
#[derive(Clone, Copy, Default)]
pub(crate) struct Range<'a> {
    pub(crate) pk: &'a str,
    /// From this sort key on.
    pub(crate) from: Option<&'a str>,
    /// Those before this sort key.
    pub(crate) below: Option<&'a str>,
    pub(crate) newest_first: bool,
    /// How many to read at once; as many as a page holds if not given.
    pub(crate) page: Option<usize>,
}

/// Rests between attempts, longer each time and never all at once, until the time for them is over.
pub(crate) struct Pause {
    began: Instant,
    longest: Duration,
}

impl Pause {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), longest: FIRST_PAUSE }
    }

    /// Rests, or says that the time is over.
    pub(crate) async fn rest(&mut self) -> Result<(), StoreError> {
        if self.began.elapsed() > BUDGET {
            return Err(StoreError::Unavailable(Box::new(Contended)));
        }
        let random = u32::from_be_bytes(random::generate().map_err(unavailable)?);
        tokio::time::sleep(self.longest.mul_f64(f64::from(random) / f64::from(u32::MAX))).await;
        self.longest = (self.longest * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// The table was too busy, or others wrote the same items, for as long as an attempt may take.
#[derive(Debug, thiserror::Error)]
#[error("the tables were too busy for {} s", BUDGET.as_secs())]
pub(crate) struct Contended;

pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// What one attempt at one call may take.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// What one call may take with all its attempts.
const BUDGET: Duration = Duration::from_secs(4);

const FIRST_PAUSE: Duration = Duration::from_millis(10);

const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How long tables are taken for those that they were: putting a table back takes minutes, in which it cannot be written.
const SAME: Duration = Duration::from_secs(60);

/// How many items one call of `BatchGetItem` reads.
const MAX_KEYS: usize = 100;
