//! Revocations kept apart: a file that is no part of any backup of the store, so that a store which is put back to an earlier
//! hour is noticed, and knows which keys must not come back.
//!
//! One JSON line each: which store the file belongs to; a revocation, written and synced before the store commits it; and that
//! the store did, written and synced before the revocation is acknowledged; and a key that a cloud has a part in, before the store
//! commits it, so that nobody takes its creation for one that never finished. So a revocation without the second line was never
//! acknowledged, and the store may have it or not.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{File, Metadata, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    store::{StoreError, Tombstone},
};

use crate::connection::unavailable;

pub(crate) struct Revocations {
    path: PathBuf,
    known: Mutex<Option<(Stamp, Arc<Known>)>>,
}

/// By what a file that was read is known to be unchanged.
type Stamp = (u64, u64, i64, i64);

/// What the file says.
#[derive(Debug, Default, Clone)]
pub(crate) struct Known {
    /// The store that it belongs to; none where there is no file.
    pub(crate) store: Option<String>,
    /// Revocations by their numbers, from 1.
    begun: BTreeMap<u64, Tombstone>,
    /// The number of the last one that the store is known to have.
    committed: u64,
    revoked: HashMap<(OrgId, KeyId), Timestamp>,
    /// Keys that a cloud has a part in, and that were about to be committed.
    made: HashSet<(OrgId, KeyId)>,
    /// How many bytes are whole lines.
    whole: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, untagged)]
enum Line {
    Store { v: u64, store: String },
    Begun { number: u64, tombstone: Tombstone },
    Committed { committed: u64 },
    Made { org: OrgId, made: KeyId },
}

/// The file is not what the vault wrote.
#[derive(Debug, thiserror::Error)]
#[error("line {0} of the file of revocations is not what the vault writes")]
struct Malformed(usize);

impl Revocations {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), known: Mutex::new(None) }
    }

    /// What the file says now. It is read again only when it has changed.
    pub(crate) fn known(&self) -> Result<Arc<Known>, StoreError> {
        let mut cached = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match std::fs::metadata(&self.path) {
            Ok(found) => stamp(&found),
            Err(error) if error.kind() == ErrorKind::NotFound => (0, 0, 0, 0),
            Err(error) => return Err(unavailable(error)),
        };
        if let Some((at, known)) = cached.as_ref()
            && *at == stamp
        {
            return Ok(known.clone());
        }
        let known = Arc::new(if stamp == (0, 0, 0, 0) { Known::default() } else { self.read()? });
        *cached = Some((stamp, known.clone()));
        Ok(known)
    }

    /// Makes the file, or makes it anew, whole: for a store and the revocations that it has. Whoever calls this or any of what
    /// follows holds the store's lock for writing, so no two do at once, in whichever processes.
    pub(crate) fn replace<'a>(
        &self,
        store: &str,
        revocations: impl IntoIterator<Item = &'a Tombstone>,
    ) -> Result<u64, StoreError> {
        let write = || {
            let mut bytes = line(&Line::Store { v: 1, store: store.to_owned() })?;
            let mut count = 0;
            for tombstone in revocations {
                count += 1;
                bytes.extend(line(&Line::Begun { number: count, tombstone: tombstone.clone() })?);
            }
            if count > 0 {
                bytes.extend(line(&Line::Committed { committed: count })?);
            }
            // It appears whole or not at all.
            let new = self.path.with_extension("new");
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)?;
            // The name must be as durable as the bytes.
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok::<_, std::io::Error>(count)
        };
        write().map_err(unavailable)
    }

    /// Writes down a revocation that the store is about to commit as its number `number`.
    pub(crate) fn begin(&self, number: u64, tombstone: &Tombstone) -> Result<(), StoreError> {
        self.append(&Line::Begun { number, tombstone: tombstone.clone() })
    }

    /// Writes down that the store has it.
    pub(crate) fn commit(&self, number: u64) -> Result<(), StoreError> {
        if self.known()?.committed >= number {
            Ok(())
        } else {
            self.append(&Line::Committed { committed: number })
        }
    }

    /// Writes down that a key which a cloud has a part in is about to be committed.
    pub(crate) fn note_made(&self, org: &OrgId, key: &KeyId) -> Result<(), StoreError> {
        self.append(&Line::Made { org: org.clone(), made: key.clone() })
    }

    fn append(&self, content: &Line) -> Result<(), StoreError> {
        let whole = self.known()?.whole;
        // Whoever looks a key up waits for the disk here, rather than to read all of the file again.
        let mut cached = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            // What a crash left of a line was never acted upon.
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            let line = line(content)?;
            file.write_all(&line)?;
            file.sync_all()?;
            Ok::<_, std::io::Error>((stamp(&file.metadata()?), whole + line.len() as u64))
        };
        let (stamp, whole) = write().map_err(unavailable)?;
        if let Some((at, known)) = cached.as_mut() {
            let known = Arc::make_mut(known);
            known.add(content);
            known.whole = whole;
            *at = stamp;
        }
        Ok(())
    }

    fn read(&self) -> Result<Known, StoreError> {
        let mut bytes = Vec::new();
        File::open(&self.path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(unavailable)?;
        let mut known = Known::default();
        for (number, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            if !text.ends_with(b"\n") {
                break;
            }
            match serde_json::from_slice(text) {
                Ok(Line::Store { v: 1, store }) if number == 1 => known.store = Some(store),
                Ok(content) if known.store.is_some() && !matches!(content, Line::Store { .. }) => {
                    known.add(&content);
                }
                _ => return Err(unavailable(Malformed(number))),
            }
            known.whole += u64::try_from(text.len()).unwrap_or_default();
        }
        Ok(known)
    }
}

impl Known {
    /// One more line, after the first.
    fn add(&mut self, content: &Line) {
        match content {
            Line::Store { .. } => {}
            Line::Begun { number, tombstone } => {
                // A number is used again where the store never committed what had it.
                self.begun.insert(*number, tombstone.clone());
            }
            Line::Committed { committed } => {
                let certain =
                    self.begun.range(self.committed..).take_while(|(number, _)| *number <= committed);
                self.revoked.extend(certain.map(|(_, t)| ((t.org.clone(), t.key.clone()), t.revoked_at)));
                self.committed = self.committed.max(*committed);
            }
            Line::Made { org, made } => {
                self.made.insert((org.clone(), made.clone()));
            }
        }
    }

    /// Whether this is the file of the store, as far as the store has come. Of a commit that never was, several revocations may have been
    /// written down; none of them was acknowledged.
    pub(crate) fn belongs_to(&self, store: &str, revocations: u64) -> bool {
        let same = self.store.as_deref() == Some(store);
        same && self.last() >= revocations && self.committed <= revocations
    }

    /// The number of the last revocation that was written down.
    pub(crate) fn last(&self) -> u64 {
        self.begun.keys().next_back().copied().unwrap_or_default()
    }

    /// When a key was revoked, whatever the store says.
    pub(crate) fn revoked_at(&self, org: &OrgId, key: &KeyId) -> Option<Timestamp> {
        if self.revoked.is_empty() { None } else { self.revoked.get(&(org.clone(), key.clone())).copied() }
    }

    /// Whether the making of a key may have been finished.
    pub(crate) fn is_made(&self, org: &OrgId, key: &KeyId) -> bool {
        self.made.contains(&(org.clone(), key.clone()))
    }

    /// The revocations that the store is known to have had.
    pub(crate) fn certain(&self) -> impl Iterator<Item = &Tombstone> {
        self.begun.range(..=self.committed).map(|(_, tombstone)| tombstone)
    }
}

fn stamp(found: &Metadata) -> Stamp {
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec())
}

fn line(line: &Line) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
