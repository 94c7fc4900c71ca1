//! The file, its schema, and the connections to it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use vault::store::StoreError;

/// The store. Cloning it shares its connections.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

/// Why the file could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer version has migrated it.
    #[error(
        "`{path}` has schema {found} and this version knows {known}: start the version of postq-vault that wrote it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// SQLite could not open or migrate it.
    #[error("`{path}` could not be opened as a vault's store: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's word on it.
        source: rusqlite::Error,
    },
}

impl SqliteStore {
    /// Opens the file, making it and bringing its schema up to date where needed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_CREATE).map_err(sqlite)?;
        let found = migrate(&mut writer).map_err(sqlite)?;
        if found > NEWEST {
            return Err(OpenError::Newer { path: path.to_owned(), found, known: NEWEST });
        }
        let inner =
            Inner { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::new(Vec::new()) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs one write transaction; it commits where `work` succeeds and is rolled back where it does not.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(move |inner| {
            // A panic inside a transaction rolled it back, so the connection behind a poisoned lock is sound.
            let mut writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
            let value = work(&transaction)?;
            transaction.commit().map_err(unavailable)?;
            Ok(value)
        })
        .await
    }

    /// Runs reads over one snapshot, begun now.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(move |inner| {
            let pooled = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match pooled {
                Some(reader) => reader,
                None => connect(&inner.path, OpenFlags::empty()).map_err(unavailable)?,
            };
            let value = work(&reader.transaction().map_err(unavailable)?);
            let mut pool = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < MAX_IDLE_READERS {
                pool.push(reader);
            }
            value
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(unavailable)?
    }
}

pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

fn connect(path: &Path, create: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(connection)
}

/// Applies the migrations that the file has not seen, in one transaction, and tells which schema it had.
fn migrate(connection: &mut Connection) -> rusqlite::Result<u32> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, migration) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()?;
    Ok(found)
}

/// Never edited once released: a change of the schema is one more entry.
const MIGRATIONS: [&str; NEWEST as usize] = [include_str!("schema/0001.sql")];

const NEWEST: u32 = 1;

/// How long a second process (`org create` beside a running server) may hold the file.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

const MAX_IDLE_READERS: usize = 8;
