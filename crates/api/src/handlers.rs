//! One handler per route: it takes the request apart, calls the operation, and hands its answer to [`crate::http`].

pub(crate) mod create_key;
pub(crate) mod get_key;
pub(crate) mod health;
pub(crate) mod list_keys;
pub(crate) mod public_key;
pub(crate) mod sign;
pub(crate) mod verify;
pub(crate) mod whoami;
