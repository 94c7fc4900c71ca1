//! Input that is no input: an `Error` with a stable `code` and a sentence.

use composite::Error;
use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// A document that is not JSON of its shape.
pub(crate) const MALFORMED_DOCUMENT: &str = "malformed_document";

/// Pins that are not JSON of their shape.
pub(crate) const MALFORMED_PINS: &str = "malformed_pins";

/// An encoding that has no name here.
pub(crate) const UNKNOWN_ENCODING: &str = "unknown_encoding";

pub(crate) fn fault(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    // It fails only on objects that refuse new members, which a new `Error` does not.
    let _ = Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}

pub(crate) fn of_composite(error: &Error) -> JsValue {
    let code = match error {
        Error::UnknownAlgorithm(_) => "unknown_algorithm",
        Error::ContextTooLong(_) | Error::ReservedContext => "malformed_context",
        Error::PrehashLength { .. } => "malformed_prehash",
        Error::Length { .. } | Error::InvalidPoint(_) | Error::PublicKeyJson(_) => "malformed_public_key",
        Error::EcdsaDer | Error::NoStandardEncoding(_) | Error::InvalidSecret(_) | Error::Signing => {
            "malformed_input"
        }
    };
    fault(code, &error.to_string())
}
