//! An account in Google Cloud, as `postq vault settings` takes it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

/// The name of the key makes the rest of it mean something.
#[derive(Args)]
#[group(id = "gcp_account", multiple = true)]
pub(crate) struct Account {
    /// The key in Google Cloud KMS that wraps data keys, projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY
    #[arg(long = "gcp-kek-key-name", value_name = "NAME")]
    pub(crate) kek_key_name: Option<String>,
    /// The key ring in which halves are made, projects/PROJECT/locations/LOCATION/keyRings/RING; the wrapping key's if left out
    #[arg(long = "gcp-key-ring-name", value_name = "NAME", requires = "kek_key_name")]
    pub(crate) key_ring_name: Option<String>,
    /// What holds the halves; software if left out, the only one that has ML-DSA
    #[arg(long = "gcp-protection-level", value_name = "LEVEL", requires = "kek_key_name")]
    pub(crate) protection_level: Option<ProtectionLevel>,
    /// Hand over a service account's key: the file that Google made, or - for standard input; left out, the stored one stays
    #[arg(long = "gcp-service-account-key-file", value_name = "FILE", requires = "kek_key_name")]
    pub(crate) key_file: Option<PathBuf>,
    /// The provider of a workload identity pool that trusts the deployment's identity instead, and expects the external id as audience:
    /// projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER
    #[arg(
        long = "gcp-workload-identity-provider",
        value_name = "NAME",
        requires = "kek_key_name",
        conflicts_with = "key_file"
    )]
    pub(crate) provider: Option<String>,
    /// The service account that is impersonated with it, or that a stored key is of
    #[arg(long = "gcp-service-account-email", value_name = "ADDRESS", requires = "kek_key_name")]
    pub(crate) email: Option<String>,
}

/// What holds a key at Google Cloud KMS.
#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProtectionLevel {
    Software,
    Hsm,
}
