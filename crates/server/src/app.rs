//! Puts store, custody and routes together.

use std::sync::Arc;

use api::{
    http::{self, Origin},
    routes,
};
use axum::Router;
use vault::{
    custody::Custody,
    ops::{create_key, get_key, list_keys, public_key, rewrap, sign, verify, whoami},
    store::Store,
};

/// The whole API over one store.
pub fn app(store: &Arc<dyn Store>, custody: &Arc<Custody>, origins: &[Origin]) -> Router {
    let tokens = || store.clone();
    let router = Router::new()
        .merge(routes::HEALTH.open_router(()))
        .merge(routes::WHOAMI.router(tokens(), whoami::Ports { orgs: store.clone() }))
        .merge(
            routes::CREATE_KEY
                .router(tokens(), create_key::Ports { custody: custody.clone(), writes: store.clone() }),
        )
        .merge(routes::LIST_KEYS.router(tokens(), list_keys::Ports { keys: store.clone() }))
        .merge(routes::GET_KEY.router(tokens(), get_key::Ports { keys: store.clone() }))
        .merge(routes::PUBLIC_KEY.router(tokens(), public_key::Ports { keys: store.clone() }))
        .merge(routes::SIGN.router(
            tokens(),
            sign::Ports {
                keys: store.clone(),
                sealed: store.clone(),
                custody: custody.clone(),
                signatures: store.clone(),
                events: store.clone(),
            },
        ))
        .merge(routes::VERIFY.router(
            tokens(),
            verify::Ports { keys: store.clone(), issued: store.clone(), events: store.clone() },
        ));
    http::finish(router, origins)
}

/// What moving keys to another key-encryption key touches.
#[must_use]
pub fn rewrap_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> rewrap::Ports {
    rewrap::Ports { custody: custody.clone(), rows: store.clone() }
}
