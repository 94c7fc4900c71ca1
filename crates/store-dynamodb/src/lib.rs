//! The vault's store over DynamoDB: one table for each kind of thing that a role may or may not reach.
//!
//! In scope: every port of [`vault::store`], and the tables' names and keys ([`Table`]). Out of scope: what any of it means,
//! and making the tables.
//!
//! Every read is strongly consistent, and no read goes by an index, because indexes lag. What one item promises of another is
//! waited for while the transaction that writes both is under way. A write is one
//! `TransactWriteItems` under one token: what an attempt left undecided, the next one is told. Where others write the same
//! items it is tried again for some seconds, with rests of random length.

mod clouds;
mod connection;
mod identity;
mod intake;
mod item;
mod keys;
mod ledger_tables;
mod orgs;
mod placing;
mod policies;
mod recovering;
mod replies;
mod rewrapping;
mod rotations;
mod rows;
mod settled;
mod signatures;
mod tables;
mod tokens;
mod transaction;

pub use connection::DynamoStore;
pub use tables::{PARTITION_KEY, SORT_KEY, Table};
