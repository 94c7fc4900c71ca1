//! A bundle, page by page.

use ledger::{Bundle, Json};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::documents::{answer, document, read_known};

/// Checks pages in their order.
#[wasm_bindgen]
pub struct BundleVerifier {
    inner: ledger::BundleVerifier,
}

#[wasm_bindgen]
impl BundleVerifier {
    /// A verifier that has seen nothing.
    #[wasm_bindgen(constructor)]
    pub fn new(known: &str) -> Result<Self, JsValue> {
        Ok(Self { inner: ledger::BundleVerifier::new(read_known(known)?.pins) })
    }

    /// Checks the next page: `{"ok":true,"next","entries"}`, or what is wrong and in which part. After a bad page the
    /// verifier is where it was.
    pub fn page(&mut self, page: &str) -> Result<String, JsValue> {
        let page: Bundle = document(page)?;
        let checked = self.inner.page(&page);
        let entries = u64::try_from(page.entries.len()).unwrap_or(u64::MAX);
        let counts = || Json::object([("entries", entries.into()), ("next", self.inner.next().into())]);
        Ok(answer(checked.map(|()| counts())))
    }

    /// What was found.
    pub fn finish(self) -> String {
        answer(self.inner.finish().map(|found| found.to_json()))
    }
}
