//! What rotating a user key and rotating a ledger key have in common: a successor, and a statement that both sign.

use ledger::{Event, Party, SUCCESSION_TYPE, Statement};

use crate::{
    Error, Timestamp,
    accounts::Accounts,
    events::Scene,
    id::EventId,
    key_material::{self, Blueprint, Unstored},
    providers::{KekProvider, KeyProvider, PqProvider, check_combination},
    store::{KeyKind, KeyRecord, Rotation, SealedHalves, SealedRecord, SuccessionRecord},
};

/// What the successor is to be, where it may differ.
pub(crate) struct Successor {
    pub(crate) kind: KeyKind,
    pub(crate) name: String,
    /// Who wraps its data key, where anything of it is sealed.
    pub(crate) kek: KekProvider,
    pub(crate) classical: KeyProvider,
    pub(crate) pq: PqProvider,
}

/// Makes the successor and has both keys sign the succession. Nothing is stored yet.
pub(crate) async fn prepare(
    accounts: &Accounts<'_>,
    sealed: &dyn SealedHalves,
    predecessor: &KeyRecord,
    successor: Successor,
    actor: &str,
) -> Result<(Rotation, Event), Error> {
    let now = Timestamp::now();
    let org = &predecessor.org;
    let blueprint = Blueprint {
        org,
        kind: successor.kind,
        name: successor.name,
        metadata: predecessor.metadata.clone(),
        algorithm: predecessor.public_key.algorithm(),
        kek: successor.kek,
        classical: successor.classical,
        pq: successor.pq,
        allow_follow: predecessor.allow_follow,
        rotate_after_days: predecessor.rotate_after_days,
        follows: Some(predecessor),
        now,
    };
    // The old key first: where it is not to be trusted, or could not vouch, nothing new is made.
    check_combination(blueprint.algorithm, blueprint.classical, blueprint.pq)?;
    key_material::would_sign(accounts, sealed, predecessor).await?;
    let (key, halves) = key_material::generate(accounts, blueprint).await?;
    match vouched(accounts, sealed, predecessor, (&key, &halves), actor, now).await {
        Ok((succession, rotated)) => Ok((Rotation { successor: key, sealed: halves, succession }, rotated)),
        Err(error) => {
            key_material::discard(accounts, &key).await;
            Err(error)
        }
    }
}

/// What both keys sign of the succession.
async fn vouched(
    accounts: &Accounts<'_>,
    sealed: &dyn SealedHalves,
    predecessor: &KeyRecord,
    (key, halves): (&KeyRecord, &SealedRecord),
    actor: &str,
    now: Timestamp,
) -> Result<(SuccessionRecord, Event), Error> {
    let org = &predecessor.org;
    let statement = Statement {
        org: org.to_string(),
        predecessor: Party::new(predecessor.id.as_str(), &predecessor.public_key),
        rotated_at: now.to_string(),
        successor: Party::new(key.id.as_str(), &key.public_key),
        kind: SUCCESSION_TYPE.to_owned(),
    };
    let input = statement.signing_input(key.public_key.algorithm());
    let by_predecessor = key_material::sign(accounts, sealed, predecessor, &input).await?;
    let by_successor = key_material::sign(accounts, &Unstored(halves.clone()), key, &input).await?;

    let event = EventId::generate(now)?;
    let scene = Scene { org, actor, now };
    let rotated = scene.key_rotated(&event, &statement);
    let succession = SuccessionRecord {
        org: org.clone(),
        predecessor: predecessor.id.clone(),
        statement,
        predecessor_signature: by_predecessor.to_bytes(),
        successor_signature: by_successor.to_bytes(),
        event,
    };
    Ok((succession, rotated))
}
