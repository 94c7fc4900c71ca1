//! Tries settings out, and saves nothing.

use serde::Serialize;
use utoipa::ToSchema;

use super::put_settings::{self, Ports, Request, ToBe};
use crate::{
    Error,
    caller::Caller,
    custody::{CloudFault, CloudName, ProviderSecret},
    settings::SettingsRecord,
};

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
    /// Whether it can be used, every wrapping key that keys rest on is within reach, and nothing rests on an account that would be
    /// left.
    pub ok: bool,
    /// Why not, as saving would answer: `kms_denied`, `role_open`, `role_missing`, `kms_throttled`, `kms_unavailable`,
    /// `kms_timeout`, `kms_wrong_answer`, `credentials_unavailable`, `secret_unusable` or `settings_in_use`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub code: Option<&'static str>,
    /// The same as a sentence, with who can mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub error: Option<String>,
    /// Which call on what was refused, in the cloud's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub detail: Option<String>,
}

/// Tries out: a request that says nothing at all stands for the settings that are stored.
///
/// # Errors
/// [`Error::Invalid`], [`Error::ProviderUnavailable`], [`Error::StoreUnavailable`]. What an account refuses is no error but part
/// of the answer.
pub async fn test_settings(ports: &Ports, caller: &Caller, request: Request) -> Result<Response, Error> {
    let (settings, stored, secrets) = if request.is_empty() {
        (ports.settings.settings(&caller.org).await?, None, Vec::new())
    } else {
        let ToBe { settings, stored, secrets } = put_settings::to_be(ports, caller, request).await?;
        (Some(settings), stored, secrets)
    };
    let Some(settings) = settings else { return Ok(Response { checks: Vec::new() }) };
    let mut checks = Vec::new();
    for cloud in CloudName::ALL {
        if settings.names(cloud) || stored.as_ref().is_some_and(|stored| stored.names(cloud)) {
            let tried = would_save(ports, caller, (&settings, &secrets, stored.as_ref()), cloud).await;
            checks.push(Check::of(cloud, tried)?);
        }
    }
    Ok(Response { checks })
}

async fn would_save(
    ports: &Ports,
    caller: &Caller,
    (settings, secrets, stored): (&SettingsRecord, &[(CloudName, ProviderSecret)], Option<&SettingsRecord>),
    cloud: CloudName,
) -> Result<(), Error> {
    if settings.names(cloud) {
        put_settings::try_out(ports, caller, (settings, secrets), cloud).await?;
    }
    let Some(stored) = stored else { return Ok(()) };
    match ports.writes.dependent(&caller.org, settings.demands(stored)).await? {
        Some(by) => Err(Error::SettingsInUse { by }),
        None => Ok(()),
    }
}

impl Check {
    fn of(cloud: CloudName, tried: Result<(), Error>) -> Result<Self, Error> {
        let provider = cloud.name();
        let error = match tried {
            Ok(()) => return Ok(Self { provider, ok: true, code: None, error: None, detail: None }),
            Err(error) => error,
        };
        let (code, detail) = match &error {
            Error::Cloud { fault, source, .. } => {
                // How the vault looks for its own credentials is its operator's affair.
                let shown = *fault != CloudFault::NoCredentials;
                (fault.code(), shown.then(|| source.to_string()))
            }
            Error::SettingsInUse { .. } => ("settings_in_use", None),
            Error::SecretUnusable { .. } => ("secret_unusable", None),
            _ => return Err(error),
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, "settings were tried out");
        Ok(Self { provider, ok: false, code: Some(code), error: Some(error.to_string()), detail })
    }
}
