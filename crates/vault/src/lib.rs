//! PostQ Vault's product: one file per operation in [`ops`], and beside them what they are made of.
//!
//! In scope: who may do what to which key, how a key is made and kept, how a signature is made and committed before it
//! leaves, and the traits of what the product needs from outside: [`custody`] (who holds and wraps keys) and [`store`]
//! (who remembers).
//!
//! Out of scope: HTTP, any cloud, any database, the environment. An operation's `Ports` say which parts of the outside it
//! touches, and nothing else reaches it.

mod accounts;
pub mod caller;
pub mod custody;
pub mod encoding;
pub mod error;
pub mod events;
pub mod id;
pub mod idempotency;
pub mod input;
pub mod key_material;
pub mod ledger_access;
pub mod ops;
pub mod policies;
pub mod providers;
pub mod random;
pub mod record_tag;
mod rotation;
pub mod sealed;
mod self_test;
pub mod sequencing;
pub mod settings;
pub mod store;
mod time;
pub mod token;

pub use composite::engine;
pub use error::Error;
pub use self_test::self_test;
pub use time::Timestamp;
