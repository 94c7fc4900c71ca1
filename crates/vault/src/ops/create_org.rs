//! Makes an organisation with its ledger key and its first token. It is on no route: an operator runs it.

use std::sync::Arc;

use composite::Algorithm;
use ledger::Content;

use crate::{
    Error, Timestamp,
    accounts::Accounts,
    caller::{Environment, Scope},
    custody::Custody,
    events::Scene,
    id::{OrgId, TokenId},
    input,
    key_material::{self, Blueprint},
    providers::{KekProvider, KeyProvider, PqProvider},
    random,
    store::{KeyKind, NewOrg, OrgRecord, OrgWrites, Record, TokenRecord},
    token::Secret,
};

/// What making an organisation touches.
#[derive(Clone)]
pub struct Ports {
    /// The ledger key's halves are made, sealed and tagged.
    pub custody: Arc<Custody>,
    /// The organisation, its ledger key and its first token are written.
    pub writes: Arc<dyn OrgWrites>,
}

/// Which organisation to make.
pub struct Request {
    /// 1 to 128 characters.
    pub name: String,
    /// Live or test.
    pub environment: Environment,
    /// A first token of the operator's choosing, in place of a generated one.
    pub token: Option<Secret>,
}

/// The organisation made.
pub struct Response {
    /// `org_…`
    pub org: OrgId,
    /// The first token, with every scope. This is the only time that it is shown.
    pub token: Secret,
}

/// Makes an organisation. Its ledger key's event is the first of its ledger.
///
/// The ledger key is `postq-managed` under the vault's own key-encryption key, so that a grant which a customer withdraws
/// never stops sealing or proofs.
///
/// # Errors
/// [`Error::Invalid`] for the name, [`Error::StoreUnavailable`].
pub async fn create_org(ports: &Ports, request: Request) -> Result<Response, Error> {
    input::name(&request.name)?;
    let now = Timestamp::now();
    let org = OrgId::generate(now)?;
    let token = match request.token {
        Some(token) => token,
        None => Secret::generate(request.environment)?,
    };
    let first_token = TokenRecord {
        id: TokenId::generate(now)?,
        org: org.clone(),
        hash: token.derive_hash(),
        name: "first token".to_owned(),
        scopes: Scope::ALL.to_vec(),
        lines: None,
        created_at: now,
        revoked_at: None,
    };
    let blueprint = Blueprint {
        org: &org,
        kind: KeyKind::Ledger,
        name: "ledger".to_owned(),
        metadata: Content::default(),
        algorithm: Algorithm::MlDsa65Ed25519,
        kek: KekProvider::Env,
        classical: KeyProvider::PostqManaged,
        pq: PqProvider::PostqManaged,
        allow_follow: false,
        rotate_after_days: None,
        follows: None,
        now,
    };
    let (ledger_key, sealed) = key_material::generate(&Accounts::none(&ports.custody), blueprint).await?;
    let scene = Scene { org: &org, actor: first_token.id.as_str(), now };
    let events = vec![scene.key_created(&ledger_key)?, scene.api_key_created(&first_token)?];
    let new = NewOrg {
        org: OrgRecord {
            id: org.clone(),
            name: request.name,
            environment: request.environment,
            external_id: format!("postq-{}", hex::encode(random::generate::<16>()?)),
            ledger_key: ledger_key.id.clone(),
            created_at: now,
        },
        ledger_key,
        sealed,
        token: first_token,
    };
    ports.writes.create_org(new, Record { events, reply: None }).await?;
    Ok(Response { org, token })
}
