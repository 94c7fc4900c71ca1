//! ML-DSA: `fips204` verifies, and `ml-dsa` signs.
//!
//! Signing and verifying have an engine each. A verifier is carried to browsers, where the size of its code and the time
//! of its first call count; docs/performance.md has what was measured.

use fips204::{
    ml_dsa_44, ml_dsa_65, ml_dsa_87,
    traits::{SerDes, Verifier},
};
use ml_dsa::{B32, KeyExport, Keypair, MlDsa44, MlDsa65, MlDsa87, SigningKey};
#[cfg(not(target_arch = "wasm32"))]
use {getrandom::SysRng, ml_dsa::MlDsaParams, rand_core::TryCryptoRng};

use crate::{Error, MlDsaSet};

/// A seed with the key pair expanded from it, erased when dropped.
pub(crate) struct Key {
    expanded: Expanded,
    public_key: Vec<u8>,
}

enum Expanded {
    MlDsa44(Box<SigningKey<MlDsa44>>),
    MlDsa65(Box<SigningKey<MlDsa65>>),
    MlDsa87(Box<SigningKey<MlDsa87>>),
}

impl Key {
    #[expect(clippy::unnecessary_wraps, reason = "another engine may have no memory")]
    pub(crate) fn from_seed(set: MlDsaSet, seed: &[u8; 32]) -> Result<Self, Error> {
        let seed: &B32 = seed.into();
        let expanded = match set {
            MlDsaSet::MlDsa44 => Expanded::MlDsa44(Box::new(SigningKey::from_seed(seed))),
            MlDsaSet::MlDsa65 => Expanded::MlDsa65(Box::new(SigningKey::from_seed(seed))),
            MlDsaSet::MlDsa87 => Expanded::MlDsa87(Box::new(SigningKey::from_seed(seed))),
        };
        let public_key = match &expanded {
            Expanded::MlDsa44(key) => key.verifying_key().to_bytes().to_vec(),
            Expanded::MlDsa65(key) => key.verifying_key().to_bytes().to_vec(),
            Expanded::MlDsa87(key) => key.verifying_key().to_bytes().to_vec(),
        };
        Ok(Self { expanded, public_key })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Key {
    /// Signs hedged, with 32 bytes of the operating system's generator.
    pub(crate) fn sign(&self, message: &[u8], context: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign_with(&mut SysRng, message, context)
    }

    /// The same with 32 bytes of a generator that is handed in, as vectors need.
    pub(crate) fn sign_with(
        &self,
        rng: &mut impl TryCryptoRng,
        message: &[u8],
        context: &[u8],
    ) -> Result<Vec<u8>, Error> {
        fn sign<P: MlDsaParams>(
            key: &SigningKey<P>,
            rng: &mut impl TryCryptoRng,
            message: &[u8],
            context: &[u8],
        ) -> Result<Vec<u8>, Error> {
            key.expanded_key()
                .sign_randomized(message, context, rng)
                .map(|signature| signature.encode().to_vec())
                .map_err(|_| Error::Signing)
        }
        match &self.expanded {
            Expanded::MlDsa44(key) => sign(key, rng, message, context),
            Expanded::MlDsa65(key) => sign(key, rng, message, context),
            Expanded::MlDsa87(key) => sign(key, rng, message, context),
        }
    }
}

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
