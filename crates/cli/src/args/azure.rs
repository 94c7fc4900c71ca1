//! An account in Azure, as `postq vault settings` takes it.

use clap::Args;

/// The name of the vault makes the rest of it mean something.
#[derive(Args)]
#[group(id = "azure_account", multiple = true)]
pub(crate) struct Account {
    /// The vault in Azure whose key wraps data keys, https://NAME.vault.azure.net
    #[arg(long = "azure-vault-url", value_name = "URL", requires_all = ["kek_name", "tenant_id", "client_id"])]
    pub(crate) vault_url: Option<String>,
    /// The name of that RSA key
    #[arg(long = "azure-kek-name", value_name = "NAME", requires = "vault_url")]
    pub(crate) kek_name: Option<String>,
    /// The directory (tenant) id
    #[arg(long = "azure-tenant-id", value_name = "ID", requires = "vault_url")]
    pub(crate) tenant_id: Option<String>,
    /// The application (client) id
    #[arg(long = "azure-client-id", value_name = "ID", requires = "vault_url")]
    pub(crate) client_id: Option<String>,
    /// Hand over a secret of the application, which is read from the terminal or from standard input; left out, the stored one stays
    #[arg(long = "azure-new-secret", requires = "vault_url")]
    pub(crate) client_secret: bool,
    /// The application trusts the deployment's identity instead: its federated credential expects the external id as audience
    #[arg(long = "azure-federated", requires = "vault_url", conflicts_with = "client_secret")]
    pub(crate) federated: bool,
}
