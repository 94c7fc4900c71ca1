//! Moves every key's wrapping and tag, and what organisations handed over to be used at clouds, to the current key-encryption key. It is on no route: an operator runs it.

use std::sync::Arc;

use crate::{
    Error,
    custody::{Custody, CustodyError, Subject},
    error::IntegrityFault,
    id::{KeyId, OrgId},
    key_material,
    providers::KekProvider,
    record_tag::KekId,
    store::{KeyRecord, Rewrapping},
};

/// What rewrapping touches. The sealed halves are not part of it: their data keys stay what they are.
#[derive(Clone)]
pub struct Ports {
    /// Tags are checked and made, data keys wrapped anew.
    pub custody: Arc<Custody>,
    /// Rows are read and, one by one, changed.
    pub rows: Arc<dyn Rewrapping>,
}

/// How far it came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Rows moved to the current key.
    pub moved: u64,
    /// Rows that already were there.
    pub current: u64,
    /// Rows that something else changed meanwhile; another run sees to them.
    pub changed_meanwhile: u64,
    /// Keys whose row did not pass its integrity check. They are left as they are.
    pub refused: Vec<KeyId>,
    /// Organisations with something handed over to be used at a cloud that did not open. It is left as it is: they save their settings
    /// again.
    pub refused_secrets: Vec<OrgId>,
}

/// Moves every row, one write each, so that it can be killed at any moment and run again.
///
/// # Errors
/// [`Error::StoreUnavailable`]; a row that does not pass its check is no error but part of the answer.
pub async fn rewrap(ports: &Ports) -> Result<Response, Error> {
    let current = ports.custody.root.current().await?;
    let mut response = Response::default();
    let mut after = None;
    loop {
        let cursor = after.as_ref().map(|(org, key)| (org, key));
        let page = ports.rows.active_keys(cursor, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.org.clone(), last.id.clone()));
        for key in page {
            let moved = match key.row {
                Ok(row) => rewrap_one(ports, current, &row).await,
                Err(column) => Err(Error::integrity(&key.id, IntegrityFault::Column(column))),
            };
            match moved {
                Ok(Outcome::Moved) => response.moved += 1,
                Ok(Outcome::Current) => response.current += 1,
                Ok(Outcome::ChangedMeanwhile) => response.changed_meanwhile += 1,
                Err(error @ Error::KeyIntegrity { .. }) => {
                    tracing::warn!(key = %key.id, cause = ?error, "a key was not rewrapped");
                    response.refused.push(key.id);
                }
                Err(error) => return Err(error),
            }
        }
    }
    reseal(ports, current, &mut response).await?;
    Ok(response)
}

/// The same for what organisations handed over.
async fn reseal(ports: &Ports, current: KekId, response: &mut Response) -> Result<(), Error> {
    let root = ports.custody.root.as_ref();
    let mut after = None;
    loop {
        let cursor = after.as_ref().map(|(org, cloud)| (org, *cloud));
        let page = ports.rows.secrets(cursor, PAGE).await?;
        let Some((org, cloud, _)) = page.last() else { return Ok(()) };
        after = Some((org.clone(), *cloud));
        for (org, cloud, from) in page {
            if from.kek() == Some(current) {
                response.current += 1;
                continue;
            }
            match root.open_secret(&org, cloud, &from).await {
                Ok(secret) => {
                    let to = root.seal_secret(&org, cloud, &secret).await?;
                    if ports.rows.reseal(&org, cloud, &from, &to).await? {
                        response.moved += 1;
                    } else {
                        response.changed_meanwhile += 1;
                    }
                }
                Err(CustodyError::UnknownKek(_) | CustodyError::NotAuthentic) => {
                    tracing::warn!(%org, %cloud, "what is stored to enter a cloud by does not open, and was not moved");
                    response.refused_secrets.push(org);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The key-encryption keys that some row names and this process does not have, with how many rows name each. A vault that
/// starts without them could not sign with those keys, so it does not start.
///
/// # Errors
/// [`Error::StoreUnavailable`].
pub async fn missing_keks(ports: &Ports) -> Result<Vec<(KekId, u64)>, Error> {
    let known = ports.custody.root.known().await?;
    let mut used = ports.rows.kek_use().await?;
    used.retain(|(kek, _)| !known.contains(kek));
    Ok(used)
}

enum Outcome {
    Moved,
    Current,
    ChangedMeanwhile,
}

async fn rewrap_one(ports: &Ports, current: KekId, from: &KeyRecord) -> Result<Outcome, Error> {
    let root = ports.custody.root.as_ref();
    key_material::check_tag(root, from).await?;
    let mut to = from.clone();
    // What a cloud's key wrapped stays wrapped by it: a cloud changes its keys by itself.
    if let Some(kek) = &mut to.kek
        && kek.provider == KekProvider::Env
    {
        let provider = ports.custody.kek.as_ref();
        let subject = Subject { org: &from.org, key: &from.id };
        let anew = provider.rewrap_dek(subject, &kek.wrapped).await;
        if let Some(anew) =
            anew.map_err(|e| key_material::custody_error(from, e, IntegrityFault::WrappedDek))?
        {
            kek.wrapped = anew;
        }
    }
    if to.kek == from.kek && from.tag.is_some_and(|tag| tag.kek() == current) {
        return Ok(Outcome::Current);
    }
    to.tag = Some(root.tag(&to.org, &key_material::tagged_bytes(&to)).await?);
    Ok(if ports.rows.rewrap(from, &to).await? { Outcome::Moved } else { Outcome::ChangedMeanwhile })
}

const PAGE: usize = 100;
