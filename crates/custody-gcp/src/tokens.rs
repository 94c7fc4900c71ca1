//! Tokens: by a service account's key, which signs them itself, or in exchange for an assertion of the deployment's own identity (RFC
//! 8693), and then, where settings say so, for those of a service account that the identity may impersonate.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use google_cloud_auth::credentials::{
    AccessTokenCredentials,
    service_account::{AccessSpecifier, Builder},
};
use outbound::{Method, OneHost, Request, Url, WayOut};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use vault::{
    custody::{AssertionError, Assertions, Call, CloudFault, CustodyError, Failed, ProviderSecret, Remains},
    settings::{ServiceAccount, WorkloadIdentityProvider},
};
use zeroize::Zeroizing;

use crate::call::{self, ATTEMPT, Words};

/// The token exchange.
pub(crate) const EXCHANGE: Call<'static> = call::of("a token of Google's token service");

/// Tokens of a service account that is impersonated.
const IMPERSONATE: Call<'static> = call::of("iam.serviceAccounts.getAccessToken");

/// What tokens are had by.
pub(crate) enum Credential {
    /// A service account's key: it signs a token for itself, and nobody is asked.
    Key(AccessTokenCredentials),
    /// An assertion of the deployment's own identity.
    Federated(Box<Federation>),
}

/// How an assertion becomes a token.
pub(crate) struct Federation {
    sts: OneHost,
    iam: OneHost,
    assertions: Arc<dyn Assertions>,
    provider: WorkloadIdentityProvider,
    impersonated: Option<ServiceAccount>,
    audience: String,
    /// Whoever comes first fetches it for all.
    kept: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: Arc<Zeroizing<String>>,
    /// By the clock that goes on while a process is frozen.
    until: SystemTime,
}

impl Credential {
    /// By what is kept of a service account's key file.
    pub(crate) fn by_key(secret: &ProviderSecret) -> Result<Self, CustodyError> {
        let unusable = CustodyError::NotAuthentic;
        let key = serde_json::from_str(&secret.0).map_err(|_| unusable.clone())?;
        let builder = Builder::new(key).with_access_specifier(AccessSpecifier::from_scopes([SCOPE]));
        Ok(Self::Key(builder.build_access_token_credentials().map_err(|_| unusable)?))
    }

    pub(crate) fn by_federation(
        way_out: &WayOut,
        assertions: Arc<dyn Assertions>,
        (provider, impersonated): (&WorkloadIdentityProvider, Option<&ServiceAccount>),
        audience: &str,
    ) -> Self {
        Self::Federated(Box::new(Federation {
            sts: way_out.to(STS, ATTEMPT),
            iam: way_out.to(IAM, ATTEMPT),
            assertions,
            provider: provider.clone(),
            impersonated: impersonated.cloned(),
            audience: audience.to_owned(),
            kept: Mutex::default(),
        }))
    }

    /// A token that is good for a while.
    pub(crate) async fn token(&self) -> Result<Arc<Zeroizing<String>>, Failed> {
        match self {
            Self::Key(credentials) => match credentials.access_token().await {
                Ok(token) => Ok(Arc::new(Zeroizing::new(token.token))),
                // Its words are about the key.
                Err(_) => Err(refused(
                    EXCHANGE,
                    "the service account's key does not sign: it must be an RSA key as PKCS #8",
                )),
            },
            Self::Federated(federation) => federation.token().await,
        }
    }

    /// Whether what takes this organisation's assertions takes those for another audience as well.
    pub(crate) async fn takes_any_audience(&self) -> Result<bool, Failed> {
        let Self::Federated(federation) = self else { return Ok(false) };
        let another = format!("{}-another", federation.audience);
        match federation.exchange(&another).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.fault == CloudFault::NotEntered => Ok(false),
            Err(failed) => Err(failed),
        }
    }
}

impl Federation {
    async fn token(&self) -> Result<Arc<Zeroizing<String>>, Failed> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.until > SystemTime::now()) {
            return Ok(token.text.clone());
        }
        let own = self.exchange(&self.audience).await?;
        let token = match &self.impersonated {
            None => own,
            Some(account) => self.impersonate(account, &own).await?,
        };
        Ok(kept.insert(token).text.clone())
    }

    async fn exchange(&self, audience: &str) -> Result<Token, Failed> {
        #[derive(Deserialize)]
        struct Exchanged {
            access_token: String,
            expires_in: u64,
        }
        let assertion = self.assertions.assertion(audience).await.map_err(no_assertion)?;
        let scope = if self.impersonated.is_some() { SCOPE_TO_IMPERSONATE } else { SCOPE };
        let provider = format!("//iam.googleapis.com/{}", self.provider.as_str());
        let form = [
            ("audience", provider.as_str()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", scope),
            ("subject_token", assertion.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let form =
            serde_urlencoded::to_string(form).map_err(|_| refused(EXCHANGE, "it cannot be written"))?;
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let path = format!("https://{STS}/v1/token");
        let Exchanged { access_token, expires_in } =
            ask(&self.sts, EXCHANGE, &path, &headers, form.into_bytes()).await?;
        let life = Duration::from_secs(expires_in).saturating_sub(MARGIN).min(LONGEST);
        Ok(Token { text: Arc::new(Zeroizing::new(access_token)), until: SystemTime::now() + life })
    }

    async fn impersonate(&self, account: &ServiceAccount, own: &Token) -> Result<Token, Failed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Impersonated {
            access_token: String,
        }
        let bearer = Zeroizing::new(format!("Bearer {}", own.text.as_str()));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path =
            format!("https://{IAM}/v1/projects/-/serviceAccounts/{}:generateAccessToken", account.as_str());
        let body = json!({"scope": [SCOPE], "lifetime": format!("{}s", LIFE.as_secs())}).to_string();
        let Impersonated { access_token } =
            ask(&self.iam, IMPERSONATE, &path, &headers, body.into_bytes()).await?;
        let until = SystemTime::now() + LIFE - MARGIN;
        Ok(Token { text: Arc::new(Zeroizing::new(access_token)), until })
    }
}

/// One attempt: what fails here is tried again with the call that wanted a token.
async fn ask<A: serde::de::DeserializeOwned>(
    to: &OneHost,
    call: Call<'_>,
    address: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<A, Failed> {
    let url = Url::parse(address).map_err(|_| refused(call, "no address"))?;
    let sent = to.send(Request { method: Method::POST, url: &url, headers, body }).await;
    let sent = sent.map(|answer| {
        // A description may repeat what was sent.
        let refusal = !(200..300).contains(&answer.status);
        let body = if refusal { code_of(&answer.body).into_bytes() } else { answer.body };
        outbound::Answer { body, ..answer }
    });
    let body = call::judge(call, sent, Words::Kept).map_err(|failed| {
        let fault = match failed.fault {
            CloudFault::Denied => CloudFault::NotEntered,
            other => other,
        };
        // Its code is about an identity, and would be taken for Cloud KMS's about a key.
        failed.uncoded().of_fault(fault).leaving(Remains::Nothing)
    })?;
    let body = Zeroizing::new(body);
    let answer = serde_json::from_slice(&body);
    answer.map_err(|_| Failed::wrong(call, "an answer that cannot be read").leaving(Remains::Nothing))
}

/// Of a refusal its code alone, of either service, in one form.
fn code_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Refusal {
        /// RFC 6749 §5.2.
        Oauth {
            error: String,
        },
        Rpc {
            error: Status,
        },
    }
    #[derive(Deserialize)]
    struct Status {
        status: String,
    }
    let code = match serde_json::from_slice(body) {
        Ok(Refusal::Oauth { error } | Refusal::Rpc { error: Status { status: error } }) => error,
        Err(_) => String::new(),
    };
    json!({"error": {"status": code, "message": ""}}).to_string()
}

fn no_assertion(error: AssertionError) -> Failed {
    Failed::new(CloudFault::NoCredentials, EXCHANGE, error).leaving(Remains::Nothing)
}

fn refused(call: Call<'_>, detail: &str) -> Failed {
    Failed::new(CloudFault::NotEntered, call, detail).leaving(Remains::Nothing)
}

const STS: &str = "sts.googleapis.com";
const IAM: &str = "iamcredentials.googleapis.com";

/// All that a token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloudkms";

/// What impersonating asks of the token that it is done with.
const SCOPE_TO_IMPERSONATE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(120);

/// How long a token of a service account that is impersonated lives.
const LIFE: Duration = Duration::from_secs(3600);

/// However long a token says that it lives.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
