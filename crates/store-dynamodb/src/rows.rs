//! Items to records: what the vault would not have written is refused by the name of its attribute.
//!
//! A key stands in two items. One has what decides a signature and is read twice for each; the other, what describes the key
//! and is listed, with the status beside it so that a list needs no more than it shows.

use composite::{Algorithm, PublicKey};
use vault::{
    custody::WrappedDek,
    id::{KeyId, OrgId},
    providers::{KekProvider, Tier},
    record_tag::RecordTag,
    store::{Hold, KekHold, KeyRecord, KeyStatus, StoreError, SuccessionRecord, Tombstone},
};

use crate::{
    connection::unavailable,
    item::{self, Corrupt, Item, bytes, flag, number, set, text, time},
    tables::{Key, Table, of_key},
};

/// Where a key stands.
pub(crate) struct Places {
    /// What decides a signature.
    pub(crate) state: (Table, Key),
    /// What describes the key.
    pub(crate) about: (Table, Key),
    /// That it is revoked, if it is.
    pub(crate) tombstone: (Table, Key),
}

impl Places {
    pub(crate) fn of(org: &OrgId, key: &KeyId) -> Self {
        Self {
            state: (Table::Keys, Key::new(of_key(org, key), "state")),
            about: (Table::Keys, Key::new(org.as_str(), key.as_str())),
            tombstone: (Table::Tombstones, Key::alone(of_key(org, key))),
        }
    }

    pub(crate) fn all(&self) -> [(Table, Key); 3] {
        [self.state.clone(), self.about.clone(), self.tombstone.clone()]
    }
}

/// Whose partition it is, where it is a key's own.
pub(crate) fn key_of(pk: &str) -> Option<(OrgId, KeyId)> {
    let (org, key) = pk.split_once('#')?;
    Some((org.parse().ok()?, key.parse().ok()?))
}

pub(crate) fn state(key: &KeyRecord) -> Item {
    let mut item = Item::new();
    set(&mut item, "kind", text(key.kind.name()));
    set(&mut item, "status", text(key.status.name()));
    set(&mut item, "algorithm", text(key.public_key.algorithm().name()));
    set(&mut item, "public_key", text(key.public_key.to_json()));
    set(&mut item, "fingerprint", bytes(key.public_key.fingerprint()));
    set(&mut item, "tier", number(u8::from(key.tier).into()));
    if let Some(kek) = &key.kek {
        set(&mut item, "kek_provider", text(kek.provider.name()));
        set(&mut item, "kek_key_id", kek.wrapped.kek_key_id.as_deref().map(text));
        set(&mut item, "wrapped_dek", bytes(&kek.wrapped.bytes));
    }
    set(&mut item, "key_provider", text(key.classical.provider.name()));
    set(&mut item, "classical_key_id", key.classical.key_id.as_deref().map(text));
    set(&mut item, "pq_provider", text(key.pq.provider.name()));
    set(&mut item, "pq_key_id", key.pq.key_id.as_deref().map(text));
    set(&mut item, "record_tag", key.tag.as_ref().map(|tag| bytes(tag.as_bytes())));
    set(&mut item, "created_at", time(key.created_at));
    set(&mut item, "revoked_at", key.revoked_at.map(time));
    set(&mut item, "predecessor", key.predecessor.as_ref().map(|key| text(key.as_str())));
    set(&mut item, "successor", key.successor.as_ref().map(|key| text(key.as_str())));
    set(&mut item, "line", text(key.line.as_str()));
    set(&mut item, "allow_follow", flag(key.allow_follow));
    set(&mut item, "rotate_after_days", key.rotate_after_days.map(|days| number(days.into())));
    item
}

pub(crate) fn about(key: &KeyRecord) -> Item {
    let mut item = Item::new();
    set(&mut item, "name", text(&key.name));
    set(&mut item, "metadata", text(key.metadata.to_json().to_canonical()));
    set(&mut item, "kind", text(key.kind.name()));
    set(&mut item, "status", text(key.status.name()));
    set(&mut item, "algorithm", text(key.public_key.algorithm().name()));
    set(&mut item, "tier", number(u8::from(key.tier).into()));
    set(&mut item, "line", text(key.line.as_str()));
    item
}

/// A key's status; a tombstone is the last word on it, whatever else says.
pub(crate) fn status(state: &Item, tombstone: Option<&Item>) -> Result<KeyStatus, Corrupt> {
    if tombstone.is_some() { Ok(KeyStatus::Revoked) } else { item::parsed(state, "status") }
}

pub(crate) fn key(state: &Item, about: &Item, tombstone: Option<&Item>) -> Result<KeyRecord, Corrupt> {
    let public_key = PublicKey::from_json(item::get(state, "public_key")?).map_err(|_| "public_key")?;
    if item::parsed::<Algorithm>(state, "algorithm")? != public_key.algorithm() {
        return Err("algorithm");
    }
    if item::blob(state, "fingerprint")? != public_key.fingerprint() {
        return Err("fingerprint");
    }
    let tag = match item::blob_or_none(state, "record_tag")? {
        Some(tag) => Some(RecordTag::from_bytes(tag).ok_or("record_tag")?),
        None => None,
    };
    let buried_at = match tombstone {
        Some(tombstone) => Some(item::moment(tombstone, "revoked_at")?),
        None => None,
    };
    let held = |name| Ok::<_, Corrupt>(item::find(state, name)?.map(str::to_owned));
    let record = KeyRecord {
        org: item::parsed(about, "pk")?,
        id: item::parsed(about, "sk")?,
        kind: item::parsed(state, "kind")?,
        name: item::get(about, "name")?.to_owned(),
        metadata: item::json(about, "metadata")?,
        status: status(state, tombstone)?,
        public_key,
        kek: kek(state)?,
        classical: Hold { provider: item::parsed(state, "key_provider")?, key_id: held("classical_key_id")? },
        pq: Hold { provider: item::parsed(state, "pq_provider")?, key_id: held("pq_key_id")? },
        tier: tier(state)?,
        tag,
        created_at: item::moment(state, "created_at")?,
        revoked_at: buried_at.or(item::moment_or_none(state, "revoked_at")?),
        predecessor: item::parsed_or_none(state, "predecessor")?,
        successor: item::parsed_or_none(state, "successor")?,
        line: item::parsed(state, "line")?,
        allow_follow: item::is(state, "allow_follow")?,
        rotate_after_days: match item::count_or_none(state, "rotate_after_days")? {
            Some(days) => Some(days.try_into().map_err(|_| "rotate_after_days")?),
            None => None,
        },
    };
    // While the key has all that its tier derives from, it must.
    let kek = record.kek.as_ref().map(|kek| kek.provider);
    let derived = Tier::derive(kek, record.classical.provider, record.pq.provider);
    if record.status == KeyStatus::Active && derived != record.tier {
        return Err("tier");
    }
    Ok(record)
}

fn kek(state: &Item) -> Result<Option<KekHold>, Corrupt> {
    let provider = item::parsed_or_none::<KekProvider>(state, "kek_provider")?;
    let kek_key_id = item::find(state, "kek_key_id")?.map(str::to_owned);
    match (provider, item::blob_or_none(state, "wrapped_dek")?) {
        (Some(provider), Some(bytes)) => {
            Ok(Some(KekHold { provider, wrapped: WrappedDek { bytes: bytes.to_vec(), kek_key_id } }))
        }
        (None, None) => Ok(None),
        _ => Err("wrapped_dek"),
    }
}

pub(crate) fn tier(item: &Item) -> Result<Tier, Corrupt> {
    u8::try_from(item::count(item, "tier")?).ok().and_then(|tier| tier.try_into().ok()).ok_or("tier")
}

pub(crate) fn tombstone(tombstone: &Tombstone) -> Item {
    let mut item = Item::new();
    set(&mut item, "org", text(tombstone.org.as_str()));
    set(&mut item, "key_id", text(tombstone.key.as_str()));
    set(&mut item, "fingerprint", text(&tombstone.fingerprint));
    set(&mut item, "revoked_at", time(tombstone.revoked_at));
    item
}

pub(crate) fn buried(item: &Item) -> Result<Tombstone, Corrupt> {
    Ok(Tombstone {
        org: item::parsed(item, "org")?,
        key: item::parsed(item, "key_id")?,
        fingerprint: item::get(item, "fingerprint")?.to_owned(),
        revoked_at: item::moment(item, "revoked_at")?,
    })
}

pub(crate) fn succession(succession: &SuccessionRecord) -> Result<Item, StoreError> {
    let mut item = Item::new();
    set(&mut item, "org", text(succession.org.as_str()));
    set(&mut item, "predecessor", text(succession.predecessor.as_str()));
    set(&mut item, "statement", text(serde_json::to_string(&succession.statement).map_err(unavailable)?));
    set(&mut item, "predecessor_signature", bytes(&succession.predecessor_signature));
    set(&mut item, "successor_signature", bytes(&succession.successor_signature));
    set(&mut item, "event_id", text(succession.event.as_str()));
    Ok(item)
}

pub(crate) fn succeeded(item: &Item) -> Result<SuccessionRecord, Corrupt> {
    Ok(SuccessionRecord {
        org: item::parsed(item, "org")?,
        predecessor: item::parsed(item, "predecessor")?,
        statement: item::json(item, "statement")?,
        predecessor_signature: item::blob(item, "predecessor_signature")?.to_vec(),
        successor_signature: item::blob(item, "successor_signature")?.to_vec(),
        event: item::parsed(item, "event_id")?,
    })
}

pub(crate) fn corrupt(key: Option<&KeyId>, column: Corrupt) -> StoreError {
    StoreError::Corrupt { key: key.cloned(), column }
}
