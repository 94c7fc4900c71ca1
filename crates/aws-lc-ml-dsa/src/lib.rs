//! ML-DSA (FIPS 204) under a context string, by AWS-LC's `EVP` interface, which `aws-lc-rs` does not reach: its signatures are
//! those of an empty context.
//!
//! In scope: a key pair from its seed, hedged signatures, verification. Out of scope: everything that `aws-lc-rs` does itself.
//! This is the one crate of the workspace with `unsafe` code, and that is all it is for.
//!
//! What is allocated here AWS-LC frees, and `OPENSSL_free` erases what it frees. An error leaves an entry in the thread's error
//! queue, which is bounded and which nobody reads: [`Error`] says which call it was.

use std::ptr::{NonNull, null, null_mut};

use aws_lc_sys::{
    EVP_DigestSign, EVP_DigestSignInit, EVP_DigestVerify, EVP_DigestVerifyInit, EVP_MD_CTX, EVP_MD_CTX_free,
    EVP_MD_CTX_new, EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_set1_signature_context_string, EVP_PKEY_free,
    EVP_PKEY_get_raw_public_key, EVP_PKEY_pqdsa_new_raw_private_key, EVP_PKEY_pqdsa_new_raw_public_key,
    NID_MLDSA44, NID_MLDSA65, NID_MLDSA87,
};

/// Length of a seed ξ in bytes (FIPS 204 §6.1).
pub const SEED_LEN: usize = 32;

/// A parameter set (FIPS 204 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterSet {
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl ParameterSet {
    const fn nid(self) -> i32 {
        match self {
            Self::MlDsa44 => NID_MLDSA44,
            Self::MlDsa65 => NID_MLDSA65,
            Self::MlDsa87 => NID_MLDSA87,
        }
    }

    const fn public_key_len(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    const fn signature_len(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }
}

/// The call of AWS-LC that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(pub &'static str);

/// A key pair, expanded from its seed. It has no `Debug`, and is erased when dropped.
pub struct KeyPair {
    set: ParameterSet,
    key: Key,
}

impl KeyPair {
    /// Expands a seed, of which every 32 bytes are one (FIPS 204 §6.1, algorithm 6).
    ///
    /// # Errors
    /// [`Error`] where there is no memory.
    pub fn from_seed(set: ParameterSet, seed: &[u8; SEED_LEN]) -> Result<Self, Error> {
        // SAFETY: `seed` is readable for the length that is said; the function copies it and keeps no pointer to it.
        let key = unsafe { EVP_PKEY_pqdsa_new_raw_private_key(set.nid(), seed.as_ptr(), seed.len()) };
        Key::owning(key, "EVP_PKEY_pqdsa_new_raw_private_key").map(|key| Self { set, key })
    }

    /// The encoded public key (FIPS 204 §7.2).
    ///
    /// # Errors
    /// None for a key that was made from a seed.
    pub fn public_key(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.set.public_key_len()];
        let mut length = bytes.len();
        // SAFETY: the key is alive, `bytes` is writable for `length` bytes, and no more than `length` are written.
        let done =
            unsafe { EVP_PKEY_get_raw_public_key(self.key.0.as_ptr(), bytes.as_mut_ptr(), &raw mut length) };
        succeeded(done == 1 && length == bytes.len(), "EVP_PKEY_get_raw_public_key")?;
        Ok(bytes)
    }

    /// Signs hedged (FIPS 204 §5.2, algorithm 2), with 32 bytes of AWS-LC's own generator, which aborts the process where the
    /// operating system gives it no entropy.
    ///
    /// # Errors
    /// [`Error`] for a context of more than 255 bytes, and where there is no memory.
    pub fn sign(&self, message: &[u8], context: &[u8]) -> Result<Vec<u8>, Error> {
        let mut operation = Operation::new()?;
        let mut parameters: *mut EVP_PKEY_CTX = null_mut();
        // SAFETY: the operation and the key are alive; the key is counted up, not changed. A null digest and a null engine are
        // what ML-DSA takes. `parameters` is written, and points into the operation.
        let begun = unsafe {
            EVP_DigestSignInit(
                operation.as_mut_ptr(),
                &raw mut parameters,
                null(),
                null_mut(),
                self.key.0.as_ptr(),
            )
        };
        succeeded(begun == 1, "EVP_DigestSignInit")?;
        set_context(parameters, &operation, context)?;
        let mut signature = vec![0; self.set.signature_len()];
        let mut length = signature.len();
        // SAFETY: the operation was begun above, `signature` is writable for `length` bytes, of which no more are written, and
        // `message` is readable for its length.
        let signed = unsafe {
            EVP_DigestSign(
                operation.as_mut_ptr(),
                signature.as_mut_ptr(),
                &raw mut length,
                message.as_ptr(),
                message.len(),
            )
        };
        succeeded(signed == 1 && length == signature.len(), "EVP_DigestSign")?;
        Ok(signature)
    }
}

/// Verifies (FIPS 204 §5.3, algorithm 3). Bytes that encode no key or no signature do not verify, nor does anything under a
/// context of more than 255 bytes.
///
/// # Errors
/// [`Error`] where there is no memory.
pub fn verify(
    set: ParameterSet,
    public_key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    if public_key.len() != set.public_key_len()
        || signature.len() != set.signature_len()
        || context.len() > 255
    {
        return Ok(false);
    }
    // SAFETY: `public_key` is readable for the length that is said; the function copies it and keeps no pointer to it.
    let key = unsafe { EVP_PKEY_pqdsa_new_raw_public_key(set.nid(), public_key.as_ptr(), public_key.len()) };
    let key = Key::owning(key, "EVP_PKEY_pqdsa_new_raw_public_key")?;
    let mut operation = Operation::new()?;
    let mut parameters: *mut EVP_PKEY_CTX = null_mut();
    // SAFETY: as where a signature is begun.
    let begun = unsafe {
        EVP_DigestVerifyInit(operation.as_mut_ptr(), &raw mut parameters, null(), null_mut(), key.0.as_ptr())
    };
    succeeded(begun == 1, "EVP_DigestVerifyInit")?;
    set_context(parameters, &operation, context)?;
    // SAFETY: the operation was begun above; both slices are readable for their lengths.
    let verified = unsafe {
        EVP_DigestVerify(
            operation.as_mut_ptr(),
            signature.as_ptr(),
            signature.len(),
            message.as_ptr(),
            message.len(),
        )
    };
    Ok(verified == 1)
}

/// `parameters` points into the operation, which is borrowed so that it is still there.
fn set_context(parameters: *mut EVP_PKEY_CTX, _: &Operation, context: &[u8]) -> Result<(), Error> {
    // SAFETY: `parameters` was written by the operation's beginning and lives as long as the operation; `context` is readable
    // for its length, and is copied.
    let set =
        unsafe { EVP_PKEY_CTX_set1_signature_context_string(parameters, context.as_ptr(), context.len()) };
    succeeded(set == 1, "EVP_PKEY_CTX_set1_signature_context_string")
}

fn succeeded(succeeded: bool, call: &'static str) -> Result<(), Error> {
    if succeeded { Ok(()) } else { Err(Error(call)) }
}

/// An `EVP_PKEY` that this owns.
struct Key(NonNull<EVP_PKEY>);

// SAFETY: nothing ties an `EVP_PKEY` to the thread that made it: it is plain memory with an atomic count of references.
unsafe impl Send for Key {}
// SAFETY: AWS-LC lets any number of threads use one `EVP_PKEY` at a time by functions that do not change it, and after it was
// made here it is only signed with and read.
unsafe impl Sync for Key {}

impl Key {
    fn owning(key: *mut EVP_PKEY, call: &'static str) -> Result<Self, Error> {
        NonNull::new(key).map(Self).ok_or(Error(call))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: it was made by AWS-LC, belongs to this alone, and is not used after this.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// An `EVP_MD_CTX` that this owns: one signature, or one verification.
struct Operation(NonNull<EVP_MD_CTX>);

impl Operation {
    fn new() -> Result<Self, Error> {
        // SAFETY: it takes nothing.
        let operation = unsafe { EVP_MD_CTX_new() };
        NonNull::new(operation).map(Self).ok_or(Error("EVP_MD_CTX_new"))
    }

    const fn as_mut_ptr(&mut self) -> *mut EVP_MD_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: it was made by AWS-LC, belongs to this alone, and is not used after this; it frees the parameters in it.
        unsafe { EVP_MD_CTX_free(self.0.as_ptr()) };
    }
}
