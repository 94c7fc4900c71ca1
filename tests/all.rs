//! What crosses crates, in one binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod architecture;
mod aws_axes;
mod aws_kms;
mod aws_outages;
mod aws_permissions;
mod aws_reconciling;
mod aws_settings;
mod azure_network;
mod azure_settings;
mod azure_vault;
mod cli_transcripts;
mod cloud_axes;
mod clouds;
mod dashboard_files;
mod deployed_faults;
mod deployed_roles;
mod due_rotations;
mod dynamodb;
mod embedded_vault;
mod emulation;
mod failures;
mod faults;
mod forgery;
mod formats_at_rest;
mod gcp_network;
mod gcp_outages;
mod gcp_settings;
mod gcp_vault;
mod half_seen;
mod idempotency;
mod in_process;
mod internal_statements;
mod interposed;
mod kek_change;
mod key_life;
mod killed;
mod lambda_process;
mod lambda_runtime;
mod lanes;
mod ledger_documents;
mod local_azure;
mod local_cloud;
mod local_dynamodb;
mod local_gcp;
mod local_kms;
mod made_up_evidence;
mod ministack;
mod ml_dsa_engines;
mod npm_vectors;
mod openapi;
mod opened_keys;
mod own_ledger;
mod policies;
mod policy_races;
mod postq_sdk;
mod python;
mod refusals;
mod refused_input;
mod release_after_commit;
mod restored;
mod revocation_races;
mod round_trips;
mod rounds;
mod secrets;
mod server_process;
mod tampering;
mod vectors;
mod watched;
mod wrong_bits;
