//! What the server does by itself: events get their place within a second, and ledgers with something new are sealed every
//! minute.

use std::{sync::Arc, time::Duration};

use vault::{Error, custody::Custody, id::OrgId, ledger_access::Sealer, store::Store};

use crate::app;

/// Keeps house until it is dropped. A failure is told in the log, once until it is over, and tried again.
pub async fn keep_house(store: Arc<dyn Store>, custody: Arc<Custody>) {
    let mut failing = false;
    let mut second = 0_u64;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        second += 1;
        let done = async {
            place(&store).await?;
            if second.is_multiple_of(SEAL_SECONDS) { seal(&store, &custody).await } else { Ok(()) }
        };
        match done.await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, "the ledger could not be kept up");
            }
            Err(_) => {}
        }
    }
}

async fn place(store: &Arc<dyn Store>) -> Result<(), Error> {
    let sequencer = app::sequencer(store);
    for org in store.waiting(PAGE).await? {
        sequencer.sequence(&org).await?;
    }
    Ok(())
}

/// Seals every ledger that has entries which its newest checkpoint does not cover.
async fn seal(store: &Arc<dyn Store>, custody: &Arc<Custody>) -> Result<(), Error> {
    let sealer = app::seal_ports(store, custody);
    let mut after: Option<OrgId> = None;
    loop {
        let orgs = store.orgs(after.as_ref(), PAGE).await?;
        let Some(last) = orgs.last().cloned() else {
            return Ok(());
        };
        for org in &orgs {
            let size = store.head(org).await?.size;
            let sealed = store.checkpoints(org, None, 1).await?.pop().map_or(0, |last| last.tree_size);
            if size > sealed {
                sealer.seal(org).await?;
            }
        }
        after = Some(last);
    }
}

/// How often ledgers are sealed.
const SEAL_SECONDS: u64 = 60;

/// Organisations that are looked at in one read.
const PAGE: usize = 100;
