//! The ML-DSA half (FIPS 204): the one file that knows which engines compute it.
//!
//! Signing and verifying have an engine each. A verifier is carried to browsers, where the size of its code and the time
//! of its first call count; docs/performance.md has what was measured. The engine that signs is the oracle of a
//! differential test of the one that verifies.

use fips204::{
    ml_dsa_44, ml_dsa_65, ml_dsa_87,
    traits::{SerDes, Verifier},
};
use ml_dsa::{B32, KeyExport, Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, SigningKey};
use rand_core::TryCryptoRng;

use crate::{Error, MlDsaSet};

/// A seed with the key pair expanded from it (FIPS 204 §6.1, algorithm 6). The engine erases all of it when dropped.
pub(crate) enum Key {
    MlDsa44(Box<SigningKey<MlDsa44>>),
    MlDsa65(Box<SigningKey<MlDsa65>>),
    MlDsa87(Box<SigningKey<MlDsa87>>),
}

impl Key {
    pub(crate) fn from_seed(set: MlDsaSet, seed: &[u8; 32]) -> Self {
        let seed: &B32 = seed.into();
        match set {
            MlDsaSet::MlDsa44 => Self::MlDsa44(Box::new(SigningKey::from_seed(seed))),
            MlDsaSet::MlDsa65 => Self::MlDsa65(Box::new(SigningKey::from_seed(seed))),
            MlDsaSet::MlDsa87 => Self::MlDsa87(Box::new(SigningKey::from_seed(seed))),
        }
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::MlDsa44(key) => key.verifying_key().to_bytes().to_vec(),
            Self::MlDsa65(key) => key.verifying_key().to_bytes().to_vec(),
            Self::MlDsa87(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }

    /// Signs hedged (FIPS 204 §5.2, algorithm 2): 32 bytes are drawn from `rng`.
    pub(crate) fn sign(
        &self,
        message: &[u8],
        context: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>, Error> {
        fn sign<P: MlDsaParams>(
            key: &SigningKey<P>,
            message: &[u8],
            context: &[u8],
            rng: &mut impl TryCryptoRng,
        ) -> Result<Vec<u8>, Error> {
            key.expanded_key()
                .sign_randomized(message, context, rng)
                .map(|signature| signature.encode().to_vec())
                .map_err(|_| Error::Signing)
        }
        match self {
            Self::MlDsa44(key) => sign(key, message, context, rng),
            Self::MlDsa65(key) => sign(key, message, context, rng),
            Self::MlDsa87(key) => sign(key, message, context, rng),
        }
    }
}

/// Verifies (FIPS 204 §5.3, algorithm 3). Bytes that encode no key or no signature do not verify.
pub(crate) fn verify(
    set: MlDsaSet,
    public_key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> bool {
    fn verify<K, const PK: usize, const SIG: usize>(
        public_key: &[u8],
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> bool
    where
        K: SerDes<ByteArray = [u8; PK]> + Verifier<Signature = [u8; SIG]>,
    {
        let (Ok(public_key), Ok(signature)) = (public_key.try_into(), signature.try_into()) else {
            return false;
        };
        K::try_from_bytes(public_key).is_ok_and(|key| key.verify(message, &signature, context))
    }
    match set {
        MlDsaSet::MlDsa44 => verify::<ml_dsa_44::PublicKey, _, _>(public_key, message, context, signature),
        MlDsaSet::MlDsa65 => verify::<ml_dsa_65::PublicKey, _, _>(public_key, message, context, signature),
        MlDsaSet::MlDsa87 => verify::<ml_dsa_87::PublicKey, _, _>(public_key, message, context, signature),
    }
}
