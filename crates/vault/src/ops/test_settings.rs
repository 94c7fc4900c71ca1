//! Tries settings out, and saves nothing.

use serde::Serialize;
use utoipa::ToSchema;

use super::put_settings::{self, Ports, Request};
use crate::{Error, caller::Caller};

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

/// Tries out: a request that says nothing at all stands for the settings that are stored.
///
/// # Errors
/// [`Error::Invalid`], [`Error::ProviderUnavailable`], [`Error::StoreUnavailable`]. What an account refuses is no error but part
/// of the answer.
pub async fn test_settings(ports: &Ports, caller: &Caller, request: Request) -> Result<Response, Error> {
    let settings = if request.is_empty() {
        ports.settings.settings(&caller.org).await?
    } else {
        Some(put_settings::to_be(ports, caller, request).await?.0)
    };
    let mut checks = Vec::new();
    if let Some(settings) = settings {
        for cloud in settings.clouds() {
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
