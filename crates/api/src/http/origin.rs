//! Origins: the pages that may call the API from a browser.

use axum::http::HeaderValue;

/// An origin as a browser sends it, which may call the API.
#[derive(Debug, Clone)]
pub struct Origin(pub(super) HeaderValue);

/// A string that is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoOrigin(String);

impl std::error::Error for NoOrigin {}

impl std::fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is no origin; an origin is a scheme and a host, such as https://app.example", self.0)
    }
}

impl Origin {
    /// Reads origins separated by commas; none from an empty string.
    ///
    /// # Errors
    /// [`NoOrigin`], which names the first that is none. `*` is none: callers are named.
    pub fn list(text: &str) -> Result<Vec<Self>, NoOrigin> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, NoOrigin> {
        let refuse = || NoOrigin(text.to_owned());
        let host =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refuse)?;
        if host.is_empty() || host.contains(['/', '?', '#', '@', '*', ' ']) {
            return Err(refuse());
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| refuse())
    }
}
