//! From a bearer token to a caller. The token's row is read in every request, so that a revoked token is dead at once.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use vault::{
    Error,
    caller::{Caller, Scope},
    store::Tokens,
    token::Secret,
};

use crate::http::{Failure, drain};

/// What a caller must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nobody,
    /// Any valid token.
    AnyToken,
    /// A token with the scope.
    Scope(Scope),
}

/// A lock on a route.
#[derive(Clone)]
pub(crate) struct Lock {
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) needs: Needs,
}

/// Lets through those who bring what the route needs, before a byte of the body is looked at.
pub(crate) async fn admit(State(lock): State<Lock>, mut request: Request, next: Next) -> Response {
    let admitted = match lock.needs {
        Needs::Nobody => Ok(None),
        Needs::AnyToken => authenticate(lock.tokens.as_ref(), request.headers()).await.map(Some),
        Needs::Scope(scope) => authenticate(lock.tokens.as_ref(), request.headers())
            .await
            .and_then(|caller| caller.require(scope).map(|()| Some(caller))),
    };
    match admitted {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(Authenticated(caller));
            }
            next.run(request).await
        }
        Err(error) => {
            drain(request.into_body()).await;
            Failure::from(error).into_response()
        }
    }
}

/// The caller of a request that was let through.
#[derive(Clone)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        // Nobody is let through to a handler that asks for a caller without being one.
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthenticated.into())
    }
}

async fn authenticate(tokens: &dyn Tokens, headers: &HeaderMap) -> Result<Caller, Error> {
    let presented = headers
        .get(header::AUTHORIZATION)
        // A token that an operator chose may hold more than ASCII.
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| Secret::parse(token.trim()).ok())
        .ok_or(Error::Unauthenticated)?;
    let token = tokens.token(&presented.derive_hash()).await?;
    let token = token.filter(|token| token.revoked_at.is_none()).ok_or(Error::Unauthenticated)?;
    Ok(Caller { org: token.org, token: token.id, scopes: token.scopes, lines: token.lines })
}
