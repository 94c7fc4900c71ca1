//! Public keys, messages that come in pieces, and signatures.

use composite::{
    Algorithm, Context, Error, MessageRepresentative, Prehash, Prehasher, PublicKey, Signature, Verdict,
};
use ledger::Json;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::fault::{UNKNOWN_ENCODING, fault, of_composite};

/// What a public key is: `{"algorithm","fingerprint"}`.
#[wasm_bindgen(js_name = describePublicKey)]
pub fn describe_public_key(public_key: &str) -> Result<String, JsValue> {
    let key = PublicKey::from_json(public_key).map_err(|error| of_composite(&error))?;
    Ok(Json::object([
        ("algorithm", key.algorithm().name().into()),
        ("fingerprint", hex::encode(key.fingerprint()).into()),
    ])
    .to_canonical())
}

/// The payload's digest, of a payload that comes in pieces.
#[wasm_bindgen]
pub struct Hasher {
    inner: Prehasher,
}

#[wasm_bindgen]
impl Hasher {
    /// Begins with the hash of an algorithm.
    #[wasm_bindgen(constructor)]
    pub fn new(algorithm: &str) -> Result<Self, JsValue> {
        let algorithm: Algorithm = algorithm.parse().map_err(|error| of_composite(&error))?;
        Ok(Self { inner: Prehasher::new(algorithm) })
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.inner.update(piece);
    }

    /// The digest of the pieces so far.
    pub fn digest(&self) -> Vec<u8> {
        self.inner.clone().finish().as_bytes().to_vec()
    }
}

/// Verifies a signature over a payload: `{"ok","classicalOk","pqOk","algorithm","reason"?}`.
#[wasm_bindgen(js_name = verifyPayload)]
pub fn verify_payload(
    public_key: &str,
    payload: &[u8],
    context: &[u8],
    encoding: &str,
    signature: &[u8],
) -> Result<String, JsValue> {
    verify(public_key, |algorithm| Ok(Prehash::derive(algorithm, payload)), context, encoding, signature)
}

/// The same over a payload's digest.
#[wasm_bindgen(js_name = verifyPrehash)]
pub fn verify_prehash(
    public_key: &str,
    prehash: &[u8],
    context: &[u8],
    encoding: &str,
    signature: &[u8],
) -> Result<String, JsValue> {
    verify(public_key, |algorithm| Prehash::from_bytes(algorithm, prehash), context, encoding, signature)
}

fn verify(
    public_key: &str,
    prehash: impl FnOnce(Algorithm) -> Result<Prehash, Error>,
    context: &[u8],
    encoding: &str,
    signature: &[u8],
) -> Result<String, JsValue> {
    let read = match encoding {
        "postq" => Signature::from_bytes,
        "lamps" => Signature::from_lamps,
        _ => return Err(fault(UNKNOWN_ENCODING, "an encoding is `postq` or `lamps`")),
    };
    let message = || -> Result<_, Error> {
        let key = PublicKey::from_json(public_key)?;
        let prehash = prehash(key.algorithm())?;
        let message = MessageRepresentative::derive(key.algorithm(), &Context::new(context)?, &prehash);
        Ok((key, message))
    };
    let (key, message) = message().map_err(|error| of_composite(&error))?;
    Ok(match read(key.algorithm(), signature) {
        Ok(signature) => answer(key.algorithm(), composite::verify(&key, &message, &signature), None),
        Err(error) => answer(key.algorithm(), Verdict::MALFORMED, Some(error.to_string())),
    })
}

fn answer(algorithm: Algorithm, verdict: Verdict, malformed: Option<String>) -> String {
    let reason = malformed.or_else(|| {
        let what = match (verdict.pq_ok, verdict.classical_ok) {
            (true, true) => return None,
            (true, false) => "the classical half does not verify",
            (false, true) => "the ML-DSA half does not verify",
            (false, false) => "neither half verifies",
        };
        Some(what.to_owned())
    });
    let mut answer = Json::object([
        ("algorithm", algorithm.name().into()),
        ("classicalOk", verdict.classical_ok.into()),
        ("ok", verdict.ok().into()),
        ("pqOk", verdict.pq_ok.into()),
    ]);
    if let (Some(reason), Json::Object(members)) = (reason, &mut answer) {
        members.insert("reason", reason.into());
    }
    answer.to_canonical()
}
