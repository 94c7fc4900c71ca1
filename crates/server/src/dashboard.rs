//! The dashboard's files under `/vault`, as they were built when this was compiled (`cargo xtask npm`).
//!
//! A path below `/vault` whose last part has no dot is a page of the application, which finds its way by itself. Every answer has
//! the headers that the application is written for: nothing is loaded from elsewhere, nothing is called but this origin, and no text becomes
//! markup or code.

use api::http::Failure;
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Whether this build has the dashboard.
#[must_use]
pub fn is_built_in() -> bool {
    Files::get(PAGE).is_some()
}

/// The routes.
pub(crate) fn router() -> Router {
    Router::new().route("/vault", get(page)).route("/vault/", get(page)).route(
        "/vault/{*path}",
        get(async |Path(path): Path<String>, headers: HeaderMap| file(&path, &headers)),
    )
}

async fn page(headers: HeaderMap) -> Response {
    file(PAGE, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let path = if is_file { path } else { PAGE };
    let smaller = if accepts_brotli(headers) { Files::get(&format!("{path}.br")) } else { None };
    let encoded = smaller.is_some();
    let mut response = match smaller.or_else(|| Files::get(path)) {
        Some(file) => found(path, file, encoded),
        None if path == PAGE => Html(NOT_BUILT).into_response(),
        None => return Failure::NoRoute.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn found(path: &str, file: EmbeddedFile, encoded: bool) -> Response {
    // The names of what is in `assets` have the hash of what it holds.
    let kept = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let about = [
        (header::CONTENT_TYPE, media_type(path)),
        (header::CACHE_CONTROL, kept),
        (header::VARY, "Accept-Encoding"),
    ];
    let mut response = (about, file.data.into_owned()).into_response();
    if encoded {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// What the application is made of; a test holds every file to have one of these.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim() == "br" && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[derive(RustEmbed)]
#[folder = "../../dashboard/dist"]
#[exclude = ".gitignore"]
struct Files;

const PAGE: &str = "index.html";

/// Of every file. infra/modules/dashboard has the same; a test says so.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types svelte-trusted-html postq-vault",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// What a build without the dashboard says in its place.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>PostQ Vault</title>\
    <p>The dashboard is not in this build of postq-vault. <code>cargo xtask up</code> builds it in.</p></html>";
