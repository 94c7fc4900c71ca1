//! Lists, makes and revokes API tokens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Error, Timestamp,
    caller::{Caller, Scope},
    events::Scene,
    id::{KeyId, TokenId},
    input,
    store::{
        KeyKind, Keys, Lease, Orgs, Record, Replies, Reply, StoredAnswer, TokenRecord, TokenWrites, Tokens,
    },
    token::Secret,
};

/// What tokens touch.
#[derive(Clone)]
pub struct Ports {
    /// Whether the organisation is live or test is read.
    pub orgs: Arc<dyn Orgs>,
    /// The keys that a token is to be confined to are read.
    pub keys: Arc<dyn Keys>,
    /// Tokens are read.
    pub tokens: Arc<dyn Tokens>,
    /// Tokens are made and revoked.
    pub writes: Arc<dyn TokenWrites>,
    /// That a token was made is kept for retries; the token is not.
    pub replies: Arc<dyn Replies>,
}

/// Which token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateTokenRequest)]
pub struct Request {
    /// 1 to 128 characters.
    pub name: String,
    /// 1 to 20.
    pub scopes: Vec<Scope>,
    /// The keys that it is for, each standing for its whole line: a successor is included. Left out, it is for every key.
    pub key_ids: Option<Vec<String>>,
}

/// Which tokens to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRequest {
    /// 1 to 100; 20 if left out.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A token as the API shows it: never itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiToken {
    /// `apk_…`
    pub id: String,
    /// 1 to 128 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The first keys of the lines that it is for; null where it is for every key.
    pub key_ids: Option<Vec<String>>,
    /// RFC 3339 UTC with milliseconds.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A new token. This is the only time that it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreateTokenResponse)]
pub struct NewToken {
    /// What it may do.
    #[serde(flatten)]
    pub api_token: ApiToken,
    /// The token itself.
    pub token: String,
}

/// That a token is dead.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedToken {
    /// `apk_…`
    pub id: String,
    /// When it was revoked.
    pub revoked_at: String,
}

/// One page of tokens.
#[derive(Debug)]
pub struct TokenPage {
    /// Newest first.
    pub tokens: Vec<ApiToken>,
    /// How many a page may have.
    pub limit: usize,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Lists the organisation's tokens, revoked ones too.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn list_tokens(ports: &Ports, caller: &Caller, request: ListRequest) -> Result<TokenPage, Error> {
    let limit = input::page_size(request.limit, 20, 100)?;
    let before: Option<TokenId> = input::cursor(request.cursor.as_deref())?;
    let mut records = ports.tokens.tokens(&caller.org, before.as_ref(), limit + 1).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next_cursor = records.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(TokenPage { tokens: records.iter().map(ApiToken::from).collect(), limit, next_cursor })
}

/// Makes a token.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn create_token(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<NewToken, Error> {
    input::name(&request.name)?;
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in request.scopes {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if !(1..=MAX_SCOPES).contains(&scopes.len()) {
        return Err(Error::invalid("scopes", format_args!("a token has 1 to {MAX_SCOPES} scopes")));
    }
    let lines = match request.key_ids {
        Some(ids) => {
            if let Some(scope) = scopes.iter().find(|scope| BEYOND_KEYS.contains(scope)) {
                let reason = format!("a token for certain keys cannot have the scope `{scope}`");
                return Err(Error::invalid("scopes", reason));
            }
            Some(lines(ports, caller, &ids).await?)
        }
        None => None,
    };
    let org = ports.orgs.org(&caller.org).await?.ok_or(Error::Unauthenticated)?;
    let now = Timestamp::now();
    let secret = Secret::generate(org.environment)?;
    let token = TokenRecord {
        id: TokenId::generate(now)?,
        org: caller.org.clone(),
        hash: secret.derive_hash(),
        name: request.name,
        scopes,
        lines,
        created_at: now,
        revoked_at: None,
    };
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let answer = StoredAnswer::Secret { id: token.id.to_string() };
    let reply = lease.map(|lease| Reply { lease, answer });
    ports.writes.create_token(&token, Record { events: vec![scene.api_key_created(&token)?], reply }).await?;
    Ok(NewToken { api_token: ApiToken::from(&token), token: secret.expose().to_owned() })
}

/// Revokes a token: it is dead at the next call. A second time answers the same.
///
/// # Errors
/// [`Error::NotFound`], [`Error::StoreUnavailable`].
pub async fn revoke_token(ports: &Ports, caller: &Caller, id: &str) -> Result<RevokedToken, Error> {
    let unknown = || Error::NotFound { what: "API token" };
    let id: TokenId = id.parse().map_err(|_| unknown())?;
    let now = Timestamp::now();
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let record = Record::from(scene.api_key_revoked(&id)?);
    let at = ports.writes.revoke_token(&caller.org, &id, now, record).await?.ok_or_else(unknown)?;
    Ok(RevokedToken { id: id.to_string(), revoked_at: at.to_string() })
}

/// The first keys of the lines that the ids stand for.
async fn lines(ports: &Ports, caller: &Caller, ids: &[String]) -> Result<Vec<KeyId>, Error> {
    if !(1..=MAX_KEY_IDS).contains(&ids.len()) {
        return Err(Error::invalid("keyIds", format_args!("name 1 to {MAX_KEY_IDS} keys, or leave it out")));
    }
    let mut lines = Vec::new();
    for id in ids {
        let unknown = || Error::invalid("keyIds", "there is no key of one of these ids in this organisation");
        let key = ports.keys.key(&caller.org, &id.parse().map_err(|_| unknown())?).await?;
        let key = key.filter(|key| key.kind == KeyKind::User).ok_or_else(unknown)?;
        if !lines.contains(&key.line) {
            lines.push(key.line);
        }
    }
    Ok(lines)
}

impl From<&TokenRecord> for ApiToken {
    fn from(record: &TokenRecord) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            scopes: record.scopes.clone(),
            key_ids: record.lines.as_ref().map(|lines| lines.iter().map(ToString::to_string).collect()),
            created_at: record.created_at.to_string(),
            revoked_at: record.revoked_at.map(|at| at.to_string()),
        }
    }
}

const MAX_SCOPES: usize = 20;

const MAX_KEY_IDS: usize = 100;

/// By `admin` such a token could make itself one for every key; the other two are about every key.
const BEYOND_KEYS: [Scope; 3] = [Scope::Admin, Scope::Policies, Scope::Settings];
