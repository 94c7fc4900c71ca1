//! Documents that are checked at once: lineages, receipts, checkpoints and proofs.

use ledger::{
    CheckpointEvidence, ConsistencyProof, Document, InclusionProof, Json, Known, Ledger, LedgerEvidence,
    Lineage, Payload, Receipt, Signed, without_envelope,
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::fault::{MALFORMED_DOCUMENT, MALFORMED_PINS, fault};

/// Checks the line of a key.
#[wasm_bindgen(js_name = checkLineage)]
pub fn check_lineage(lineage: &str, known: &str) -> Result<String, JsValue> {
    let (lineage, known) = (document::<Lineage>(lineage)?, read_known(known)?);
    Ok(answer(lineage.check(&known.pins, known.consistency.as_ref()).map(|found| found.to_json())))
}

/// Checks a receipt, with the signature put in where one is given, against `message`: by its `kind` a `payload`, its
/// `prehash`, or nothing where the kind is `unknown`.
#[wasm_bindgen(js_name = checkReceipt)]
pub fn check_receipt(
    receipt: &str,
    signature_base64: Option<String>,
    kind: &str,
    message: &[u8],
    known: &str,
) -> Result<String, JsValue> {
    let (mut receipt, known) = (document::<Receipt>(receipt)?, read_known(known)?);
    receipt.signature_base64 = signature_base64.or(receipt.signature_base64);
    let signed = match kind {
        "payload" => Signed::Payload(message),
        "prehash" => Signed::Digests { prehash: message, payload: None },
        _ => Signed::Unknown,
    };
    Ok(answer(receipt.check(signed, &known.pins, known.consistency.as_ref()).map(|found| found.to_json())))
}

/// Checks a checkpoint and the ledger's keys: `{"org","checkpoint","signingKeys","successions"}`.
#[wasm_bindgen(js_name = checkCheckpoint)]
pub fn check_checkpoint(evidence: &str, known: &str) -> Result<String, JsValue> {
    let (CheckpointEvidence { org, ledger }, known) = (document(evidence)?, read_known(known)?);
    let LedgerEvidence { checkpoint, signing_keys, successions } = ledger;
    let checked = Ledger::check(&org, &checkpoint, &signing_keys, &successions).and_then(|ledger| {
        let anchored = ledger.anchor(&known.pins, known.consistency.as_ref())?;
        Ok(ledger.to_json(anchored))
    });
    Ok(answer(checked))
}

/// Checks that an entry stands in a tree.
#[wasm_bindgen(js_name = checkInclusion)]
pub fn check_inclusion(proof: &str) -> Result<String, JsValue> {
    Ok(answer(document::<InclusionProof>(proof)?.check().map(|()| Json::object([]))))
}

/// Checks that one tree is the beginning of another.
#[wasm_bindgen(js_name = checkConsistency)]
pub fn check_consistency(proof: &str) -> Result<String, JsValue> {
    Ok(answer(document::<ConsistencyProof>(proof)?.check().map(|()| Json::object([]))))
}

/// The digest of the event that an entry's payload tells of, lower-case hex.
#[wasm_bindgen(js_name = eventDigest)]
pub fn event_digest(payload: &str) -> Result<String, JsValue> {
    let payload = Payload::from_json(parse(payload, MALFORMED_DOCUMENT)?);
    let payload = payload.map_err(|why| fault(MALFORMED_DOCUMENT, &why.to_string()))?;
    Ok(hex::encode(payload.derive_event_digest()))
}

/// A document by itself, or in the API's envelope.
pub(crate) fn document<T: Document>(json: &str) -> Result<T, JsValue> {
    T::from_json(without_envelope(parse(json, MALFORMED_DOCUMENT)?))
        .map_err(|why| fault(MALFORMED_DOCUMENT, &why.to_string()))
}

pub(crate) fn read_known(known: &str) -> Result<Known, JsValue> {
    Known::from_json(parse(known, MALFORMED_PINS)?).map_err(|why| fault(MALFORMED_PINS, &why.to_string()))
}

fn parse(json: &str, code: &str) -> Result<Json, JsValue> {
    Json::parse(json).map_err(|error| fault(code, &error.to_string()))
}

/// `{"ok":true,…}` with what was found, or `{"ok":false,"reason"}`.
pub(crate) fn answer(checked: Result<Json, impl std::fmt::Display>) -> String {
    let (ok, mut answer) = match checked {
        Ok(found) => (true, found),
        Err(why) => (false, Json::object([("reason", why.to_string().into())])),
    };
    if let Json::Object(members) = &mut answer {
        members.insert("ok", ok.into());
    }
    answer.to_canonical()
}
