//! Every route in one process over one store: the embedded default and the developer's loop.
//!
//! In scope: putting the parts together ([`app`]), and the data directory with its key-encryption key
//! ([`data_dir`]). The binary `postq-vault` is the command line around both.

mod app;
pub mod data_dir;

pub use app::{app, rewrap_ports};
