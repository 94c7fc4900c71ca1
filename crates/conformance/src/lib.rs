//! What every store and every custody provider must do, as functions that a provider's own tests call.
//!
//! A suite panics at the first promise that is not kept, as a test does. It is compiled into tests alone.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a suite fails by panicking, in tests alone"
)]

pub mod custody;
pub mod store;
mod store_clouds;
mod store_ledger;
mod store_life;
mod store_policies;
mod store_rotations;
mod store_secrets;
