//! The vault's own custody: [`EnvKek`], the key-encryption key that its environment hands it, and [`ManagedHalves`], the
//! holder of halves whose secrets the vault seals itself.
//!
//! Out of scope: where the key-encryption key comes from (whoever starts the process reads it), and every cloud.

mod env_kek;
mod managed;

use std::sync::Arc;

use vault::custody::Custody;

pub use env_kek::{EnvKek, EnvKekError, KEK_VARIABLE, Kek, KekError, KekSource, PREVIOUS_KEK_VARIABLE};
pub use managed::ManagedHalves;

/// The registry of a deployment that has no provider but these, to which clouds may be added.
#[must_use]
pub fn custody(kek: EnvKek) -> Custody {
    let kek = Arc::new(kek);
    Custody {
        root: kek.clone(),
        kek,
        classical: Arc::new(ManagedHalves),
        pq: Arc::new(ManagedHalves),
        clouds: Vec::new(),
        opened: Arc::default(),
    }
}
