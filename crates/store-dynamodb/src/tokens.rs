//! Tokens: by their hashes, which is how they are presented, and each organisation's listed in a partition.

use async_trait::async_trait;
use vault::{
    Timestamp,
    id::{OrgId, TokenId},
    store::{Record, StoreError, TokenRecord, TokenWrites, Tokens},
    token::TokenHash,
};

use crate::{
    DynamoStore,
    connection::{Range, unavailable},
    item::{self, Corrupt, Item, set, text, time},
    rows::corrupt,
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Tokens for DynamoStore {
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        let found = self.get(Table::Tokens, &by_hash(hash)).await?;
        found.map(|item| parse(&item).map_err(|name| corrupt(None, name))).transpose()
    }

    async fn tokens(
        &self,
        org: &OrgId,
        before: Option<&TokenId>,
        limit: usize,
    ) -> Result<Vec<TokenRecord>, StoreError> {
        let mut listed: Vec<Item> = Vec::new();
        let range = Range {
            pk: org.as_str(),
            below: before.map(TokenId::as_str),
            newest_first: true,
            page: Some(limit),
            ..Range::default()
        };
        self.query(Table::Tokens, range, |item| {
            listed.push(item);
            listed.len() < limit
        })
        .await?;
        listed.truncate(limit);
        let hashes = listed.iter().map(|item| item::array(item, "hash").map(TokenHash));
        let hashes = hashes.collect::<Result<Vec<_>, _>>().map_err(|name| corrupt(None, name))?;
        let wanted: Vec<_> = hashes.iter().map(|hash| (Table::Tokens, by_hash(hash))).collect();
        // A list names what exists.
        let mut found = self.get_many_settled(&wanted).await?;
        wanted
            .iter()
            .map(|key| parse(&found.remove(key).ok_or("hash")?))
            .collect::<Result<_, Corrupt>>()
            .map_err(|name| corrupt(None, name))
    }
}

#[async_trait]
impl TokenWrites for DynamoStore {
    async fn create_token(&self, token: &TokenRecord, record: Record) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        make(&mut t, token)?;
        t.record(&record)?;
        Ok(t.commit().await??)
    }

    async fn revoke_token(
        &self,
        org: &OrgId,
        token: &TokenId,
        now: Timestamp,
        record: Record,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(listed) = self.get(Table::Tokens, &Key::new(org.as_str(), token.as_str())).await? else {
            return Ok(None);
        };
        let hash = TokenHash(item::array(&listed, "hash").map_err(|name| corrupt(None, name))?);
        let mut t = Transaction::new(self);
        t.update(
            Table::Tokens,
            &by_hash(&hash),
            "SET #revoked_at = :now",
            "attribute_exists(pk) AND attribute_not_exists(#revoked_at)",
            &[("now", time(now))],
            Refused::NotAsExpected,
        )?;
        t.record(&record)?;
        if t.commit_if_expected().await? {
            return Ok(Some(now));
        }
        // It died before, and nothing was written.
        Ok(self.token(&hash).await?.and_then(|token| token.revoked_at))
    }
}

pub(crate) fn make(t: &mut Transaction<'_>, token: &TokenRecord) -> Result<(), StoreError> {
    let mut item = Item::new();
    set(&mut item, "id", text(token.id.as_str()));
    set(&mut item, "org", text(token.org.as_str()));
    set(&mut item, "name", text(&token.name));
    set(&mut item, "scopes", text(serde_json::to_string(&token.scopes).map_err(unavailable)?));
    let lines = token.lines.as_ref().map(serde_json::to_string).transpose().map_err(unavailable)?;
    set(&mut item, "lines", lines.map(text));
    set(&mut item, "created_at", time(token.created_at));
    set(&mut item, "revoked_at", token.revoked_at.map(time));
    t.make(Table::Tokens, &by_hash(&token.hash), item)?;
    let mut listed = Item::new();
    set(&mut listed, "hash", item::bytes(&token.hash.0));
    t.make(Table::Tokens, &Key::new(token.org.as_str(), token.id.as_str()), listed)
}

fn by_hash(hash: &TokenHash) -> Key {
    Key::alone(hex::encode(hash.0))
}

fn parse(item: &Item) -> Result<TokenRecord, Corrupt> {
    let mut hash = [0; 32];
    hex::decode_to_slice(item::get(item, "pk")?, &mut hash).map_err(|_| "pk")?;
    Ok(TokenRecord {
        id: item::parsed(item, "id")?,
        org: item::parsed(item, "org")?,
        hash: TokenHash(hash),
        name: item::get(item, "name")?.to_owned(),
        scopes: item::json(item, "scopes")?,
        lines: item::find(item, "lines")?.map(serde_json::from_str).transpose().map_err(|_| "lines")?,
        created_at: item::moment(item, "created_at")?,
        revoked_at: item::moment_or_none(item, "revoked_at")?,
    })
}
