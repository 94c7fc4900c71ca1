//! The vault's store over SQLite: one file, written ahead (WAL), synced at every commit, with deleted bytes overwritten.
//!
//! In scope: every port of [`vault::store`], and the file's schema and its migrations. Out of scope: what any of it means.
//!
//! One thread has the connection that writes, and commits together what waits for it; others read, and each read sees every commit
//! that came before it. What is looked up by a key is read on the thread that asks; what may read many rows runs off the async threads.

mod clouds;
#[cfg(test)]
mod conformance_tests;
mod connection;
mod ledger_tables;
mod policies;
mod reads;
mod replies;
mod revocations;
mod rewrapping;
mod rotations;
mod rows;
mod writer;
mod writes;

pub use connection::{OpenError, SqliteStore};
