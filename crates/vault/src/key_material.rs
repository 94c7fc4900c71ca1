//! How a hybrid key comes to be, how its record is tagged and checked, and how its two halves sign: the same for user keys and
//! ledger keys.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use composite::{Algorithm, PublicKey, Signature, SigningInput, verify};
use futures::future::{join, try_join, try_join3};
use ledger::{Content, Json};

use crate::{
    Error, Timestamp,
    accounts::Accounts,
    custody::{
        CloudName, CustodyError, Half, HalfAlgorithm, Kept, KeyEncryption, NewHalf, OpenedHalves, Remains,
        RootKek, Subject,
    },
    error::IntegrityFault,
    id::{KeyId, OrgId},
    providers::{KekProvider, KeyProvider, PqProvider, Tier, check_combination},
    sealed::{self, HalfName, SealContext},
    store::{
        Hold, Intent, KekHold, KeyKind, KeyRecord, KeyStatus, Leftover, SealedHalves, SealedRecord,
        StoreError,
    },
};

/// What a new key is to be.
pub(crate) struct Blueprint<'a> {
    pub(crate) org: &'a OrgId,
    pub(crate) kind: KeyKind,
    pub(crate) name: String,
    pub(crate) metadata: Content,
    pub(crate) algorithm: Algorithm,
    pub(crate) kek: KekProvider,
    pub(crate) classical: KeyProvider,
    pub(crate) pq: PqProvider,
    pub(crate) allow_follow: bool,
    pub(crate) rotate_after_days: Option<u16>,
    /// The key that it follows.
    pub(crate) follows: Option<&'a KeyRecord>,
    pub(crate) now: Timestamp,
}

/// Sealed halves of a key that is not stored yet.
pub(crate) struct Unstored(pub(crate) SealedRecord);

#[async_trait]
impl SealedHalves for Unstored {
    async fn sealed(&self, _: &OrgId, _: &KeyId) -> Result<SealedRecord, StoreError> {
        Ok(self.0.clone())
    }
}

/// Makes both halves, seals those that the vault keeps, and tags the record. Nothing is stored yet but, where a cloud has a part
/// in it, the intent: before the first call to a cloud. A failure takes it back, and leaves what was made to be deleted.
pub(crate) async fn generate(
    accounts: &Accounts<'_>,
    blueprint: Blueprint<'_>,
) -> Result<(KeyRecord, SealedRecord), Error> {
    check_combination(blueprint.algorithm, blueprint.classical, blueprint.pq)?;
    let classical_holder = accounts.classical(blueprint.classical).await?;
    let pq_holder = accounts.pq(blueprint.pq).await?;
    let kek = accounts.kek(blueprint.kek).await?;

    let id = KeyId::generate(blueprint.now)?;
    let clouds = blueprint.clouds();
    let subject = Subject { org: blueprint.org, key: &id };
    let intended = !clouds.is_empty();
    if intended {
        let (org, key) = (blueprint.org.clone(), id.clone());
        let intent = accounts.intend(&Intent { org, key, clouds, since: blueprint.now }).await;
        if matches!(intent, Err(Error::StoreUnavailable { .. })) {
            // It may have been written all the same.
            accounts.withdraw(subject.org, subject.key, &[]).await;
        }
        intent?;
    }
    let (classical, pq) = join(
        classical_holder.generate(subject, blueprint.algorithm.classical()),
        pq_holder.generate(subject, blueprint.algorithm.pq()),
    )
    .await;
    let remains =
        [(blueprint.classical.cloud(), remains_of(&classical)), (blueprint.pq.cloud(), remains_of(&pq))];
    let record = async {
        let halves = NewHalves { classical: classical?, pq: pq? };
        seal(accounts, kek.as_ref(), &id, blueprint, halves).await
    };
    match record.await {
        Ok(made) => Ok(made),
        Err(error) => {
            if intended {
                give_up(accounts, subject, remains).await;
            }
            Err(error)
        }
    }
}

/// The two halves of a key in the making.
struct NewHalves {
    classical: NewHalf,
    pq: NewHalf,
}

/// Seals the halves that the vault keeps, and writes the record.
async fn seal(
    accounts: &Accounts<'_>,
    kek: &dyn KeyEncryption,
    id: &KeyId,
    blueprint: Blueprint<'_>,
    NewHalves { classical, pq }: NewHalves,
) -> Result<(KeyRecord, SealedRecord), Error> {
    let subject = Subject { org: blueprint.org, key: id };
    let public_key = PublicKey::from_halves(blueprint.algorithm, &pq.public_key, &classical.public_key)
        .map_err(Error::composite)?;

    let mut sealed = SealedRecord::default();
    let seals = [
        (HalfName::Pq, &pq.secret, &mut sealed.pq),
        (HalfName::Classical, &classical.secret, &mut sealed.classical),
    ];
    let mut wrapped = None;
    if seals.iter().any(|(_, secret, _)| matches!(secret, Kept::Here(_))) {
        let dek = kek.generate_dek(subject).await?;
        for (half, secret, seal) in seals {
            if let Kept::Here(secret) = secret {
                let context = SealContext { subject, kind: blueprint.kind, public_key: &public_key, half };
                *seal = Some(sealed::seal(&dek.dek, context, secret)?);
            }
        }
        wrapped = Some(KekHold { provider: blueprint.kek, wrapped: dek.wrapped });
    }

    let tier = Tier::derive(wrapped.as_ref().map(|kek| kek.provider), blueprint.classical, blueprint.pq);
    let mut record = KeyRecord {
        id: id.clone(),
        org: blueprint.org.clone(),
        kind: blueprint.kind,
        name: blueprint.name,
        metadata: blueprint.metadata,
        status: KeyStatus::Active,
        public_key,
        kek: wrapped,
        classical: Hold { provider: blueprint.classical, key_id: provider_key_id(classical.secret) },
        pq: Hold { provider: blueprint.pq, key_id: provider_key_id(pq.secret) },
        tier,
        tag: None,
        created_at: blueprint.now,
        revoked_at: None,
        predecessor: blueprint.follows.map(|key| key.id.clone()),
        successor: None,
        line: blueprint.follows.map_or_else(|| id.clone(), |key| key.line.clone()),
        allow_follow: blueprint.allow_follow,
        rotate_after_days: blueprint.rotate_after_days,
    };
    record.tag = Some(accounts.root().tag(&record.org, &tagged_bytes(&record)).await?);
    Ok((record, sealed))
}

/// What a half that was made, or was not, left at its provider.
fn remains_of(half: &Result<NewHalf, CustodyError>) -> Remains {
    match half {
        Ok(NewHalf { secret: Kept::Here(_), .. }) => Remains::Nothing,
        Ok(NewHalf { secret: Kept::AtProvider(id), .. }) => Remains::Half(id.clone()),
        Err(CustodyError::Cloud { remains, .. }) => remains.clone(),
        Err(_) => Remains::Nothing,
    }
}

/// Ends a creation that failed. What it left at clouds is deleted soon where that is known; where it is not, the intent stays, by
/// which it is looked for in an hour, when nothing of the creation can be under way any more.
async fn give_up(
    accounts: &Accounts<'_>,
    Subject { org, key }: Subject<'_>,
    remains: [(Option<CloudName>, Remains); 2],
) {
    let mut left = Vec::new();
    for (cloud, remains) in remains {
        match (cloud, remains) {
            (Some(cloud), Remains::Half(key_id)) => {
                left.push(Leftover { org: org.clone(), key: key.clone(), cloud, key_id });
            }
            (_, Remains::Unknown) => return,
            _ => {}
        }
    }
    accounts.withdraw(org, key, &left).await;
}

/// Ends the creation of a key that was made and is not to be stored.
pub(crate) async fn discard(accounts: &Accounts<'_>, record: &KeyRecord) {
    if !record.needs_a_cloud() {
        return;
    }
    let left = Leftover::of(&record.org, &record.id, record.classical.clone(), record.pq.clone());
    accounts.withdraw(&record.org, &record.id, &left).await;
}

impl Blueprint<'_> {
    /// The clouds that have a part in it, each once.
    fn clouds(&self) -> Vec<CloudName> {
        let sealed = self.classical.cloud().is_none() || self.pq.cloud().is_none();
        let kek = self.kek.cloud().filter(|_| sealed);
        let clouds: BTreeSet<_> =
            [kek, self.classical.cloud(), self.pq.cloud()].into_iter().flatten().collect();
        clouds.into_iter().collect()
    }
}

/// Signs with both halves at the same time and checks the result under the stored public key: a wrong half never leaves.
/// The record's tag is checked first, before anything is unwrapped or called.
pub(crate) async fn sign(
    accounts: &Accounts<'_>,
    seals: &dyn SealedHalves,
    record: &KeyRecord,
    input: &SigningInput,
) -> Result<Signature, Error> {
    check_tag(accounts.root(), record).await?;
    let classical_holder = accounts.classical(record.classical.provider).await?;
    let pq_holder = accounts.pq(record.pq.provider).await?;
    let public_key = &record.public_key;
    let other_key =
        |half: HalfName| move |error| custody_error(record, error, IntegrityFault::PublicHalf(half.name()));

    // Remote calls are polled first, so that they are under way while the seals are opened.
    let remote_classical = async {
        let Some(id) = &record.classical.key_id else {
            return Ok::<_, Error>(None);
        };
        Ok(Some(classical_holder.sign(Half::AtProvider(id), public_key, input).await?))
    };
    let remote_pq = async {
        let Some(id) = &record.pq.key_id else {
            return Ok(None);
        };
        Ok(Some(pq_holder.sign(Half::AtProvider(id), public_key, input).await?))
    };
    let sealed = async {
        let opened = opened(accounts, seals, record).await?;
        let half = Half::Opened(&opened);
        let classical = match &opened.classical {
            Some(_) => {
                let signed = classical_holder.sign(half, public_key, input).await;
                Some(signed.map_err(other_key(HalfName::Classical))?)
            }
            None => None,
        };
        let pq = match &opened.pq {
            Some(_) => {
                let signed = pq_holder.sign(half, public_key, input).await;
                Some(signed.map_err(other_key(HalfName::Pq))?)
            }
            None => None,
        };
        Ok((classical, pq))
    };
    let (remote_classical, remote_pq, (sealed_classical, sealed_pq)) =
        try_join3(remote_classical, remote_pq, sealed).await?;

    let (Some(classical), Some(pq)) = (remote_classical.or(sealed_classical), remote_pq.or(sealed_pq)) else {
        return Err(Error::integrity(&record.id, IntegrityFault::Signature));
    };
    let signature = Signature::assemble(public_key.algorithm(), &pq, &classical).map_err(Error::composite)?;
    if !verify(public_key, input.message(), &signature).ok() {
        return Err(Error::integrity(&record.id, IntegrityFault::Signature));
    }
    Ok(signature)
}

/// Whether a key would sign, as far as that can be known without signing: its seals open, and its halves at clouds answer.
pub(crate) async fn would_sign(
    accounts: &Accounts<'_>,
    seals: &dyn SealedHalves,
    record: &KeyRecord,
) -> Result<(), Error> {
    check_tag(accounts.root(), record).await?;
    let algorithm = record.public_key.algorithm();
    let (classical, pq) = (&record.classical, &record.pq);
    let remote = async |cloud: Option<CloudName>, key_id: &Option<String>, half| match (cloud, key_id) {
        (Some(cloud), Some(id)) => Ok(accounts.enter(cloud).await?.halves.would_sign(id, half).await?),
        _ => Ok(()),
    };
    let classical = remote(
        classical.provider.cloud(),
        &classical.key_id,
        HalfAlgorithm::Classical(algorithm.classical()),
    );
    let pq = remote(pq.provider.cloud(), &pq.key_id, HalfAlgorithm::Pq(algorithm.pq()));
    try_join3(classical, pq, open_seals(accounts, seals, record)).await.map(drop)
}

/// The halves that the vault keeps, opened now or, where it may still be kept, shortly before. The record was checked.
async fn opened(
    accounts: &Accounts<'_>,
    seals: &dyn SealedHalves,
    record: &KeyRecord,
) -> Result<Arc<OpenedHalves>, Error> {
    let (Some(kek), now) = (&record.kek, Timestamp::now()) else {
        return Ok(Arc::new(open_seals(accounts, seals, record).await?));
    };
    let (name, seconds) = ((&record.org, &record.id), accounts.keeps_opened(kek.provider).await?);
    if let Some(kept) = accounts.opened().get(name, &kek.wrapped, seconds, now) {
        return Ok(kept);
    }
    let halves = Arc::new(open_seals(accounts, seals, record).await?);
    accounts.opened().put(name, &kek.wrapped, &halves, seconds, now);
    Ok(halves)
}

/// Opens the seals of the halves that the vault keeps. Where it keeps none, nothing is read and no provider is asked.
async fn open_seals(
    accounts: &Accounts<'_>,
    seals: &dyn SealedHalves,
    record: &KeyRecord,
) -> Result<OpenedHalves, Error> {
    let kept_here = (record.classical.key_id.is_none(), record.pq.key_id.is_none());
    if kept_here == (false, false) {
        return Ok(OpenedHalves::default());
    }
    let Some(kek) = &record.kek else {
        return Err(Error::integrity(&record.id, IntegrityFault::WrappedDek));
    };
    let provider = accounts.kek(kek.provider).await?;
    let subject = Subject { org: &record.org, key: &record.id };
    let unwrap = async {
        let dek = provider.unwrap_dek(subject, &kek.wrapped).await;
        dek.map_err(|e| custody_error(record, e, IntegrityFault::WrappedDek))
    };
    let read = async { Ok(seals.sealed(&record.org, &record.id).await?) };
    let (dek, sealed) = try_join(unwrap, read).await?;

    let open = |half: HalfName, seal: Option<&Vec<u8>>| {
        let seal = seal.ok_or_else(|| Error::integrity(&record.id, IntegrityFault::NoSeal(half.name())))?;
        let context = SealContext { subject, kind: record.kind, public_key: &record.public_key, half };
        sealed::open(&dek, context, seal)
            .ok_or_else(|| Error::integrity(&record.id, IntegrityFault::Seal(half.name())))
    };
    let classical = kept_here.0.then(|| open(HalfName::Classical, sealed.classical.as_ref())).transpose()?;
    let pq = kept_here.1.then(|| open(HalfName::Pq, sealed.pq.as_ref())).transpose()?;
    let algorithm = record.public_key.algorithm();
    Ok(OpenedHalves::expand(algorithm, classical.as_ref(), pq.as_ref()).map_err(CustodyError::from)?)
}

/// What a tag is made over. A key's name, metadata and times are not part of it; whatever decides what is signed, and with
/// what, is.
#[must_use]
pub fn tagged_bytes(record: &KeyRecord) -> Vec<u8> {
    let kek = record.kek.as_ref();
    let tagged = Json::object([
        ("alg", record.public_key.algorithm().name().into()),
        ("classicalKeyId", record.classical.key_id.as_deref().into()),
        ("fingerprint", hex::encode(record.public_key.fingerprint()).into()),
        ("kekKeyId", kek.and_then(|kek| kek.wrapped.kek_key_id.as_deref()).into()),
        ("kekProvider", kek.map(|kek| kek.provider.name()).into()),
        ("key", record.id.as_str().into()),
        ("keyProvider", record.classical.provider.name().into()),
        ("kind", record.kind.name().into()),
        ("org", record.org.as_str().into()),
        ("pqKeyId", record.pq.key_id.as_deref().into()),
        ("pqProvider", record.pq.provider.name().into()),
        ("v", 1.into()),
        ("wrappedSha256", kek.map(|kek| hex::encode(ledger::sha256(&kek.wrapped.bytes))).into()),
    ]);
    tagged.to_canonical().into_bytes()
}

/// Refuses a record that the vault did not write. It comes before any unwrapping and before any remote call.
///
/// # Errors
/// [`Error::KeyIntegrity`].
pub(crate) async fn check_tag(root: &dyn RootKek, record: &KeyRecord) -> Result<(), Error> {
    let refuse = |fault| Err(Error::integrity(&record.id, fault));
    let Some(tag) = &record.tag else {
        return refuse(IntegrityFault::NoTag);
    };
    match root.check(&record.org, &tagged_bytes(record), tag).await {
        Ok(true) => Ok(()),
        Ok(false) => refuse(IntegrityFault::Tag),
        Err(error) => Err(custody_error(record, error, IntegrityFault::Tag)),
    }
}

/// A custody failure on a key's stored bytes is a fault of the bytes, unless the provider failed on its own.
pub(crate) fn custody_error(record: &KeyRecord, error: CustodyError, not_authentic: IntegrityFault) -> Error {
    let fault = match error {
        CustodyError::UnknownKek(kek) => IntegrityFault::UnknownKek(kek.to_string()),
        CustodyError::NotAuthentic | CustodyError::OtherPublicKey => not_authentic,
        error => return Error::from(error),
    };
    Error::integrity(&record.id, fault)
}

fn provider_key_id(secret: Kept) -> Option<String> {
    match secret {
        Kept::Here(_) => None,
        Kept::AtProvider(id) => Some(id),
    }
}
