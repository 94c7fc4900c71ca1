//! Tries settings out, and saves nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::put_settings::{self, AwsRequest, Ports};
use crate::{Error, caller::Caller, providers::KekProvider};

/// Settings to be, or nothing at all for those that are stored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TestSettingsRequest)]
pub struct Request {
    /// As in `PUT /v1/vault/settings`.
    #[serde(alias = "kekProvider")]
    pub default_kek_provider: Option<KekProvider>,
    /// As in `PUT /v1/vault/settings`.
    pub aws: Option<AwsRequest>,
    /// As in `PUT /v1/vault/settings`.
    #[schema(value_type = Option<Object>)]
    pub azure: Option<serde::de::IgnoredAny>,
    /// As in `PUT /v1/vault/settings`.
    #[schema(value_type = Option<Object>)]
    pub gcp: Option<serde::de::IgnoredAny>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestSettingsResponse)]
pub struct Response {
    /// One check for each account; none where none is named.
    pub checks: Vec<Check>,
}

/// What came of one account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsCheck)]
pub struct Check {
    /// `aws`, `azure` or `gcp`.
    pub provider: &'static str,
    /// Whether it can be used, and every wrapping key that keys rest on is within reach.
    pub ok: bool,
    /// Why not, as saving would answer: `kms_denied`, `role_open`, `role_missing`, `kms_throttled`, `kms_unavailable`,
    /// `kms_timeout` or `kms_wrong_answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub code: Option<&'static str>,
    /// The same as a sentence, with who can mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub error: Option<String>,
}

/// Tries out.
///
/// # Errors
/// [`Error::Invalid`], [`Error::ProviderUnavailable`], [`Error::StoreUnavailable`]. What an account refuses is no error but part
/// of the answer.
pub async fn test_settings(ports: &Ports, caller: &Caller, request: Request) -> Result<Response, Error> {
    let Request { default_kek_provider, aws, azure, gcp } = request;
    let is_empty = default_kek_provider.is_none() && aws.is_none() && azure.is_none() && gcp.is_none();
    let settings = if is_empty {
        ports.settings.settings(&caller.org).await?
    } else {
        let request = put_settings::Request { default_kek_provider, aws, azure, gcp };
        Some(put_settings::to_be(ports, caller, request).await?.0)
    };
    let mut checks = Vec::new();
    if let Some(settings) = settings {
        for cloud in put_settings::named(&settings) {
            let provider = cloud.name();
            checks.push(match put_settings::try_out(ports, caller, &settings, cloud).await {
                Ok(()) => Check { provider, ok: true, code: None, error: None },
                Err(error @ Error::Cloud { fault, .. }) => {
                    let source =
                        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(%error, cause = source, "settings were tried out");
                    Check { provider, ok: false, code: Some(fault.code()), error: Some(error.to_string()) }
                }
                Err(error) => return Err(error),
            });
        }
    }
    Ok(Response { checks })
}
