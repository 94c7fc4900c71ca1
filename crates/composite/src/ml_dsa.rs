//! The ML-DSA half (FIPS 204): the one file that knows which engine computes it.

use ml_dsa::{
    B32, EncodedSignature, EncodedVerifyingKey, KeyExport, Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams,
    Signature, SigningKey, VerifyingKey,
};
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
    fn verify<P: MlDsaParams>(public_key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
        let (Ok(public_key), Ok(signature)) =
            (EncodedVerifyingKey::<P>::try_from(public_key), EncodedSignature::<P>::try_from(signature))
        else {
            return false;
        };
        Signature::<P>::decode(&signature).is_some_and(|signature| {
            VerifyingKey::<P>::decode(&public_key).verify_with_context(message, context, &signature)
        })
    }
    match set {
        MlDsaSet::MlDsa44 => verify::<MlDsa44>(public_key, message, context, signature),
        MlDsaSet::MlDsa65 => verify::<MlDsa65>(public_key, message, context, signature),
        MlDsaSet::MlDsa87 => verify::<MlDsa87>(public_key, message, context, signature),
    }
}
