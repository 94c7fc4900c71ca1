//! What is kept for the sake of clouds: settings, intents and the outbox. The last two stand each in one partition: there are
//! few, because key services make few keys a second.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use vault::{
    Timestamp,
    custody::{CloudName, DeploymentId, SealedSecret},
    id::{KeyId, OrgId},
    random,
    settings::{AwsAccount, Demand, KmsKeyArn, RoleArn, SettingsRecord, dek_cache_ttl},
    store::{
        Clearing, Dependent, Hold, Intent, Intents, KeyRecord, KeyStatus, Leftover, ProviderSecrets,
        Reconciling, Record, Saving, Settings, SettingsWrites, StoreError,
    },
};

use crate::{
    DynamoStore,
    connection::{Range, unavailable},
    item::{self, Corrupt, Item, number, set, text, time},
    rows::{self, Places, corrupt},
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Settings for DynamoStore {
    async fn settings(&self, org: &OrgId) -> Result<Option<SettingsRecord>, StoreError> {
        let found = self.get(Table::Settings, &Key::alone(org.as_str())).await?;
        found.map(|item| settings(&item).map_err(|name| corrupt(None, name))).transpose()
    }

    async fn deployment(&self) -> Result<DeploymentId, StoreError> {
        let mut name = self.own_name().await?;
        if name.is_none() {
            // The first look at the tables makes the name. Who only reads may not look at them.
            self.check_identity().await?;
            name = self.own_name().await?;
        }
        name.and_then(|name| DeploymentId::parse(&name)).ok_or_else(|| corrupt(None, "store"))
    }
}

#[async_trait]
impl ProviderSecrets for DynamoStore {
    async fn provider_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
    ) -> Result<Option<SealedSecret>, StoreError> {
        let found = self.get(Table::ProviderSecrets, &handed_over(org, cloud)).await?;
        let found = found.map(|item| item::blob(&item, "secret").map(|secret| SealedSecret(secret.to_vec())));
        found.transpose().map_err(|name| corrupt(None, name))
    }
}

#[async_trait]
impl SettingsWrites for DynamoStore {
    async fn put_settings(
        &self,
        settings: &SettingsRecord,
        secrets: &[(CloudName, SealedSecret)],
        replaces: Option<Timestamp>,
        record: Record,
    ) -> Result<Saving, StoreError> {
        let (org, key) = (&settings.org, Key::alone(settings.org.as_str()));
        let stored = self.settings(org).await?;
        if stored.as_ref().map(|stored| stored.updated_at) != replaces {
            return Ok(Saving::Changed);
        }
        let mut t = Transaction::new(self);
        let item = item_of(settings);
        match stored {
            None => t.make(Table::Settings, &key, item)?,
            Some(stored) if settings.demands(&stored) == Demand::None => {
                let values = [("at", time(stored.updated_at))];
                t.replace(Table::Settings, &key, item, "#updated_at = :at", &values, Refused::NotAsExpected)?;
            }
            Some(stored) => {
                let closed = match self.close(&stored, settings.demands(&stored)).await? {
                    Closed::InUse(key) => return Ok(Saving::InUse(key)),
                    Closed::Changed => return Ok(Saving::Changed),
                    Closed::Now(closed) => closed,
                };
                let values = [("closed", text(closed)), ("now", time(Timestamp::now()))];
                t.replace(Table::Settings, &key, item, IS_CLOSED, &values, Refused::NotAsExpected)?;
            }
        }
        for cloud in CloudName::ALL {
            let key = handed_over(org, cloud);
            if !settings.needs_secret(cloud) {
                t.delete(Table::ProviderSecrets, &key, "", &[], Refused::NotAsExpected)?;
            } else if let Some((_, secret)) = secrets.iter().find(|(of, _)| *of == cloud) {
                let mut item = Item::new();
                set(&mut item, "org", text(org.as_str()));
                set(&mut item, "secret", item::bytes(&secret.0));
                t.put(Table::ProviderSecrets, &key, item)?;
            }
        }
        t.record(&record)?;
        match t.commit().await? {
            Ok(()) => Ok(Saving::Done),
            Err(Refused::NotAsExpected | Refused::Exists) => Ok(Saving::Changed),
            Err(refused) => Err(refused.into()),
        }
    }

    async fn clear_settings(&self, org: &OrgId, record: Record) -> Result<Clearing, StoreError> {
        loop {
            let Some(stored) = self.settings(org).await? else { return Ok(Clearing::NotThere) };
            let closed = match self.close(&stored, Demand::Nothing).await? {
                Closed::InUse(key) => return Ok(Clearing::InUse(key)),
                Closed::Changed => continue,
                Closed::Now(closed) => closed,
            };
            let mut t = Transaction::new(self);
            let values = [("closed", text(closed)), ("now", time(Timestamp::now()))];
            t.delete(Table::Settings, &Key::alone(org.as_str()), IS_CLOSED, &values, Refused::NotAsExpected)?;
            for cloud in CloudName::ALL {
                let key = handed_over(org, cloud);
                t.delete(Table::ProviderSecrets, &key, "", &[], Refused::NotAsExpected)?;
            }
            t.record(&record)?;
            if t.commit_if_expected().await? {
                return Ok(Clearing::Done);
            }
        }
    }

    async fn dependent(&self, org: &OrgId, demand: Demand) -> Result<Option<Dependent>, StoreError> {
        match demand {
            Demand::None => Ok(None),
            demand => self.resting_on(org, demand).await,
        }
    }
}

#[async_trait]
impl Intents for DynamoStore {
    async fn intend(&self, intent: &Intent, settings: Timestamp) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        let values = [("at", time(settings)), ("now", time(Timestamp::now()))];
        let open = "#updated_at = :at AND (attribute_not_exists(#closed) OR #closed_until < :now)";
        let of_org = Key::alone(intent.org.as_str());
        t.check(Table::Settings, &of_org, open, &values, Refused::NotAsExpected)?;
        let clouds: Vec<_> = intent.clouds.iter().map(|cloud| cloud.name()).collect();
        let mut item = Item::new();
        set(&mut item, "org", text(intent.org.as_str()));
        set(&mut item, "key_id", text(intent.key.as_str()));
        set(&mut item, "clouds", text(clouds.join(" ")));
        set(&mut item, "since", time(intent.since));
        t.make(Table::Intents, &intended(&intent.org, &intent.key), item)?;
        t.commit_if_expected().await
    }

    async fn withdraw(&self, org: &OrgId, key: &KeyId, left: &[Leftover]) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        t.delete(Table::Intents, &intended(org, key), UNFINISHED, &[], Refused::NotAsExpected)?;
        leave(&mut t, left)?;
        t.commit_if_expected().await.map(drop)
    }
}

#[async_trait]
impl Reconciling for DynamoStore {
    async fn intents(&self, limit: usize) -> Result<Vec<Intent>, StoreError> {
        let mut found = Vec::new();
        self.query(Table::Intents, Range { pk: INTENTS, ..Range::default() }, |item| {
            found.push(intent(&item));
            true
        })
        .await?;
        let mut intents: Vec<_> =
            found.into_iter().collect::<Result<_, _>>().map_err(|name| corrupt(None, name))?;
        intents.sort_by_key(|intent| intent.since);
        intents.truncate(limit);
        Ok(intents)
    }

    async fn abandon(&self, intent: &Intent) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        let (key, now) = (intended(&intent.org, &intent.key), time(Timestamp::now()));
        let there = "attribute_exists(pk)";
        t.update(
            Table::Intents,
            &key,
            "SET #abandoned = :now",
            there,
            &[("now", now)],
            Refused::NotAsExpected,
        )?;
        t.commit_if_expected().await
    }

    async fn forget_intent(&self, intent: &Intent) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        let key = intended(&intent.org, &intent.key);
        t.delete(Table::Intents, &key, "attribute_exists(#abandoned)", &[], Refused::NotAsExpected)?;
        t.commit_if_expected().await.map(drop)
    }

    async fn outbox(&self, after: Option<&Leftover>, limit: usize) -> Result<Vec<Leftover>, StoreError> {
        let after = after.map(|leftover| sent(leftover).sk);
        let mut found = Vec::new();
        self.query(Table::Outbox, Range { pk: OUTBOX, from: after.as_deref(), ..Range::default() }, |item| {
            if Key::of(&item).map(|key| key.sk) != after {
                found.push(leftover(&item));
            }
            found.len() < limit
        })
        .await?;
        found.into_iter().collect::<Result<_, _>>().map_err(|name| corrupt(None, name))
    }

    async fn settle(&self, leftover: &Leftover) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        t.delete(Table::Outbox, &sent(leftover), "", &[], Refused::NotAsExpected)?;
        Ok(t.commit().await??)
    }
}

/// How closing settings ended.
enum Closed {
    /// No creation begins by them for a while, and nothing rests on them; under this name.
    Now(String),
    /// A key rests on them; they are open again.
    InUse(Dependent),
    /// They are others by now.
    Changed,
}

impl DynamoStore {
    /// Keeps creations from beginning by these settings, and then looks for what rests on them.
    async fn close(&self, stored: &SettingsRecord, demand: Demand) -> Result<Closed, StoreError> {
        let name = hex::encode(random::generate::<16>().map_err(unavailable)?);
        let (key, at) = (Key::alone(stored.org.as_str()), time(stored.updated_at));
        let until = number(Timestamp::now().as_millis() + CLOSED_MILLIS);
        let mut t = Transaction::new(self);
        t.update(
            Table::Settings,
            &key,
            "SET #closed = :closed, #closed_until = :until",
            "#updated_at = :at",
            &[("closed", text(&name)), ("until", until), ("at", at)],
            Refused::NotAsExpected,
        )?;
        if !t.commit_if_expected().await? {
            return Ok(Closed::Changed);
        }
        let Some(dependent) = self.resting_on(&stored.org, demand).await? else {
            return Ok(Closed::Now(name));
        };
        let mut t = Transaction::new(self);
        t.update(
            Table::Settings,
            &key,
            "REMOVE #closed, #closed_until",
            "#closed = :closed",
            &[("closed", text(name))],
            Refused::NotAsExpected,
        )?;
        t.commit_if_expected().await?;
        Ok(Closed::InUse(dependent))
    }

    /// A key that rests on an organisation's settings: in the making, active where that counts, or with halves still to be deleted.
    /// They are looked at in the order in which a key goes through them, so that none slips by.
    async fn resting_on(&self, org: &OrgId, demand: Demand) -> Result<Option<Dependent>, StoreError> {
        if let Some(making) = self.first_of(Table::Intents, INTENTS, org).await? {
            return Ok(Some(Dependent::Making(making)));
        }
        let mut found: Option<KeyId> = None;
        if demand == Demand::Nothing {
            let range = Range { pk: org.as_str(), ..Range::default() };
            self.query(Table::Keys, range, |item| {
                let active = item::get(&item, "status") == Ok(KeyStatus::Active.name());
                let rests = active && rows::tier(&item).is_ok_and(|tier| u8::from(tier) > 0);
                found = if rests { item::parsed(&item, "sk").ok() } else { None };
                found.is_none()
            })
            .await?;
        }
        match found {
            Some(active) => Ok(Some(Dependent::Active(active))),
            None => Ok(self.first_of(Table::Outbox, OUTBOX, org).await?.map(Dependent::Leaving)),
        }
    }

    /// A key of an organisation's in a table that keeps all in one partition.
    async fn first_of(&self, table: Table, pk: &str, org: &OrgId) -> Result<Option<KeyId>, StoreError> {
        let (from, below, mut found) = (format!("{org}#"), format!("{org}$"), None);
        let range = Range { pk, from: Some(&from), below: Some(&below), ..Range::default() };
        self.query(table, range, |item| {
            found = item::parsed(&item, "key_id").ok();
            found.is_none()
        })
        .await?;
        Ok(found)
    }

    /// What an active key leaves at clouds when it ends; what a superseded one left stood in the outbox before.
    pub(crate) async fn leftovers(&self, org: &OrgId, key: &KeyId) -> Result<Vec<Leftover>, StoreError> {
        let place = Places::of(org, key).state;
        let Some(state) = self.get(place.0, &place.1).await? else { return Ok(Vec::new()) };
        if item::get(&state, "status") != Ok(KeyStatus::Active.name()) {
            return Ok(Vec::new());
        }
        Ok(left_by(org, key, &state))
    }

    /// In a store that was put back: whether those creations were finished is not known any more.
    pub(crate) async fn forget_intents(&self) -> Result<(), StoreError> {
        let mut intents = Vec::new();
        self.query(Table::Intents, Range { pk: INTENTS, ..Range::default() }, |item| {
            intents.extend(Key::of(&item));
            true
        })
        .await?;
        for intent in intents {
            let mut t = Transaction::new(self);
            t.delete(Table::Intents, &intent, "", &[], Refused::NotAsExpected)?;
            t.commit_unchecked().await??;
        }
        Ok(())
    }
}

/// What a key leaves at clouds when it ends, whether it has or not.
pub(crate) fn left_by(org: &OrgId, key: &KeyId, state: &Item) -> Vec<Leftover> {
    let held = |name| Ok::<_, Corrupt>(item::find(state, name)?.map(str::to_owned));
    let parse = || {
        let classical =
            Hold { provider: item::parsed(state, "key_provider")?, key_id: held("classical_key_id")? };
        let pq = Hold { provider: item::parsed(state, "pq_provider")?, key_id: held("pq_key_id")? };
        Ok(Leftover::of(org, key, classical, pq))
    };
    // A row that cannot be read can still be revoked; what it leaves is told of by a survey.
    parse().unwrap_or_else(|_: Corrupt| Vec::new())
}

/// Takes away the intent of a key that is made with this.
pub(crate) fn finish_creation(t: &mut Transaction<'_>, key: &KeyRecord) -> Result<(), StoreError> {
    if !key.needs_a_cloud() {
        return Ok(());
    }
    t.delete(Table::Intents, &intended(&key.org, &key.id), UNFINISHED, &[], Refused::Abandoned)
}

/// Puts what a key leaves at clouds into the outbox.
pub(crate) fn leave(t: &mut Transaction<'_>, left: &[Leftover]) -> Result<(), StoreError> {
    for leftover in left {
        let mut item = Item::new();
        set(&mut item, "org", text(leftover.org.as_str()));
        set(&mut item, "key_id", text(leftover.key.as_str()));
        set(&mut item, "cloud", text(leftover.cloud.name()));
        set(&mut item, "half", text(&leftover.key_id));
        t.put(Table::Outbox, &sent(leftover), item)?;
    }
    Ok(())
}

/// By organisation and cloud, all in one partition: they are gone through when the key-encryption key is changed.
pub(crate) fn handed_over(org: &OrgId, cloud: CloudName) -> Key {
    Key::new(SECRETS, format!("{org}#{}", cloud.name()))
}

fn intended(org: &OrgId, key: &KeyId) -> Key {
    Key::new(INTENTS, format!("{org}#{key}"))
}

fn sent(leftover: &Leftover) -> Key {
    Key::new(OUTBOX, format!("{}#{}#{}", leftover.org, leftover.key, leftover.key_id))
}

fn item_of(settings: &SettingsRecord) -> Item {
    let mut item = Item::new();
    set(&mut item, "external_id", text(&settings.external_id));
    set(&mut item, "deployment", text(settings.deployment.as_str()));
    set(&mut item, "default_kek", text(settings.default_kek.name()));
    let ttl = (settings.dek_cache_ttl > 0).then(|| number(settings.dek_cache_ttl.into()));
    set(&mut item, "dek_cache_ttl", ttl);
    set(&mut item, "aws_key", settings.aws.as_ref().map(|aws| text(aws.key.as_str())));
    set(&mut item, "aws_role", settings.aws.as_ref().and_then(|aws| Some(text(aws.role.as_ref()?.as_str()))));
    set(&mut item, "azure", json(settings.azure.as_ref()));
    set(&mut item, "gcp", json(settings.gcp.as_ref()));
    set(&mut item, "updated_at", time(settings.updated_at));
    item
}

/// An account as JSON. That cannot fail: it is names and no map.
fn json<A: Serialize>(account: Option<&A>) -> Option<AttributeValue> {
    account.and_then(|account| serde_json::to_string(account).ok()).map(text)
}

fn settings(item: &Item) -> Result<SettingsRecord, Corrupt> {
    let aws = match item::find(item, "aws_key")? {
        Some(key) => {
            let key = KmsKeyArn::parse(key).map_err(|_| "aws_key")?;
            let role = item::find(item, "aws_role")?.map(RoleArn::parse).transpose();
            Some(AwsAccount { key, role: role.map_err(|_| "aws_role")? })
        }
        None => None,
    };
    Ok(SettingsRecord {
        org: item::parsed(item, "pk")?,
        external_id: item::get(item, "external_id")?.to_owned(),
        deployment: DeploymentId::parse(item::get(item, "deployment")?).ok_or("deployment")?,
        default_kek: item::parsed(item, "default_kek")?,
        dek_cache_ttl: item::count_or_none(item, "dek_cache_ttl")
            .map(|seconds| dek_cache_ttl(seconds.unwrap_or_default()))?
            .ok_or("dek_cache_ttl")?,
        aws,
        azure: item::find(item, "azure")?.map(serde_json::from_str).transpose().map_err(|_| "azure")?,
        gcp: item::find(item, "gcp")?.map(serde_json::from_str).transpose().map_err(|_| "gcp")?,
        updated_at: item::moment(item, "updated_at")?,
    })
}

fn intent(item: &Item) -> Result<Intent, Corrupt> {
    let clouds = item::get(item, "clouds")?.split(' ').map(|name| CloudName::from_name(name).ok_or("clouds"));
    Ok(Intent {
        org: item::parsed(item, "org")?,
        key: item::parsed(item, "key_id")?,
        clouds: clouds.collect::<Result<_, _>>()?,
        since: item::moment(item, "since")?,
    })
}

fn leftover(item: &Item) -> Result<Leftover, Corrupt> {
    Ok(Leftover {
        org: item::parsed(item, "org")?,
        key: item::parsed(item, "key_id")?,
        cloud: CloudName::from_name(item::get(item, "cloud")?).ok_or("cloud")?,
        key_id: item::get(item, "half")?.to_owned(),
    })
}

pub(crate) const SECRETS: &str = "secrets";
const INTENTS: &str = "intents";
const OUTBOX: &str = "outbox";

/// That a creation is under way.
const UNFINISHED: &str = "attribute_exists(pk) AND attribute_not_exists(#abandoned)";

/// That settings are closed under a name, and still are.
const IS_CLOSED: &str = "#closed = :closed AND #closed_until > :now";

/// How long settings stay closed if whoever closed them does not come back.
const CLOSED_MILLIS: u64 = 60_000;
