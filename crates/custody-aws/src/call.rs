//! One call: how long it may take, and what its failure means.

use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use tokio::time::Instant;
use vault::custody::{Call, CloudFault, CloudName, CustodyError, Failed, Remains};

/// How long a request may spend here, however many calls it makes.
pub const BUDGET: Duration = Duration::from_secs(8);

/// For one attempt, connecting included.
const ATTEMPT: Duration = Duration::from_millis(2_500);

/// For a call with all its attempts.
const CALL: Duration = Duration::from_secs(7);

/// For calls that may be repeated: whoever repeats them gets what the first would have got.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(1))
}

pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build()
}

/// A call on nothing that is certain yet.
pub(crate) const fn of(action: &'static str) -> Call<'static> {
    Call::of(CloudName::Aws, action)
}

/// A call on a key, or on what keys are in.
pub(crate) const fn on<'a>(action: &'static str, on: &'a str) -> Call<'a> {
    Call::on(CloudName::Aws, action, on)
}

/// Whether the credentials that came with a call were not, or no longer, accepted.
pub(crate) fn is_of_a_rejected_session(failed: &Failed) -> bool {
    const REJECTED: [&str; 4] =
        ["UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException"];
    failed.fault == CloudFault::NoCredentials && REJECTED.iter().any(|code| failed.is(code))
}

/// A refusal by the security token service is one to let the vault in.
pub(crate) fn at_the_door(failed: Failed) -> Failed {
    match failed.fault {
        CloudFault::Denied => failed.of_fault(CloudFault::NotEntered),
        _ => failed,
    }
}

/// What the outcome of a call means.
pub(crate) fn judge<T, E>(call: Call<'_>, outcome: Result<T, SdkError<E>>) -> Result<T, Failed>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = match outcome {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
    let credentials = of_credentials(&error);
    let fault = match &error {
        _ if let Some((fault, _)) = credentials => fault,
        SdkError::TimeoutError(_) => CloudFault::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => CloudFault::TimedOut,
        // It answered, and not in its own language.
        SdkError::ServiceError(_) if code.is_none() && status.is_none_or(|status| status < 500) => {
            CloudFault::WrongAnswer
        }
        SdkError::ServiceError(_) => of_code(code.as_deref().unwrap_or_default(), status.unwrap_or_default()),
        // What a proxy says of a service that is down is no such thing.
        SdkError::ResponseError(_) if status.is_none_or(|status| status < 500) => CloudFault::WrongAnswer,
        _ => CloudFault::Unavailable,
    };
    let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
    let id = meta.and_then(RequestId::request_id).unwrap_or("none");
    let said = match (&code, meta.and_then(ProvideErrorMetadata::message)) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, _) => words(&error),
    };
    let failed = Failed::new(fault, call, format_args!("{said} (request {id})"));
    Err(match credentials {
        // Nothing was sent.
        Some((_, None)) => failed.leaving(Remains::Nothing),
        Some((_, Some(action))) => failed.leaving(Remains::Nothing).of_action(action),
        None => match code {
            Some(code) => failed.coded(code),
            None => failed,
        },
    })
}

/// Where there were no credentials to call with: why the role's could not be had and by which action, or that the vault has none of
/// its own.
fn of_credentials(error: &(dyn Error + 'static)) -> Option<(CloudFault, Option<&'static str>)> {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let of_role = causes().find_map(|cause| match cause.downcast_ref::<CustodyError>() {
        Some(CustodyError::Cloud { fault, action, .. }) => Some((*fault, Some(*action))),
        _ => None,
    });
    let none =
        || causes().any(<dyn Error>::is::<CredentialsError>).then_some((CloudFault::NoCredentials, None));
    of_role.or_else(none)
}

/// What an error and its causes say of themselves. Never their `Debug`: an answer that could not be read stands in there whole,
/// with the data key or the credentials that it brought.
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

fn of_code(code: &str, status: u16) -> CloudFault {
    match code {
        "ThrottlingException" | "Throttling" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            CloudFault::Throttled
        }
        "LimitExceededException" => CloudFault::QuotaUsedUp,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException" => CloudFault::NoCredentials,
        "DependencyTimeoutException" => CloudFault::TimedOut,
        "KMSInternalException" | "KeyUnavailableException" | "InternalFailure" | "ServiceUnavailable" => {
            CloudFault::Unavailable
        }
        _ if status >= 500 => CloudFault::Unavailable,
        // All else is about the key, a policy or the role: whoever runs the account must see to it.
        _ => CloudFault::Denied,
    }
}

/// Runs a call until it is answered or the request's time is up.
pub(crate) async fn until<T>(
    deadline: Instant,
    call: Call<'_>,
    answer: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    match tokio::time::timeout_at(deadline, answer).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failed::new(CloudFault::TimedOut, call, "the request's time was up")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_who_can_mend_it() {
        assert_eq!(of_code("AccessDeniedException", 400), CloudFault::Denied);
        assert_eq!(of_code("DisabledException", 400), CloudFault::Denied);
        assert_eq!(of_code("ThrottlingException", 400), CloudFault::Throttled);
        assert_eq!(of_code("LimitExceededException", 400), CloudFault::QuotaUsedUp);
        assert_eq!(of_code("UnrecognizedClientException", 400), CloudFault::NoCredentials);
        assert_eq!(of_code("KMSInternalException", 500), CloudFault::Unavailable);
        assert_eq!(of_code("", 503), CloudFault::Unavailable);
    }
}
