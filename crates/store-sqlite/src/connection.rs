//! The file, its schema, and the connections to it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};
use vault::store::StoreError;

use crate::{revocations::Revocations, writer::Writer};

/// The store. Cloning it shares its connections.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    revocations: Revocations,
    writer: Writer,
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
    /// The revocations that are kept apart could not be read or made.
    #[error("`{path}`, where revocations are kept apart, could not be used: {source}")]
    Revocations {
        /// The file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// No thread could be started to write it.
    #[error("`{path}` could not be opened as a vault's store: no thread could be started: {source}")]
    Thread {
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        source: std::io::Error,
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
    /// Opens the file, making it and bringing its schema up to date where needed. Revocations are kept apart in
    /// `revocations.log` beside it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, &path.with_file_name(REVOCATIONS_FILE))
    }

    /// The same, with the revocations kept in a file of the caller's choosing: best on another disk, and out of backups.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(path: &Path, revocations: &Path) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_CREATE).map_err(sqlite)?;
        let found = migrate(&mut writer).map_err(sqlite)?;
        if found > NEWEST {
            return Err(OpenError::Newer { path: path.to_owned(), found, known: NEWEST });
        }
        let apart = Revocations::at(revocations);
        keep_apart(&mut writer, &apart)
            .map_err(|source| OpenError::Revocations { path: revocations.to_owned(), source })?;
        let inner = Inner {
            path: path.to_owned(),
            revocations: apart,
            writer: Writer::start(writer)
                .map_err(|source| OpenError::Thread { path: path.to_owned(), source })?,
            readers: Mutex::new(Vec::new()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The revocations that are kept apart.
    pub(crate) fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }

    /// Runs one write transaction; it commits where `work` succeeds and is rolled back where it does not. It may share its commit
    /// with others. A store that was put back to an earlier hour is not written.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        self.write_unchecked(move |t| {
            let (identity, revocations) = identity(t)?;
            if store.revocations().known()?.belongs_to(&identity, revocations) {
                work(t)
            } else {
                Err(StoreError::Restored)
            }
        })
        .await
    }

    /// The same for what makes a restored store fit to be written again.
    pub(crate) async fn write_unchecked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.together(work).await
    }

    /// Looks something up by its key, here and now: that takes microseconds out of memory, and less than another thread would to wake.
    /// Each statement sees what was committed before it.
    pub(crate) fn look_up<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.inner.reading(|reader| work(reader))
    }

    /// Runs reads over one snapshot, begun now, where they do not keep other requests from being served.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let read = move || inner.reading(|reader| work(&reader.transaction().map_err(unavailable)?));
        tokio::task::spawn_blocking(read).await.map_err(unavailable)?
    }

    /// Empties the log of writes, where what was deleted may still stand. It does not wait for readers: where one is in the
    /// way, the next call or the closing of the file does it.
    pub(crate) async fn empty_log_of_writes(&self) -> Result<(), StoreError> {
        let emptied = self.inner.writer.alone(|writer| {
            writer.busy_timeout(std::time::Duration::ZERO).map_err(unavailable)?;
            // It answers with a row, which says whether a reader was in the way.
            let emptied = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            writer.busy_timeout(BUSY_TIMEOUT).map_err(unavailable)?;
            emptied.map_err(unavailable)
        });
        emptied.await
    }
}

impl Inner {
    /// With one of the connections that read.
    fn reading<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match pooled {
            Some(reader) => reader,
            None => connect(&self.path, OpenFlags::empty()).map_err(unavailable)?,
        };
        let value = work(&mut reader);
        let mut pool = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < MAX_IDLE_READERS {
            pool.push(reader);
        }
        value
    }
}

pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

fn connect(path: &Path, create: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it SQLite prepares a statement anew for every value that is bound to it, in case another plan fits that one better.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
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

/// Makes the file of revocations for a store that never had one, and writes down in it what a crash kept from being so.
fn keep_apart(connection: &mut Connection, apart: &Revocations) -> Result<(), StoreError> {
    let t = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
    let (store, revocations) = identity(&t)?;
    let made: bool = t.query_row("SELECT apart FROM identity", [], |row| row.get(0)).map_err(unavailable)?;
    let known = apart.known()?;
    if !made && known.store.is_none() {
        apart.replace(&store, [])?;
    }
    if !made && known.store.as_ref().is_none_or(|known| *known == store) {
        t.execute("UPDATE identity SET apart = 1", []).map_err(unavailable)?;
    }
    if known.belongs_to(&store, revocations) {
        apart.commit(revocations)?;
    }
    t.commit().map_err(unavailable)
}

/// Which store this is, and how many revocations it knows.
pub(crate) fn identity(t: &Connection) -> Result<(String, u64), StoreError> {
    let mut statement = t.prepare_cached("SELECT store, revocations FROM identity").map_err(unavailable)?;
    let (store, count) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).map_err(unavailable)?;
    Ok((store, u64::try_from(count).unwrap_or_default()))
}

/// Never edited once released: a change of the schema is one more entry.
const MIGRATIONS: [&str; NEWEST as usize] = [
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
];

const NEWEST: u32 = 7;

const REVOCATIONS_FILE: &str = "revocations.log";

/// How long a second process (`org create` beside a running server) may hold the file.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Every statement that this crate has, prepared once a connection.
const STATEMENTS: usize = 256;

/// More than there are threads that look things up at the same time, on most machines.
const MAX_IDLE_READERS: usize = 64;
