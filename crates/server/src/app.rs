//! Puts store, custody and routes together.

use std::{sync::Arc, time::Duration};

use api::{
    http::{self, Origin},
    routes,
};
use async_trait::async_trait;
use axum::Router;
use vault::{
    custody::Custody,
    ledger_access::{LedgerAccess, Timer},
    ops::{
        api_tokens, append_ledger, clear_settings, create_key, get_key, get_settings, key_audit, key_lineage,
        list_keys, policies, public_key, put_settings, read_ledger, receipt, reconcile_keys, recover,
        revoke_key, rewrap, rotate_due_keys, rotate_key, rotate_ledger_key, seal_ledger, sign, usage, verify,
        whoami,
    },
    sequencing::Sequencer,
    store::Store,
};

use crate::dashboard;

/// The whole API over one store, and the dashboard beside it.
pub fn app(store: &Arc<dyn Store>, custody: &Arc<Custody>, origins: &[Origin]) -> Router {
    let tokens = || store.clone();
    let router = Router::new()
        .merge(routes::HEALTH.open_router(()))
        .merge(routes::WHOAMI.router(tokens(), whoami::Ports { orgs: store.clone() }))
        .merge(routes::CREATE_KEY.router(
            tokens(),
            create_key::Ports {
                custody: custody.clone(),
                settings: store.clone(),
                secrets: store.clone(),
                intents: store.clone(),
                policies: store.clone(),
                events: store.clone(),
                writes: store.clone(),
                replies: store.clone(),
            },
        ))
        .merge(routes::LIST_KEYS.router(
            tokens(),
            list_keys::Ports { keys: store.clone(), usage: store.clone(), settings: store.clone() },
        ))
        .merge(routes::GET_KEY.router(
            tokens(),
            get_key::Ports { keys: store.clone(), usage: store.clone(), settings: store.clone() },
        ))
        .merge(routes::PUBLIC_KEY.router(tokens(), public_key::Ports { keys: store.clone() }))
        .merge(routes::REVOKE_KEY.router(
            tokens(),
            revoke_key::Ports { keys: store.clone(), writes: store.clone(), opened: custody.opened.clone() },
        ))
        .merge(routes::ROTATE_KEY.router(tokens(), rotate_ports(store, custody)))
        .merge(routes::KEY_LINEAGE.router(
            tokens(),
            key_lineage::Ports { keys: store.clone(), access: ledger_access(store, custody) },
        ))
        .merge(
            routes::KEY_AUDIT
                .router(tokens(), key_audit::Ports { keys: store.clone(), sequencer: sequencer(store) }),
        )
        .merge(routes::SIGN.router(
            tokens(),
            sign::Ports {
                keys: store.clone(),
                lines: store.clone(),
                sealed: store.clone(),
                custody: custody.clone(),
                settings: store.clone(),
                secrets: store.clone(),
                signatures: store.clone(),
                policies: store.clone(),
                events: store.clone(),
                replies: store.clone(),
            },
        ))
        .merge(routes::VERIFY.router(
            tokens(),
            verify::Ports {
                keys: store.clone(),
                issued: store.clone(),
                policies: store.clone(),
                events: store.clone(),
                replies: store.clone(),
            },
        ))
        .merge(settings_routes(store, custody))
        .merge(ledger_routes(store, custody))
        .merge(dashboard::router());
    http::finish(router, origins)
}

fn settings_routes(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> Router {
    let tokens = || store.clone();
    let put = || put_settings::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        settings: store.clone(),
        secrets: store.clone(),
        writes: store.clone(),
        custody: custody.clone(),
    };
    Router::new()
        .merge(routes::GET_SETTINGS.router(tokens(), get_settings::Ports { settings: store.clone() }))
        .merge(routes::PUT_SETTINGS.router(tokens(), put()))
        .merge(routes::CLEAR_SETTINGS.router(tokens(), clear_settings::Ports { writes: store.clone() }))
        .merge(routes::TEST_SETTINGS.router(tokens(), put()))
        .merge(routes::POLICIES.router(
            tokens(),
            policies::Ports { policies: store.clone(), writes: store.clone(), replies: store.clone() },
        ))
}

fn ledger_routes(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> Router {
    let tokens = || store.clone();
    Router::new()
        .merge(routes::API_TOKENS.router(
            tokens(),
            api_tokens::Ports {
                orgs: store.clone(),
                keys: store.clone(),
                tokens: store.clone(),
                writes: store.clone(),
                replies: store.clone(),
            },
        ))
        .merge(
            routes::USAGE
                .router(tokens(), usage::Ports { sequencer: sequencer(store), usage: store.clone() }),
        )
        .merge(
            routes::READ_LEDGER
                .router(tokens(), read_ledger::Ports { access: ledger_access(store, custody) }),
        )
        .merge(routes::APPEND_LEDGER.router(
            tokens(),
            append_ledger::Ports {
                events: store.clone(),
                sequencer: sequencer(store),
                replies: store.clone(),
            },
        ))
        .merge(routes::SEAL_LEDGER.router(tokens(), seal_ports(store, custody)))
        .merge(
            routes::RECEIPT.router(
                tokens(),
                receipt::Ports { keys: store.clone(), access: ledger_access(store, custody) },
            ),
        )
}

/// What giving events their place touches.
#[must_use]
pub fn sequencer(store: &Arc<dyn Store>) -> Sequencer {
    Sequencer { intake: store.clone(), ledger: store.clone(), placing: store.clone() }
}

/// What sealing touches.
#[must_use]
pub fn seal_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> seal_ledger::Ports {
    seal_ledger::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody.clone(),
        sequencer: sequencer(store),
        checkpoints: store.clone(),
        timer: Arc::new(TokioTimer),
        replies: store.clone(),
        events: store.clone(),
    }
}

/// What evidence is made from. The sealer is in this process.
#[must_use]
pub fn ledger_access(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> LedgerAccess {
    LedgerAccess {
        orgs: store.clone(),
        keys: store.clone(),
        lines: store.clone(),
        sequencer: sequencer(store),
        sealer: Arc::new(seal_ports(store, custody)),
    }
}

fn rotate_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> rotate_key::Ports {
    rotate_key::Ports {
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody.clone(),
        settings: store.clone(),
        secrets: store.clone(),
        intents: store.clone(),
        policies: store.clone(),
        events: store.clone(),
        writes: store.clone(),
        replies: store.clone(),
    }
}

/// What rotating keys whose time has come touches.
#[must_use]
pub fn rotate_due_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> rotate_due_keys::Ports {
    rotate_due_keys::Ports { due: store.clone(), rotate: rotate_ports(store, custody) }
}

/// What cleaning up at clouds touches.
#[must_use]
pub fn reconcile_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> reconcile_keys::Ports {
    reconcile_keys::Ports {
        orgs: store.clone(),
        settings: store.clone(),
        secrets: store.clone(),
        keys: store.clone(),
        rows: store.clone(),
        custody: custody.clone(),
    }
}

/// What moving keys to another key-encryption key touches.
#[must_use]
pub fn rewrap_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> rewrap::Ports {
    rewrap::Ports { custody: custody.clone(), rows: store.clone() }
}

/// What rotating a ledger key touches.
#[must_use]
pub fn rotate_ledger_key_ports(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> rotate_ledger_key::Ports {
    rotate_ledger_key::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody.clone(),
        writes: store.clone(),
    }
}

/// What recovering a restored store touches.
#[must_use]
pub fn recover_ports(store: &Arc<dyn Store>) -> recover::Ports {
    recover::Ports { recovery: store.clone() }
}

/// Waits on the runtime.
struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
