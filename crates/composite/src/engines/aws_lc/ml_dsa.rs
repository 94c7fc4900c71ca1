//! ML-DSA by AWS-LC.

use aws_lc_ml_dsa::{KeyPair, ParameterSet};

use crate::{Error, MlDsaSet};

/// A seed with the key pair expanded from it. AWS-LC erases it when it is dropped.
pub(crate) struct Key {
    pair: KeyPair,
    public_key: Vec<u8>,
}

impl Key {
    pub(crate) fn from_seed(set: MlDsaSet, seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = KeyPair::from_seed(parameters(set), seed).map_err(|_| Error::Signing)?;
        let public_key = pair.public_key().map_err(|_| Error::Signing)?;
        Ok(Self { pair, public_key })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn sign(&self, message: &[u8], context: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(message, context).map_err(|_| Error::Signing)
    }
}

pub(crate) fn verify(
    set: MlDsaSet,
    public_key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> bool {
    aws_lc_ml_dsa::verify(parameters(set), public_key, message, context, signature).unwrap_or(false)
}

const fn parameters(set: MlDsaSet) -> ParameterSet {
    match set {
        MlDsaSet::MlDsa44 => ParameterSet::MlDsa44,
        MlDsaSet::MlDsa65 => ParameterSet::MlDsa65,
        MlDsaSet::MlDsa87 => ParameterSet::MlDsa87,
    }
}
