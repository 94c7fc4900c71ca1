//! The API's table of contents: one line an operation, with what a caller must bring.

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};
use utoipa::openapi::{
    ComponentsBuilder, Info, License, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use vault::{
    caller::Scope,
    ops::{
        api_tokens, append_ledger, clear_settings, create_key, get_key, get_settings, key_audit, key_lineage,
        list_keys, policies, public_key, put_settings, read_ledger, receipt, revoke_key, rotate_key,
        seal_ledger, sign, usage, verify, whoami,
    },
    store::Tokens,
};

use crate::{
    auth::{Lock, Needs, admit},
    handlers,
};

/// An operation: its name everywhere, what it needs, and its routes over its ports `P`.
pub struct Operation<P> {
    /// The name of its Lambda, its OpenAPI tag and, with underscores, its module.
    pub name: &'static str,
    /// What a caller must bring.
    pub needs: Needs,
    routes: fn() -> OpenApiRouter<P>,
}

/// `GET /health`, `GET /v1/health`
pub const HEALTH: Operation<()> = operation("health", Needs::Nobody, || {
    OpenApiRouter::new()
        .routes(routes!(handlers::health::health))
        .routes(routes!(handlers::health::health_v1))
});

/// Every path and method that no other operation has
pub const NOT_FOUND: Operation<()> = operation("not-found", Needs::Nobody, OpenApiRouter::new);

/// `GET /v1/whoami`
pub const WHOAMI: Operation<whoami::Ports> =
    operation("whoami", Needs::AnyToken, || OpenApiRouter::new().routes(routes!(handlers::whoami::whoami)));

/// `POST /v1/hybrid-keys`
pub const CREATE_KEY: Operation<create_key::Ports> =
    operation("create-key", Needs::Scope(Scope::KeysWrite), || {
        OpenApiRouter::new().routes(routes!(handlers::create_key::create_key))
    });

/// `GET /v1/hybrid-keys`
pub const LIST_KEYS: Operation<list_keys::Ports> =
    operation("list-keys", Needs::Scope(Scope::KeysRead), || {
        OpenApiRouter::new().routes(routes!(handlers::list_keys::list_keys))
    });

/// `GET /v1/hybrid-keys/{id}`
pub const GET_KEY: Operation<get_key::Ports> = operation("get-key", Needs::Scope(Scope::KeysRead), || {
    OpenApiRouter::new().routes(routes!(handlers::get_key::get_key))
});

/// `GET /v1/hybrid-keys/{id}/public-key`
pub const PUBLIC_KEY: Operation<public_key::Ports> =
    operation("public-key", Needs::Scope(Scope::KeysRead), || {
        OpenApiRouter::new().routes(routes!(handlers::public_key::public_key))
    });

/// `DELETE /v1/hybrid-keys/{id}`
pub const REVOKE_KEY: Operation<revoke_key::Ports> =
    operation("revoke-key", Needs::Scope(Scope::KeysWrite), || {
        OpenApiRouter::new().routes(routes!(handlers::revoke_key::revoke_key))
    });

/// `POST /v1/hybrid-keys/{id}/rotate`
pub const ROTATE_KEY: Operation<rotate_key::Ports> =
    operation("rotate-key", Needs::Scope(Scope::KeysWrite), || {
        OpenApiRouter::new().routes(routes!(handlers::rotate_key::rotate_key))
    });

/// `GET /v1/hybrid-keys/{id}/lineage`
pub const KEY_LINEAGE: Operation<key_lineage::Ports> =
    operation("key-lineage", Needs::Scope(Scope::KeysRead), || {
        OpenApiRouter::new().routes(routes!(handlers::key_lineage::key_lineage))
    });

/// `GET /v1/hybrid-keys/{id}/audit`
pub const KEY_AUDIT: Operation<key_audit::Ports> =
    operation("key-audit", Needs::Scope(Scope::AuditRead), || {
        OpenApiRouter::new().routes(routes!(handlers::key_audit::key_audit))
    });

/// `POST /v1/sign`
pub const SIGN: Operation<sign::Ports> = operation("sign", Needs::Scope(Scope::Sign), || {
    OpenApiRouter::new().routes(routes!(handlers::sign::sign))
});

/// `POST /v1/verify`
pub const VERIFY: Operation<verify::Ports> = operation("verify", Needs::Scope(Scope::Verify), || {
    OpenApiRouter::new().routes(routes!(handlers::verify::verify))
});

/// `GET`, `POST /v1/api-tokens`, `DELETE /v1/api-tokens/{id}`
pub const API_TOKENS: Operation<api_tokens::Ports> =
    operation("api-tokens", Needs::Scope(Scope::Admin), || {
        OpenApiRouter::new()
            .routes(routes!(handlers::api_tokens::list_tokens, handlers::api_tokens::create_token))
            .routes(routes!(handlers::api_tokens::revoke_token))
    });

/// `GET`, `POST /v1/policies`, `GET /v1/policies/offered`, `GET`, `PATCH`, `DELETE /v1/policies/{id}`
pub const POLICIES: Operation<policies::Ports> = operation("policies", Needs::Scope(Scope::Policies), || {
    OpenApiRouter::new()
        .routes(routes!(handlers::policies::list_policies, handlers::policies::create_policy))
        .routes(routes!(handlers::policies::list_offered_policies))
        .routes(routes!(
            handlers::policies::get_policy,
            handlers::policies::update_policy,
            handlers::policies::delete_policy
        ))
});

/// `GET /v1/vault/settings`
pub const GET_SETTINGS: Operation<get_settings::Ports> =
    operation("get-settings", Needs::Scope(Scope::Settings), || {
        OpenApiRouter::new().routes(routes!(handlers::get_settings::get_settings))
    });

/// `PUT /v1/vault/settings`
pub const PUT_SETTINGS: Operation<put_settings::Ports> =
    operation("put-settings", Needs::Scope(Scope::Settings), || {
        OpenApiRouter::new().routes(routes!(handlers::put_settings::put_settings))
    });

/// `DELETE /v1/vault/settings`
pub const CLEAR_SETTINGS: Operation<clear_settings::Ports> =
    operation("clear-settings", Needs::Scope(Scope::Settings), || {
        OpenApiRouter::new().routes(routes!(handlers::clear_settings::clear_settings))
    });

/// `POST /v1/vault/settings/test`
pub const TEST_SETTINGS: Operation<put_settings::Ports> =
    operation("test-settings", Needs::Scope(Scope::Settings), || {
        OpenApiRouter::new().routes(routes!(handlers::test_settings::test_settings))
    });

/// `GET /v1/usage`
pub const USAGE: Operation<usage::Ports> = operation("usage", Needs::Scope(Scope::AuditRead), || {
    OpenApiRouter::new().routes(routes!(handlers::usage::usage))
});

/// `GET /v1/ledger/entries`, `/checkpoints`, `/checkpoints/latest`, `/proof/{eventId}`, `/consistency`, `/bundle`
pub const READ_LEDGER: Operation<read_ledger::Ports> =
    operation("read-ledger", Needs::Scope(Scope::AuditRead), || {
        OpenApiRouter::new()
            .routes(routes!(handlers::read_ledger::entries))
            .routes(routes!(handlers::read_ledger::checkpoints))
            .routes(routes!(handlers::read_ledger::latest))
            .routes(routes!(handlers::read_ledger::proof))
            .routes(routes!(handlers::read_ledger::consistency))
            .routes(routes!(handlers::read_ledger::bundle))
    });

/// `POST /v1/ledger/entries`
pub const APPEND_LEDGER: Operation<append_ledger::Ports> =
    operation("append-ledger", Needs::Scope(Scope::AuditWrite), || {
        OpenApiRouter::new().routes(routes!(handlers::append_ledger::append_ledger))
    });

/// `POST /v1/ledger/seal`
pub const SEAL_LEDGER: Operation<seal_ledger::Ports> =
    operation("seal-ledger", Needs::Scope(Scope::AuditWrite), || {
        OpenApiRouter::new().routes(routes!(handlers::seal_ledger::seal_ledger))
    });

/// `GET /v1/receipts/{eventId}`
pub const RECEIPT: Operation<receipt::Ports> = operation("receipt", Needs::Scope(Scope::AuditRead), || {
    OpenApiRouter::new().routes(routes!(handlers::receipt::receipt))
});

impl<P: Clone + Send + Sync + 'static> Operation<P> {
    /// The operation's router over its ports, behind its lock. Scopes are checked before a byte of the body is read.
    pub fn router(&self, tokens: Arc<dyn Tokens>, ports: P) -> Router {
        let lock = Lock { tokens, needs: self.needs };
        let (router, _) = (self.routes)().split_for_parts();
        router.route_layer(from_fn_with_state(lock, admit)).with_state(ports)
    }

    /// The router of an operation that lets everybody in.
    pub fn open_router(&self, ports: P) -> Router {
        let (router, _) = (self.routes)().split_for_parts();
        router.with_state(ports)
    }

    fn describe(&self) -> OpenApi {
        (self.routes)().into_openapi()
    }
}

/// The API's description, OpenAPI 3.1.
#[must_use]
pub fn openapi() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API token, `pq_live_…` or `pq_test_…`."))
        .build();
    let mut info = Info::new("PostQ Vault", env!("CARGO_PKG_VERSION"));
    info.description = Some("Sign with two keys at once, one post-quantum and one classical.".to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let mut whole = OpenApiBuilder::new()
        .info(info)
        .components(Some(
            ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer)).build(),
        ))
        .security(Some([SecurityRequirement::new("bearer", [] as [&str; 0])]))
        .build();
    for part in [
        HEALTH.describe(),
        WHOAMI.describe(),
        CREATE_KEY.describe(),
        LIST_KEYS.describe(),
        GET_KEY.describe(),
        PUBLIC_KEY.describe(),
        REVOKE_KEY.describe(),
        ROTATE_KEY.describe(),
        KEY_LINEAGE.describe(),
        KEY_AUDIT.describe(),
        SIGN.describe(),
        VERIFY.describe(),
        API_TOKENS.describe(),
        POLICIES.describe(),
        GET_SETTINGS.describe(),
        PUT_SETTINGS.describe(),
        CLEAR_SETTINGS.describe(),
        TEST_SETTINGS.describe(),
        USAGE.describe(),
        READ_LEDGER.describe(),
        APPEND_LEDGER.describe(),
        SEAL_LEDGER.describe(),
        RECEIPT.describe(),
    ] {
        whole.merge(part);
    }
    whole
}

const fn operation<P>(name: &'static str, needs: Needs, routes: fn() -> OpenApiRouter<P>) -> Operation<P> {
    Operation { name, needs, routes }
}
