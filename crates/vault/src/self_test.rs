//! That this process can sign at all, found out before it serves anybody.

use composite::{
    Algorithm, ClassicalSecret, Context, PqSecret, Prehash, PublicKey, Signature, SigningInput, verify,
};

use crate::{custody::CustodyError, random};

/// Signs and verifies with throw-away keys of both classical algorithms. It also has the engine seed its random numbers, so that
/// the first signature does not wait for that.
///
/// # Errors
/// [`CustodyError::Random`], [`CustodyError::Composite`], and [`CustodyError::Primitive`] where a signature does not verify.
pub fn self_test() -> Result<(), CustodyError> {
    for algorithm in [Algorithm::MlDsa65Ed25519, Algorithm::MlDsa44EcdsaP256] {
        let pq = PqSecret::from_bytes(algorithm.pq(), &*random::generate_secret()?)?;
        let classical = ClassicalSecret::from_bytes(algorithm.classical(), &*random::generate_secret()?)?;
        let public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key())?;
        let prehash = Prehash::derive(algorithm, b"self-test");
        let input = SigningInput::user(algorithm, &Context::default(), &prehash)?;
        let signature = Signature::assemble(algorithm, &pq.sign(&input)?, &classical.sign(&input)?)?;
        if !verify(&public_key, input.message(), &signature).ok() {
            return Err(CustodyError::Primitive("the engine's own signature"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_build_can_sign() {
        assert_eq!(super::self_test(), Ok(()));
    }
}
