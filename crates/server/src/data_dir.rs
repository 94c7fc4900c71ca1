//! The data directory: the store's file and, unless the environment holds one, the key-encryption key.

use std::{
    env::VarError,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use custody_local::{EnvKek, KEK_VARIABLE, Kek, PREVIOUS_KEK_VARIABLE};
use store_sqlite::SqliteStore;
use tempfile::NamedTempFile;
use vault::{
    custody::Custody,
    ops::rewrap,
    store::{Orgs, Store},
};
use zeroize::Zeroizing;

/// What the environment says of key-encryption keys. Neither is ever printed.
#[derive(Default)]
pub struct KekVariables {
    /// `POSTQ_SIGNING_KEK`
    pub current: Option<Zeroizing<String>>,
    /// `POSTQ_SIGNING_KEK_PREVIOUS`
    pub previous: Option<Zeroizing<String>>,
}

impl KekVariables {
    /// Reads the process's environment. A variable that is set to nothing is set, and malformed.
    ///
    /// # Errors
    /// A sentence that names a variable which is not even text.
    pub fn from_env() -> anyhow::Result<Self> {
        let read = |name| match std::env::var(name) {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                bail!(
                    "{name} is not text: set it to 32 random bytes in base64, as `openssl rand -base64 32` prints them"
                )
            }
        };
        Ok(Self { current: read(KEK_VARIABLE)?, previous: read(PREVIOUS_KEK_VARIABLE)? })
    }
}

/// An opened data directory.
pub struct DataDir {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The custody, with the key-encryption keys at hand.
    pub custody: Arc<Custody>,
    /// The file that was made to hold a new key-encryption key, if one was.
    pub new_kek: Option<PathBuf>,
    lock: File,
}

impl DataDir {
    /// Lets another process start over the directory. Before the first organisation is made, none may: two first starts
    /// at once would make two key-encryption keys.
    ///
    /// # Errors
    /// The system's, where it cannot unlock a file.
    pub fn release(&self) -> std::io::Result<()> {
        self.lock.unlock()
    }
}

/// Opens a data directory that [`open_or_create`] made.
///
/// # Errors
/// A sentence that says what to set or where to look; a directory without a store is one of them.
pub async fn open(dir: &Path, variables: KekVariables, apart: Option<&Path>) -> anyhow::Result<DataDir> {
    if !dir.join(STORE_FILE).exists() {
        bail!(
            "there is no vault in `{}`; name its directory with --data. `postq-vault serve` makes one",
            dir.display()
        );
    }
    open_or_create(dir, variables, apart).await
}

/// Opens a data directory, making it where there is none; another process that opens it waits until it is released or
/// this one ends. It refuses a set of key-encryption keys that leaves a row unreadable. Revocations are kept apart in the
/// file `apart`, or in one beside the store.
///
/// # Errors
/// A sentence that says what to set or where to look.
pub async fn open_or_create(
    dir: &Path,
    variables: KekVariables,
    apart: Option<&Path>,
) -> anyhow::Result<DataDir> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("the data directory `{}` cannot be made", dir.display()))?;
    let lock = lock(&dir.join(LOCK_FILE)).with_context(|| format!("`{}` cannot be locked", dir.display()))?;
    let path = dir.join(STORE_FILE);
    private_file(&path).with_context(|| format!("`{}` cannot be made", path.display()))?;
    let store = match apart {
        Some(apart) => SqliteStore::open_with(&path, apart)?,
        None => SqliteStore::open(&path)?,
    };

    let kek_file = dir.join(KEK_FILE);
    let mut new_kek = None;
    let current = match variables.current {
        Some(kek) => kek,
        None if kek_file.exists() => read_kek(&kek_file)?,
        None if store.any_org().await? => bail!(
            "`{}` holds keys, but their key-encryption key is not here: set {KEK_VARIABLE} to it, or put `{}` back",
            dir.display(),
            kek_file.display()
        ),
        None => {
            let kek = write_new_kek(dir, &kek_file)?;
            new_kek = Some(kek_file);
            kek
        }
    };
    let kek = EnvKek::from_variables(Some(&current), variables.previous.as_ref().map(|kek| kek.as_str()))?;
    let custody = Arc::new(custody_local::custody(kek));
    let store: Arc<dyn Store> = Arc::new(store);
    refuse_missing_keks(&store, &custody).await?;
    Ok(DataDir { store, custody, new_kek, lock })
}

async fn refuse_missing_keks(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> anyhow::Result<()> {
    let missing = rewrap::missing_keks(&crate::rewrap_ports(store, custody)).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> =
        missing.into_iter().map(|(kek, rows)| format!("{kek} ({rows} keys)")).collect();
    bail!(
        "keys are wrapped under key-encryption keys that are not loaded: {}. Start with {KEK_VARIABLE} set to the one that is \
         named; only to leave it for good, set {PREVIOUS_KEK_VARIABLE} to it, {KEK_VARIABLE} to the new one, and run \
         `postq-vault rewrap`. Nothing was changed",
        missing.join(", ")
    )
}

fn read_kek(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let kek = fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let kek = Zeroizing::new(kek);
    Kek::from_base64(&kek).with_context(|| {
        format!("`{}` holds no key-encryption key; put back the one that was there", path.display())
    })?;
    Ok(kek)
}

/// The file appears whole or not at all, and never in place of another.
fn write_new_kek(dir: &Path, path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let kek = Kek::generate()?.expose_base64();
    let write = || {
        // Made with mode 0600.
        let mut file = NamedTempFile::new_in(dir)?;
        writeln!(file, "{}", *kek)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        // The name must be as durable as the bytes: without it, everything that is ever sealed is lost.
        File::open(dir)?.sync_all()
    };
    write().with_context(|| format!("`{}` cannot be written", path.display()))?;
    Ok(kek)
}

fn lock(path: &Path) -> std::io::Result<File> {
    let file = private_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            tracing::info!("another process is starting over this directory; waiting for it");
            file.lock().map(|()| file)
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

const STORE_FILE: &str = "vault.db";
const KEK_FILE: &str = "signing-kek";
const LOCK_FILE: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn variables(current: Option<&Kek>, previous: Option<&Kek>) -> KekVariables {
        let text = |kek: &Kek| kek.expose_base64();
        KekVariables { current: current.map(text), previous: previous.map(text) }
    }

    #[tokio::test]
    async fn a_first_start_makes_a_private_kek_and_the_next_one_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("data");
        let first = open_or_create(&dir, KekVariables::default(), None).await.unwrap();
        let file = first.new_kek.clone().unwrap();
        for private in [&file, &dir.join(STORE_FILE)] {
            assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        assert!(open_or_create(&dir, KekVariables::default(), None).await.unwrap().new_kek.is_none());
    }

    #[tokio::test]
    async fn a_directory_without_a_vault_is_not_made_one_in_passing() {
        let dir = tempfile::tempdir().unwrap();
        let refusal = open(dir.path(), KekVariables::default(), None).await.err().unwrap().to_string();
        assert!(refusal.contains("there is no vault in"), "{refusal}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_malformed_kek_says_what_to_set_and_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let current = Some(Zeroizing::new("a-secret-that-is-malformed".to_owned()));
        let refusal =
            open_or_create(dir.path(), KekVariables { current, previous: None }, None).await.err().unwrap();
        let refusal = format!("{refusal:#}");
        assert!(refusal.contains(KEK_VARIABLE) && refusal.contains("32 random bytes"), "{refusal}");
        assert!(!refusal.contains("a-secret"), "{refusal}");
    }

    #[tokio::test]
    async fn a_kek_that_is_set_to_nothing_is_not_replaced_by_one_beside_the_data() {
        let dir = tempfile::tempdir().unwrap();
        let current = Some(Zeroizing::new(" ".to_owned()));
        let refusal = open_or_create(dir.path(), KekVariables { current, previous: None }, None)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(refusal.contains("set POSTQ_SIGNING_KEK to 32 random bytes"), "{refusal}");
        assert!(!dir.path().join(KEK_FILE).exists());
    }

    #[tokio::test]
    async fn a_directory_in_use_does_not_start_under_another_kek_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Kek::generate().unwrap(), Kek::generate().unwrap());
        let opened = open_or_create(dir.path(), variables(Some(&old), None), None).await.unwrap();
        let ports =
            vault::ops::create_org::Ports { custody: opened.custody.clone(), writes: opened.store.clone() };
        let request = vault::ops::create_org::Request {
            name: "org".into(),
            environment: vault::caller::Environment::Live,
            token: None,
        };
        vault::ops::create_org::create_org(&ports, request).await.unwrap();
        drop(opened);

        let refusal =
            open_or_create(dir.path(), KekVariables::default(), None).await.err().unwrap().to_string();
        assert!(refusal.contains("POSTQ_SIGNING_KEK"), "{refusal}");
        let refusal =
            open_or_create(dir.path(), variables(Some(&new), None), None).await.err().unwrap().to_string();
        assert!(refusal.contains(&old.derive_id().to_string()) && refusal.contains("(1 keys)"), "{refusal}");
        assert!(open_or_create(dir.path(), variables(Some(&new), Some(&old)), None).await.is_ok());
    }
}
