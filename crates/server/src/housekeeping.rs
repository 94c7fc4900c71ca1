//! What the server does by itself: events get their place within a second, ledgers with something new are sealed every minute,
//! every minute it cleans up at clouds, where it has any, and lets go of opened keys; and every hour it rotates the keys whose time
//! has come.

use std::{sync::Arc, time::Duration};

use vault::{
    Error, Timestamp,
    custody::Custody,
    ops::{reconcile_keys, rotate_due_keys, seal_ledger},
    store::Store,
};

use crate::app;

/// Keeps house until it is dropped. A failure is told in the log, once until all is well again, and tried again; one organisation's
/// does not keep the others from anything.
pub async fn keep_house(store: Arc<dyn Store>, custody: Arc<Custody>) {
    // Clouds that do not answer keep a rotation for seconds, and nothing else from its time.
    tokio::join!(keep_ledger(&store, &custody), rotate(&store, &custody));
}

async fn keep_ledger(store: &Arc<dyn Store>, custody: &Arc<Custody>) {
    let mut failing = false;
    let mut second = 0_u64;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        second += 1;
        let mut done = place(store).await;
        if second.is_multiple_of(SEAL_SECONDS) {
            custody.opened.sweep(Timestamp::now());
            done = done.and(seal_ledger::seal_all(&app::seal_ports(store, custody)).await.map(drop));
            done = done.and(store.purge(Timestamp::now()).await.map_err(Error::from));
            done = done.and(clean_up(store, custody, second.is_multiple_of(SURVEY_SECONDS)).await);
        }
        match done {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, "the ledger could not be kept up, or what is left at a cloud not be cleaned up");
            }
            Err(_) => {}
        }
    }
}

async fn place(store: &Arc<dyn Store>) -> Result<(), Error> {
    let sequencer = app::sequencer(store);
    let mut done = Ok(());
    for org in store.waiting(PAGE).await? {
        done = done.and(sequencer.sequence(&org).await.map(drop));
    }
    done
}

async fn clean_up(store: &Arc<dyn Store>, custody: &Arc<Custody>, survey: bool) -> Result<(), Error> {
    if custody.clouds.is_empty() {
        return Ok(());
    }
    let request = reconcile_keys::Request { now: Timestamp::now(), survey, give_up: None };
    let done = reconcile_keys::reconcile_keys(&app::reconcile_ports(store, custody), request).await?;
    for half in &done.deleted {
        tracing::info!(half, "a half that nothing needs any more is to be deleted by its cloud");
    }
    Ok(())
}

async fn rotate(store: &Arc<dyn Store>, custody: &Arc<Custody>) {
    let ports = app::rotate_due_ports(store, custody);
    loop {
        match rotate_due_keys::rotate_due_keys(&ports, Timestamp::now()).await {
            Ok(done) => {
                for (key, successor) in &done.rotated {
                    tracing::info!(%key, %successor, "a key whose time had come was rotated");
                }
            }
            Err(error) => tracing::error!(%error, "which keys are to be rotated could not be found out"),
        }
        tokio::time::sleep(ROTATE_EVERY).await;
    }
}

/// How often keys are looked for whose time has come, and first at the start.
const ROTATE_EVERY: Duration = Duration::from_secs(60 * 60);

/// How often ledgers are sealed.
const SEAL_SECONDS: u64 = 60;

/// How often every account is looked through for halves that belong to no key.
const SURVEY_SECONDS: u64 = 6 * 60 * SEAL_SECONDS;

/// Organisations that are looked at in one read.
const PAGE: usize = 100;
