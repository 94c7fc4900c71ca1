//! Offline verification for JavaScript: wasm-bindgen over `composite` and `ledger`.
//!
//! In scope: bytes and JSON text in, JSON text out. Every function is one call of what it wraps; a signature or a document
//! that does not hold is an answer (`{"ok":false,"reason":…}`), and only input that is no input throws, an `Error` with a
//! stable `code` ([`fault`]).
//!
//! Out of scope: the interface that people program against. `npm/` has that, in JavaScript with hand-written types; what is
//! exported here is between the two and may change with any version.

pub mod bundle;
pub mod documents;
mod fault;
pub mod halves;
pub mod signature;
