//! Calls the API over HTTP.
//!
//! In scope: one call and its answer ([`Client`]), the bearer token, idempotency keys, what may be sent again, time limits, and
//! every way in which a call can fail ([`Error`]).
//!
//! Out of scope: the API's shapes, which are JSON here, and whatever is done with an answer.

mod client;
mod error;

pub use client::{Client, Endpoint, Page, Token};
pub use error::Error;
