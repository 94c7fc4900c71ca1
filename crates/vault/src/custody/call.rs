//! One call of a cloud, and what its failure means: the same for all of them, so that what is said of one is said of each.

use std::fmt;

use composite::{
    CLASSICAL_SIGNATURE_LEN, MessageRepresentative, PublicKey,
    halves::{is_classical_half, is_pq_half},
};

use super::{CloudFault, CloudName, CustodyError, Remains};
use crate::{Timestamp, id::KeyId};

/// A call: the permission as the cloud names it, and what it is on where that is something certain.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    cloud: CloudName,
    action: &'static str,
    on: Option<&'a str>,
}

impl Call<'static> {
    /// A call on nothing that is certain yet.
    #[must_use]
    pub const fn of(cloud: CloudName, action: &'static str) -> Self {
        Self { cloud, action, on: None }
    }
}

impl<'a> Call<'a> {
    /// A call on a key, or on what keys are in.
    #[must_use]
    pub const fn on(cloud: CloudName, action: &'static str, on: &'a str) -> Self {
        Self { cloud, action, on: Some(on) }
    }
}

impl Call<'_> {
    /// The classical half's signature that a cloud answered, if it is one: a wrong half never leaves.
    ///
    /// # Errors
    /// [`CloudFault::WrongAnswer`].
    pub fn classical_half(
        self,
        key: &PublicKey,
        message: &MessageRepresentative,
        signature: [u8; CLASSICAL_SIGNATURE_LEN],
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], Failed> {
        is_classical_half(key, message, &signature).then_some(signature).ok_or_else(|| self.another_half())
    }

    /// The same for the ML-DSA half's.
    ///
    /// # Errors
    /// [`CloudFault::WrongAnswer`].
    pub fn pq_half(
        self,
        key: &PublicKey,
        message: &MessageRepresentative,
        signature: Vec<u8>,
    ) -> Result<Vec<u8>, Failed> {
        is_pq_half(key, message, &signature).then_some(signature).ok_or_else(|| self.another_half())
    }

    fn another_half(self) -> Failed {
        Failed::wrong(self, "it is no signature by this half")
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.on {
            Some(on) => write!(f, "{} on {on}", self.action),
            None => f.write_str(self.action),
        }
    }
}

/// A call that was not answered as it should have been.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub fault: CloudFault,
    /// The service's code for it, where the service answered.
    pub code: Option<String>,
    cloud: CloudName,
    action: &'static str,
    remains: Remains,
    /// The call and the service's words on it.
    detail: String,
}

impl Failed {
    /// A failure of a call, in words that have no secret. What it left is not known.
    #[must_use]
    pub fn new(fault: CloudFault, call: Call<'_>, detail: impl fmt::Display) -> Self {
        let Call { cloud, action, .. } = call;
        let detail = format!("{call}: {detail}");
        Self { fault, code: None, cloud, action, remains: Remains::Unknown, detail }
    }

    /// An answer other than what was asked for.
    #[must_use]
    pub fn wrong(call: Call<'_>, detail: &str) -> Self {
        Self::new(CloudFault::WrongAnswer, call, detail)
    }

    /// The same, with the service's code for it.
    #[must_use]
    pub fn coded(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The same, without a code.
    #[must_use]
    pub fn uncoded(self) -> Self {
        Self { code: None, ..self }
    }

    /// The same, where it is known what was left.
    #[must_use]
    pub fn leaving(self, remains: Remains) -> Self {
        Self { remains, ..self }
    }

    /// The same for another reason.
    #[must_use]
    pub fn of_fault(self, fault: CloudFault) -> Self {
        Self { fault, ..self }
    }

    /// The same, told of another action: the one that had to come first.
    #[must_use]
    pub fn of_action(self, action: &'static str) -> Self {
        Self { action, ..self }
    }

    /// Whether the service's code for it is this one.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<Failed> for CustodyError {
    fn from(failed: Failed) -> Self {
        let Failed { fault, cloud, action, remains, detail, .. } = failed;
        Self::Cloud { cloud, fault, action, remains, detail }
    }
}

/// Whether a hybrid key is so young that not everybody at a cloud may know of its halves and their marks.
#[must_use]
pub fn is_young(key: &KeyId) -> bool {
    Timestamp::now().as_millis().saturating_sub(key.made_at().as_millis()) <= YOUNG_MILLIS
}

/// How long a key counts as just made.
const YOUNG_MILLIS: u64 = 60 * 60 * 1000;
