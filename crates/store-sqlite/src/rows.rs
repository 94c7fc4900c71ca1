//! Rows to records: what the vault would not have written is refused by the name of its column.

use composite::{Algorithm, PublicKey};
use rusqlite::{Connection, OptionalExtension, Row, types::FromSql};
use vault::{
    Timestamp,
    custody::WrappedDek,
    id::{Id, Kind},
    providers::{KekProvider, Tier},
    record_tag::RecordTag,
    store::{
        Hold, KekHold, KeyRecord, KeyStatus, OrgRecord, StoreError, SuccessionRecord, TokenRecord, Tombstone,
    },
    token::TokenHash,
};

use crate::connection::unavailable;

/// What [`key`] reads, to be completed by conditions on `k`.
pub(crate) const SELECT_KEYS: &str = "SELECT k.*, t.revoked_at AS buried_at FROM keys AS k \
     LEFT JOIN tombstones AS t ON t.org = k.org AND t.key_id = k.id";

/// A row that is not what the vault would have written, by its first such column.
pub(crate) type Corrupt = &'static str;

pub(crate) fn key(row: &Row<'_>) -> Result<KeyRecord, Corrupt> {
    let public_key = PublicKey::from_json(&get::<String>(row, "public_key")?).map_err(|_| "public_key")?;
    if parsed::<Algorithm>(row, "algorithm")? != public_key.algorithm() {
        return Err("algorithm");
    }
    if get::<Vec<u8>>(row, "fingerprint")? != public_key.fingerprint() {
        return Err("fingerprint");
    }
    let tag = match get::<Option<Vec<u8>>>(row, "record_tag")? {
        Some(tag) => Some(RecordTag::from_bytes(&tag).ok_or("record_tag")?),
        None => None,
    };
    // A tombstone is the last word on a key, whatever its row says.
    let buried_at = time(row, "buried_at")?;
    let status = if buried_at.is_some() { KeyStatus::Revoked } else { parsed(row, "status")? };
    let record = KeyRecord {
        org: id(row, "org")?,
        id: id(row, "id")?,
        kind: parsed(row, "kind")?,
        name: get(row, "name")?,
        metadata: serde_json::from_str(&get::<String>(row, "metadata")?).map_err(|_| "metadata")?,
        status,
        public_key,
        kek: kek(row)?,
        classical: Hold { provider: parsed(row, "key_provider")?, key_id: get(row, "classical_key_id")? },
        pq: Hold { provider: parsed(row, "pq_provider")?, key_id: get(row, "pq_key_id")? },
        tier: get::<u8>(row, "tier")?.try_into().map_err(|_| "tier")?,
        tag,
        created_at: time(row, "created_at")?.ok_or("created_at")?,
        revoked_at: buried_at.or(time(row, "revoked_at")?),
        predecessor: optional_id(row, "predecessor")?,
        successor: optional_id(row, "successor")?,
        line: id(row, "line")?,
        allow_follow: get(row, "allow_follow")?,
        rotate_after_days: get(row, "rotate_after_days")?,
    };
    // While the key has all that its tier derives from, it must.
    let kek = record.kek.as_ref().map(|kek| kek.provider);
    let derived = Tier::derive(kek, record.classical.provider, record.pq.provider);
    if record.status == KeyStatus::Active && derived != record.tier {
        return Err("tier");
    }
    Ok(record)
}

pub(crate) fn org(row: &Row<'_>) -> Result<OrgRecord, Corrupt> {
    Ok(OrgRecord {
        id: id(row, "id")?,
        name: get(row, "name")?,
        environment: parsed(row, "environment")?,
        external_id: get(row, "external_id")?,
        ledger_key: id(row, "ledger_key")?,
        created_at: time(row, "created_at")?.ok_or("created_at")?,
    })
}

pub(crate) fn token(row: &Row<'_>) -> Result<TokenRecord, Corrupt> {
    Ok(TokenRecord {
        id: id(row, "id")?,
        org: id(row, "org")?,
        hash: TokenHash(get(row, "hash")?),
        name: get(row, "name")?,
        scopes: serde_json::from_str(&get::<String>(row, "scopes")?).map_err(|_| "scopes")?,
        lines: match get::<Option<String>>(row, "lines")? {
            Some(lines) => Some(serde_json::from_str(&lines).map_err(|_| "lines")?),
            None => None,
        },
        created_at: time(row, "created_at")?.ok_or("created_at")?,
        revoked_at: time(row, "revoked_at")?,
    })
}

pub(crate) fn succession(row: &Row<'_>) -> Result<SuccessionRecord, Corrupt> {
    Ok(SuccessionRecord {
        org: id(row, "org")?,
        predecessor: id(row, "predecessor")?,
        statement: serde_json::from_str(&get::<String>(row, "statement")?).map_err(|_| "statement")?,
        predecessor_signature: get(row, "predecessor_signature")?,
        successor_signature: get(row, "successor_signature")?,
        event: id(row, "event_id")?,
    })
}

pub(crate) fn tombstone(row: &Row<'_>) -> Result<Tombstone, Corrupt> {
    Ok(Tombstone {
        org: id(row, "org")?,
        key: id(row, "key_id")?,
        fingerprint: get(row, "fingerprint")?,
        revoked_at: time(row, "revoked_at")?.ok_or("revoked_at")?,
    })
}

/// A count as SQLite has it.
pub(crate) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as SQLite has it.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Reads a count.
pub(crate) fn count(row: &Row<'_>, column: Corrupt) -> Result<u64, Corrupt> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| column)
}

/// Reads at most one row and what it says.
pub(crate) fn find<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    parse: impl FnOnce(&Row<'_>) -> Result<T, Corrupt>,
) -> Result<Option<Result<T, Corrupt>>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    statement.query_row(params, |row| Ok(parse(row))).optional().map_err(unavailable)
}

/// Reads all rows and what each says.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut parse: impl FnMut(&Row<'_>) -> T,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    let rows = statement.query_map(params, |row| Ok(parse(row))).map_err(unavailable)?;
    rows.collect::<Result<_, _>>().map_err(unavailable)
}

pub(crate) fn get<T: FromSql>(row: &Row<'_>, column: Corrupt) -> Result<T, Corrupt> {
    row.get(column).map_err(|_| column)
}

pub(crate) fn id<K: Kind>(row: &Row<'_>, column: Corrupt) -> Result<Id<K>, Corrupt> {
    parsed(row, column)
}

fn kek(row: &Row<'_>) -> Result<Option<KekHold>, Corrupt> {
    let provider = get::<Option<String>>(row, "kek_provider")?;
    let wrapped = get::<Option<Vec<u8>>>(row, "wrapped_dek")?;
    let kek_key_id = get(row, "kek_key_id")?;
    match (provider, wrapped) {
        (Some(provider), Some(bytes)) => {
            let provider: KekProvider = provider.parse().map_err(|_| "kek_provider")?;
            Ok(Some(KekHold { provider, wrapped: WrappedDek { bytes, kek_key_id } }))
        }
        (None, None) => Ok(None),
        _ => Err("wrapped_dek"),
    }
}

pub(crate) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: Corrupt) -> Result<T, Corrupt> {
    get::<String>(row, column)?.parse().map_err(|_| column)
}

pub(crate) fn optional_id<K: Kind>(row: &Row<'_>, column: Corrupt) -> Result<Option<Id<K>>, Corrupt> {
    match get::<Option<String>>(row, column)? {
        Some(text) => text.parse().map(Some).map_err(|_| column),
        None => Ok(None),
    }
}

pub(crate) fn time(row: &Row<'_>, column: Corrupt) -> Result<Option<Timestamp>, Corrupt> {
    match get::<Option<i64>>(row, column)? {
        Some(millis) => u64::try_from(millis).ok().and_then(Timestamp::from_millis).map(Some).ok_or(column),
        None => Ok(None),
    }
}
