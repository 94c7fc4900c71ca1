//! Halves whose seals were opened, expanded to sign with, and kept for the next signature for as long as who wraps their data key allows.
//!
//! What is kept saves opening and expanding, never a look: a key's row, with its status and its tag, is read for every signature
//! before anything is taken from here.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use composite::{Algorithm, ClassicalSecret, PqSecret};

use super::{HalfSecret, WrappedDek};
use crate::{
    Timestamp,
    id::{KeyId, OrgId},
};

/// The halves of one key that the vault keeps, opened and expanded. They are erased when the last who uses them lets go.
#[derive(Default)]
pub struct OpenedHalves {
    /// The classical half; `None` where a cloud holds it.
    pub classical: Option<ClassicalSecret>,
    /// The ML-DSA half; `None` where a cloud holds it.
    pub pq: Option<PqSecret>,
}

impl OpenedHalves {
    /// Expands the secrets of an algorithm's halves.
    ///
    /// # Errors
    /// [`composite::Error::InvalidSecret`] for 32 bytes that are no secret of the half.
    pub fn expand(
        algorithm: Algorithm,
        classical: Option<&HalfSecret>,
        pq: Option<&HalfSecret>,
    ) -> Result<Self, composite::Error> {
        let classical = classical
            .map(|secret| ClassicalSecret::from_bytes(algorithm.classical(), &secret.0))
            .transpose()?;
        let pq = pq.map(|secret| PqSecret::from_bytes(algorithm.pq(), &secret.0)).transpose()?;
        Ok(Self { classical, pq })
    }
}

/// Opened halves of at most [`MAX_OPENED`] keys: one process' own. Of what is in it, `Debug` tells how much it is.
#[derive(Default)]
pub struct OpenedKeys(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    keys: HashMap<(OrgId, KeyId), Opened>,
    swept: Option<Timestamp>,
}

struct Opened {
    /// SHA-256 of the wrapped data key by which the seals were opened. One that is wrapped anew opens them anew.
    wrapped: [u8; 32],
    halves: Arc<OpenedHalves>,
    seconds: u16,
    since: Timestamp,
    /// The same by a clock that nobody sets, and that stands still while a process is frozen.
    began: Instant,
    used: Timestamp,
}

impl Opened {
    /// Until either clock says that its time is over.
    fn is_kept(&self, now: Timestamp) -> bool {
        self.is_younger_than(self.seconds, now)
    }

    fn is_younger_than(&self, seconds: u16, now: Timestamp) -> bool {
        let by_day = now >= self.since && now < self.since.after_seconds(seconds);
        by_day && self.began.elapsed() < Duration::from_secs(seconds.into())
    }
}

impl OpenedKeys {
    /// The halves that were opened by this wrapped data key no longer than `seconds` ago.
    pub(crate) fn get(
        &self,
        (org, key): (&OrgId, &KeyId),
        wrapped: &WrappedDek,
        seconds: u16,
        now: Timestamp,
    ) -> Option<Arc<OpenedHalves>> {
        let mut kept = self.lock();
        kept.sweep_now_and_then(now);
        let name = (org.clone(), key.clone());
        let found = kept.keys.get_mut(&name)?;
        if found.is_kept(now)
            && found.is_younger_than(seconds, now)
            && found.wrapped == ledger::sha256(&wrapped.bytes)
        {
            found.used = now;
            return Some(found.halves.clone());
        }
        kept.keys.remove(&name);
        None
    }

    /// Keeps halves for so many seconds, none of them where that is 0. Where there is no more room, the key that was not used for
    /// the longest time makes some.
    pub(crate) fn put(
        &self,
        (org, key): (&OrgId, &KeyId),
        wrapped: &WrappedDek,
        halves: &Arc<OpenedHalves>,
        seconds: u16,
        now: Timestamp,
    ) {
        if seconds == 0 {
            return;
        }
        let opened = Opened {
            wrapped: ledger::sha256(&wrapped.bytes),
            halves: halves.clone(),
            seconds,
            since: now,
            began: Instant::now(),
            used: now,
        };
        let mut kept = self.lock();
        kept.sweep_now_and_then(now);
        let name = (org.clone(), key.clone());
        if kept.keys.len() >= MAX_OPENED && !kept.keys.contains_key(&name) {
            let unused = kept.keys.iter().min_by_key(|(_, opened)| opened.used);
            let unused = unused.map(|(name, _)| name.clone());
            unused.and_then(|unused| kept.keys.remove(&unused));
        }
        kept.keys.insert(name, opened);
    }

    /// Lets go of what was kept long enough.
    pub fn sweep(&self, now: Timestamp) {
        self.lock().sweep(now);
    }

    /// Lets go of a key that signs no more.
    pub(crate) fn forget(&self, org: &OrgId, key: &KeyId) {
        self.lock().keys.remove(&(org.clone(), key.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn sweep(&mut self, now: Timestamp) {
        self.keys.retain(|_, opened| opened.is_kept(now));
        self.swept = Some(now);
    }

    /// A process that signs lets go of other keys as well, once a second at most.
    fn sweep_now_and_then(&mut self, now: Timestamp) {
        if self.swept.is_none_or(|swept| now < swept || now >= swept.after_seconds(1)) {
            self.sweep(now);
        }
    }
}

impl fmt::Debug for OpenedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedKeys({})", self.lock().keys.len())
    }
}

/// How many keys' halves are kept at most, some ten kilobytes each.
const MAX_OPENED: usize = 1024;

/// How long opened halves are kept, in seconds, of keys whose data keys the vault wraps itself: whoever has its memory has the
/// key-encryption key as well.
pub(crate) const DEK_CACHE_TTL_OF_ENV: u16 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> (OrgId, KeyId) {
        (OrgId::generate(Timestamp::now()).unwrap(), KeyId::generate(Timestamp::now()).unwrap())
    }

    fn wrapped(byte: u8) -> WrappedDek {
        WrappedDek { bytes: vec![byte; 60], kek_key_id: None }
    }

    #[test]
    fn it_is_kept_for_its_time_and_for_no_longer_than_is_allowed_now() {
        let (opened, (org, key), halves) = (OpenedKeys::default(), name(), Arc::default());
        let now = Timestamp::now();
        let kept = |seconds, at| opened.get((&org, &key), &wrapped(1), seconds, at).is_some();
        opened.put((&org, &key), &wrapped(1), &halves, 60, now);
        assert!(kept(60, now) && kept(300, now.after_seconds(59)));
        assert!(!kept(300, now.after_seconds(60)), "its time is over");
        assert!(!kept(300, now), "and then it is gone");

        opened.put((&org, &key), &wrapped(1), &halves, 60, now);
        assert!(!kept(30, now.after_seconds(30)), "less is allowed now");
        opened.put((&org, &key), &wrapped(1), &halves, 60, now);
        assert!(!kept(0, now), "nothing is allowed now");
        opened.put((&org, &key), &wrapped(1), &halves, 0, now);
        assert!(!kept(300, now), "nothing was allowed then");
        opened.put((&org, &key), &wrapped(1), &halves, 60, now.after_seconds(10));
        assert!(!kept(300, now), "the clock was set back");
    }

    #[test]
    fn it_is_the_keys_own_and_the_wrapped_data_keys() {
        let (opened, (org, key), halves) = (OpenedKeys::default(), name(), Arc::default());
        let now = Timestamp::now();
        let (other_org, other_key) = name();
        let keep = || opened.put((&org, &key), &wrapped(1), &halves, 60, now);
        let kept = |org: &OrgId, key: &KeyId, byte| opened.get((org, key), &wrapped(byte), 60, now).is_some();
        keep();
        assert!(!kept(&other_org, &key, 1) && !kept(&org, &other_key, 1) && kept(&org, &key, 1));
        assert!(!kept(&org, &key, 2), "it was wrapped anew");
        assert!(!kept(&org, &key, 1));
        keep();
        opened.forget(&org, &other_key);
        assert!(kept(&org, &key, 1));
        opened.forget(&org, &key);
        assert!(!kept(&org, &key, 1));
        keep();
        opened.sweep(now.after_seconds(59));
        assert!(kept(&org, &key, 1));
        opened.sweep(now.after_seconds(60));
        assert!(!kept(&org, &key, 1));
    }

    #[test]
    fn there_are_never_more_than_the_most_and_what_was_not_used_goes_first() {
        let (opened, org, halves) = (OpenedKeys::default(), name().0, Arc::default());
        let now = Timestamp::now();
        let keys: Vec<KeyId> = (0..=MAX_OPENED).map(|_| KeyId::generate(now).unwrap()).collect();
        let mut at = now;
        for key in &keys {
            opened.put((&org, key), &wrapped(1), &halves, 300, at);
            at = at.next();
            // The first is used all the time.
            assert!(opened.get((&org, &keys[0]), &wrapped(1), 300, at).is_some());
        }
        let kept =
            |at| keys.iter().filter(|key| opened.get((&org, key), &wrapped(1), 300, at).is_some()).count();
        assert!(opened.get((&org, &keys[1]), &wrapped(1), 300, at).is_none());
        assert_eq!(kept(at), MAX_OPENED);
        // One more of a key that is kept takes nobody's place.
        opened.put((&org, &keys[MAX_OPENED]), &wrapped(2), &halves, 300, at);
        assert_eq!(kept(at), MAX_OPENED - 1);
        assert_eq!(format!("{opened:?}"), format!("OpenedKeys({})", MAX_OPENED - 1));
        // Whoever looks for one lets go of all whose time is over.
        opened.get((&org, &keys[0]), &wrapped(1), 300, at.after_seconds(301));
        assert_eq!(format!("{opened:?}"), "OpenedKeys(0)");
    }
}
