//! One call: how long it may take, whether it is made again, and what its failure means.

use std::time::Duration;

use backon::ExponentialBuilder;
use outbound::{Answer, Unanswered};
use serde::Deserialize;
use tokio::time::Instant;
use vault::custody::{Call, CloudFault, CloudName, Failed, Remains};

/// How long a request may spend here, however many calls it makes.
pub const BUDGET: Duration = Duration::from_secs(8);

/// For one attempt, connecting included.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(2_500);

/// For calls that may be repeated: whoever repeats them gets what the first would have got.
pub(crate) fn retries() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(2)
        .with_jitter()
}

/// Whether a call that failed so may succeed a moment later.
pub(crate) const fn may_pass(failed: &Failed) -> bool {
    matches!(failed.fault, CloudFault::Throttled | CloudFault::TimedOut | CloudFault::Unavailable)
}

/// A call on nothing that is certain yet.
pub(crate) const fn of(action: &'static str) -> Call<'static> {
    Call::of(CloudName::Gcp, action)
}

/// A call on a key, or on what keys are in.
pub(crate) const fn on<'a>(action: &'static str, on: &'a str) -> Call<'a> {
    Call::on(CloudName::Gcp, action, on)
}

/// What is done with a service's words on a call that it refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// They have the call's names, and no secret.
    PassedOn,
    /// They may repeat what was sent, where it could not be read.
    Kept,
}

/// The body of an answer that is one, or what the other means.
pub(crate) fn judge(
    call: Call<'_>,
    outcome: Result<Answer, Unanswered>,
    words: Words,
) -> Result<Vec<u8>, Failed> {
    match outcome {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
        Ok(answer) => Err(refusal(call, &answer, words)),
        Err(error @ Unanswered::NotConnected(_)) => {
            Err(Failed::new(CloudFault::Unavailable, call, error).leaving(Remains::Nothing))
        }
        Err(error @ Unanswered::Lost(_)) => Err(Failed::new(CloudFault::Unavailable, call, error)),
        Err(error @ (Unanswered::TooLarge | Unanswered::Elsewhere(_))) => {
            Err(Failed::new(CloudFault::WrongAnswer, call, error))
        }
    }
}

/// What an answer that is none means: by its HTTP status, which follows from Google's own code (`google.rpc.Code`).
fn refusal(call: Call<'_>, answer: &Answer, words: Words) -> Failed {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        error: Status,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        status: String,
        message: String,
    }
    let Body { error } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = match answer.status {
        400..=499 if words == Words::PassedOn || HARMLESS.contains(&error.status.as_str()) => {
            first_line(&error.message)
        }
        _ => String::new(),
    };
    let code = if is_word(&error.status) { error.status } else { String::new() };
    let detail = format!("{} {code} {said}", answer.status);
    let fault = match code.as_str() {
        "ABORTED" | "CANCELLED" => CloudFault::Unavailable,
        _ => of_status(answer.status),
    };
    let failed = Failed::new(fault, call, detail.trim_end());
    if code.is_empty() { failed } else { failed.coded(code) }
}

/// Codes of a call that was understood: the words are about a key or an identity.
const HARMLESS: [&str; 4] = ["FAILED_PRECONDITION", "NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"];

fn of_status(status: u16) -> CloudFault {
    match status {
        401 => CloudFault::NotEntered,
        408 | 504 => CloudFault::TimedOut,
        429 => CloudFault::Throttled,
        // All else is about the key or a permission: whoever runs the project must see to it.
        400..=499 => CloudFault::Denied,
        500..=599 => CloudFault::Unavailable,
        _ => CloudFault::WrongAnswer,
    }
}

fn is_word(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
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
    use serde_json::json;

    use super::*;

    fn refused(status: u16, body: &str) -> Failed {
        let answer = Answer { status, headers: Vec::new(), body: body.into() };
        judge(of("AsymmetricSign"), Ok(answer), Words::PassedOn).unwrap_err()
    }

    #[test]
    fn a_status_says_who_can_mend_it() {
        let denied =
            refused(403, r#"{"error":{"code":403,"message":"No.\nMore","status":"PERMISSION_DENIED"}}"#);
        assert!(denied.is("PERMISSION_DENIED"));
        assert_eq!(denied.fault, CloudFault::Denied);
        assert_eq!(refused(401, "{}").fault, CloudFault::NotEntered);
        assert_eq!(refused(404, "").fault, CloudFault::Denied);
        assert_eq!(refused(429, "{}").fault, CloudFault::Throttled);
        assert_eq!(refused(503, "<html>").fault, CloudFault::Unavailable);
        assert_eq!(refused(504, "").fault, CloudFault::TimedOut);
        assert_eq!(refused(302, "").fault, CloudFault::WrongAnswer);
    }

    #[test]
    fn what_a_server_says_of_itself_is_not_passed_on() {
        let failed = refused(500, r#"{"error":{"message":"a stack of it","status":"INTERNAL"}}"#);
        assert!(!format!("{failed:?}").contains("stack"));
        for status in ["INVALID_ARGUMENT", ""] {
            let body =
                json!({"error": {"message": "Invalid value at 'plaintext': c2VjcmV0", "status": status}});
            let answer = Answer { status: 400, headers: Vec::new(), body: body.to_string().into() };
            let failed = judge(of("Encrypt"), Ok(answer), Words::Kept).unwrap_err();
            assert!(!format!("{failed:?}").contains("c2VjcmV0"));
        }
    }
}
