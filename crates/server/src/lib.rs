//! Every route in one process over one store: the embedded default and the developer's loop.
//!
//! In scope: putting the parts together ([`app`]), the dashboard's files ([`dashboard`]), the data directory with its key-encryption key ([`data_dir`]), and what
//! the server does by itself ([`keep_house`]). The binary `postq-vault` is the command line around both.

mod app;
pub mod clouds;
pub mod dashboard;
pub mod data_dir;
mod housekeeping;

pub use app::{
    app, ledger_access, reconcile_ports, recover_ports, rewrap_ports, rotate_due_ports,
    rotate_ledger_key_ports, seal_ports, sequencer,
};
pub use housekeeping::keep_house;
