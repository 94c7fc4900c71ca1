//! The audit ledger's formats: what an event is, how it is written down, and its digest.
//!
//! In scope: [`Event`] and its payload, canonical JSON ([`canonical`], RFC 8785), the digest that a caller is given at once
//! ([`Event::derive_digest`]), and the rule for content that callers put into events ([`Content`]).
//!
//! Out of scope: who may write, where events are kept, clocks, randomness and anything asynchronous. The crate builds for
//! `wasm32-unknown-unknown`.

mod canonical;
mod content;
mod event;

pub use canonical::{canonical, sha256};
pub use content::{Content, ContentError, MAX_DEPTH};
pub use event::{Event, EventType};
