//! Keys at clouds that do not answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::CloudFault;

/// Keys that do not answer. While one has not answered for some calls it is asked by one request at a time, so that the others
/// learn at once what they would learn in seconds; the first answer ends that.
#[derive(Default)]
pub struct Breakers {
    keys: Mutex<HashMap<String, Silence>>,
}

#[derive(Default)]
struct Silence {
    unanswered: u32,
    asking: bool,
}

impl Breakers {
    /// A turn to ask a key; `None` where it does not answer and somebody is asking already.
    #[must_use]
    pub fn turn(self: &Arc<Self>, key: &str) -> Option<Turn> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = match keys.get_mut(key) {
            Some(silence) if silence.unanswered >= UNANSWERED => {
                if std::mem::replace(&mut silence.asking, true) {
                    return None;
                }
                true
            }
            _ => false,
        };
        Some(Turn { breakers: self.clone(), key: key.to_owned(), alone })
    }
}

/// A turn to ask a key, which ends when it is dropped.
pub struct Turn {
    breakers: Arc<Breakers>,
    key: String,
    alone: bool,
}

impl Turn {
    /// What came of it.
    pub fn report(&self, fault: Option<CloudFault>) {
        let silent = matches!(fault, Some(CloudFault::TimedOut | CloudFault::Unavailable));
        let mut keys = self.breakers.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if silent {
            let silence = keys.entry(self.key.clone()).or_default();
            silence.unanswered = silence.unanswered.saturating_add(1);
        } else {
            keys.remove(&self.key);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.alone {
            let mut keys = self.breakers.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(silence) = keys.get_mut(&self.key) {
                silence.asking = false;
            }
        }
    }
}

/// So many calls in a row must be left without an answer before a key is asked by one request at a time.
const UNANSWERED: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_key_is_asked_by_one_at_a_time_until_it_answers() {
        let breakers = Arc::new(Breakers::default());
        for _ in 0..UNANSWERED {
            breakers.turn("key").unwrap().report(Some(CloudFault::TimedOut));
        }
        let asking = breakers.turn("key").unwrap();
        assert!(breakers.turn("key").is_none(), "two ask a silent key");
        assert!(breakers.turn("another").is_some());
        asking.report(Some(CloudFault::Unavailable));
        drop(asking);

        let asking = breakers.turn("key").unwrap();
        asking.report(None);
        drop(asking);
        let both = (breakers.turn("key"), breakers.turn("key"));
        assert!(both.0.is_some() && both.1.is_some(), "it answered");
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let breakers = Arc::new(Breakers::default());
        for _ in 0..2 * UNANSWERED {
            breakers.turn("key").unwrap().report(Some(CloudFault::Denied));
        }
        let both = (breakers.turn("key"), breakers.turn("key"));
        assert!(both.0.is_some() && both.1.is_some());
    }
}
