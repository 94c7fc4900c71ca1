//! One handler per route: it takes the request apart, calls the operation, and hands its answer to [`crate::http`].

pub(crate) mod api_tokens;
pub(crate) mod append_ledger;
pub(crate) mod clear_settings;
pub(crate) mod create_key;
pub(crate) mod get_key;
pub(crate) mod get_settings;
pub(crate) mod health;
pub(crate) mod key_audit;
pub(crate) mod key_lineage;
pub(crate) mod list_keys;
pub(crate) mod policies;
pub(crate) mod public_key;
pub(crate) mod put_settings;
pub(crate) mod read_ledger;
pub(crate) mod receipt;
pub(crate) mod revoke_key;
pub(crate) mod rotate_key;
pub(crate) mod seal_ledger;
pub(crate) mod sign;
pub(crate) mod test_settings;
pub(crate) mod usage;
pub(crate) mod verify;
pub(crate) mod whoami;
