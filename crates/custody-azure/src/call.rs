//! One call: how long it may take, and what its failure means.

use std::time::Duration;

use azure_core::{
    error::ErrorKind,
    http::{ExponentialRetryOptions, RetryOptions},
};
use tokio::time::Instant;
use vault::custody::{AssertionError, Call, CloudFault, CloudName, Failed, Remains};

/// How long a request may spend here, however many calls it makes.
pub const BUDGET: Duration = Duration::from_secs(8);

/// For one attempt, connecting included.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(2_500);

/// For calls that may be repeated: whoever repeats them gets what the first would have got.
pub(crate) fn retries() -> RetryOptions {
    RetryOptions::exponential(ExponentialRetryOptions {
        initial_delay: azure_core::time::Duration::milliseconds(100),
        max_retries: 2,
        max_total_elapsed: azure_core::time::Duration::seconds(7),
        max_delay: azure_core::time::Duration::seconds(1),
    })
}

/// A call on nothing that is certain yet.
pub(crate) const fn of(action: &'static str) -> Call<'static> {
    Call::of(CloudName::Azure, action)
}

/// A call on a key, or on what keys are in.
pub(crate) const fn on<'a>(action: &'static str, on: &'a str) -> Call<'a> {
    Call::on(CloudName::Azure, action, on)
}

/// What a failure of a call means.
pub(crate) fn judge(call: Call<'_>, error: &azure_core::Error) -> Failed {
    match error.kind() {
        ErrorKind::HttpResponse { status, error_code, .. } => {
            let status = u16::from(*status);
            let code = error_code.as_deref().filter(|code| is_word(code)).unwrap_or("no code");
            let said = match status {
                // What the service says of a call that it did not like has the call's names, and no secret.
                400..=499 => first_line(&error.to_string()),
                _ => String::new(),
            };
            let failed = Failed::new(of_status(status), call, format_args!("{status} {code} {said}"));
            failed.coded(status.to_string())
        }
        ErrorKind::Credential => of_token(call, error),
        ErrorKind::Connection => Failed::new(CloudFault::Unavailable, call, error).leaving(Remains::Nothing),
        ErrorKind::Io => Failed::new(CloudFault::Unavailable, call, error),
        // Never its words: what could not be read may be a data key.
        ErrorKind::DataConversion => {
            Failed::new(CloudFault::WrongAnswer, call, "an answer that cannot be read")
        }
        _ => Failed::new(CloudFault::WrongAnswer, call, "an answer that cannot be followed"),
    }
}

/// Why there was no token: Entra ID refused, or was not reached. Nothing was sent to the vault.
fn of_token(call: Call<'_>, error: &azure_core::Error) -> Failed {
    let mut fault = CloudFault::NotEntered;
    let mut said = "an answer that cannot be read".to_owned();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<azure_core::Error>() {
            match error.kind() {
                ErrorKind::HttpResponse { status, error_code, .. } => {
                    let status = u16::from(*status);
                    fault = match of_status(status) {
                        CloudFault::Denied | CloudFault::NotEntered => CloudFault::NotEntered,
                        other => other,
                    };
                    let code = error_code.as_deref().filter(|code| is_word(code)).unwrap_or("no code");
                    said = format!("{status} {code}");
                }
                ErrorKind::Connection | ErrorKind::Io => {
                    fault = CloudFault::Unavailable;
                    said = first_line(&error.to_string());
                }
                ErrorKind::DataConversion => fault = CloudFault::WrongAnswer,
                _ => {}
            }
        }
        if let Some(none) = current.downcast_ref::<AssertionError>() {
            fault = CloudFault::NoCredentials;
            said = none.to_string();
        }
        cause = current.source();
    }
    Failed::new(fault, crate::door::TOKEN, format_args!("for {call}: {said}")).leaving(Remains::Nothing)
}

fn of_status(status: u16) -> CloudFault {
    match status {
        401 => CloudFault::NotEntered,
        408 | 504 => CloudFault::TimedOut,
        429 => CloudFault::Throttled,
        // All else is about the key or a permission: whoever runs the vault must see to it.
        400..=499 => CloudFault::Denied,
        500..=599 => CloudFault::Unavailable,
        _ => CloudFault::WrongAnswer,
    }
}

fn is_word(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b','))
}

fn first_line(words: &str) -> String {
    let line = words.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(300).collect()
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
    fn a_status_says_who_can_mend_it() {
        assert_eq!(of_status(401), CloudFault::NotEntered);
        assert_eq!(of_status(403), CloudFault::Denied);
        assert_eq!(of_status(404), CloudFault::Denied);
        assert_eq!(of_status(429), CloudFault::Throttled);
        assert_eq!(of_status(500), CloudFault::Unavailable);
        assert_eq!(of_status(503), CloudFault::Unavailable);
        assert_eq!(of_status(302), CloudFault::WrongAnswer);
    }
}
