//! Cloud KMS: the calls that are made of it, in Google's own messages, as JSON over HTTPS.

use google_cloud_kms_v1::model::{
    AsymmetricSignRequest, AsymmetricSignResponse, CryptoKey, CryptoKeyVersion, DecryptRequest,
    DecryptResponse, EncryptRequest, EncryptResponse, ListCryptoKeysResponse, PublicKey,
};
use outbound::{Method, OneHost, Request, Url};
use serde::{Serialize, de::DeserializeOwned};
use vault::{
    custody::{Call, CloudFault, Failed},
    settings::{CryptoKeyName, CryptoKeyVersionName, KeyRingName},
};
use zeroize::Zeroizing;

use crate::call::{self, Words};

pub(crate) const HOST: &str = "cloudkms.googleapis.com";

/// A call that is ready to be sent.
pub(crate) struct Asked<'a, A> {
    /// What it is, for words.
    pub(crate) call: Call<'a>,
    method: Method,
    /// Below the version of the API: of names that were read letter by letter.
    path: String,
    query: Vec<(&'static str, String)>,
    body: Zeroizing<Vec<u8>>,
    words: Words,
    answer: std::marker::PhantomData<fn() -> A>,
}

impl<'a, A: DeserializeOwned> Asked<'a, A> {
    fn get(call: Call<'a>, path: String, query: Vec<(&'static str, String)>) -> Self {
        let (method, body) = (Method::GET, Zeroizing::default());
        Self { call, method, path, query, body, words: Words::PassedOn, answer: std::marker::PhantomData }
    }

    fn post<Q: Serialize>(
        call: Call<'a>,
        path: String,
        query: Vec<(&'static str, String)>,
        body: &Q,
    ) -> Result<Self, Failed> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Failed::new(CloudFault::WrongAnswer, call, "it cannot be written as JSON"))?;
        let (method, body) = (Method::POST, Zeroizing::new(body));
        Ok(Self { call, method, path, query, body, words: Words::PassedOn, answer: std::marker::PhantomData })
    }

    /// The same with a data key in it.
    fn secret(self) -> Self {
        Self { words: Words::Kept, ..self }
    }

    /// Sends it once.
    pub(crate) async fn send(&self, to: &OneHost, token: &str) -> Result<A, Failed> {
        let call = self.call;
        let mut url = Url::parse(&format!("https://{HOST}/v1/{}", self.path))
            .map_err(|_| Failed::new(CloudFault::Denied, call, "its name cannot stand in an address"))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let bearer = Zeroizing::new(format!("Bearer {token}"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let request =
            Request { method: self.method.clone(), url: &url, headers: &headers, body: self.body.to_vec() };
        let body = Zeroizing::new(call::judge(call, to.send(request).await, self.words)?);
        // Never its words: what could not be read may be a data key.
        serde_json::from_slice(&body).map_err(|_| Failed::wrong(call, "an answer that cannot be read"))
    }
}

pub(crate) fn encrypt<'a>(
    key: &'a CryptoKeyName,
    body: &EncryptRequest,
) -> Result<Asked<'a, EncryptResponse>, Failed> {
    let path = format!("{}:encrypt", key.as_str());
    Ok(Asked::post(call::on(ENCRYPT, key.as_str()), path, vec![], body)?.secret())
}

pub(crate) fn decrypt<'a>(
    key: &'a CryptoKeyName,
    body: &DecryptRequest,
) -> Result<Asked<'a, DecryptResponse>, Failed> {
    let path = format!("{}:decrypt", key.as_str());
    Ok(Asked::post(call::on(DECRYPT, key.as_str()), path, vec![], body)?.secret())
}

pub(crate) fn sign<'a>(
    version: &'a CryptoKeyVersionName,
    body: &AsymmetricSignRequest,
) -> Result<Asked<'a, AsymmetricSignResponse>, Failed> {
    let path = format!("{}:asymmetricSign", version.as_str());
    Asked::post(call::on(SIGN, version.as_str()), path, vec![], body)
}

pub(crate) fn public_key<'a>(
    version: &'a CryptoKeyVersionName,
    format: &'static str,
) -> Asked<'a, PublicKey> {
    let path = format!("{}/publicKey", version.as_str());
    Asked::get(call::on(PUBLIC_KEY, version.as_str()), path, vec![("publicKeyFormat", format.to_owned())])
}

pub(crate) fn create<'a>(
    ring: &'a KeyRingName,
    id: &str,
    body: &CryptoKey,
) -> Result<Asked<'a, CryptoKey>, Failed> {
    let path = format!("{}/cryptoKeys", ring.as_str());
    Asked::post(call::on(CREATE, ring.as_str()), path, vec![("cryptoKeyId", id.to_owned())], body)
}

pub(crate) fn get(key: &CryptoKeyName) -> Asked<'_, CryptoKey> {
    Asked::get(call::on("cloudkms.cryptoKeys.get", key.as_str()), key.as_str().to_owned(), vec![])
}

pub(crate) fn get_version(version: &CryptoKeyVersionName) -> Asked<'_, CryptoKeyVersion> {
    let call = call::on("cloudkms.cryptoKeyVersions.get", version.as_str());
    Asked::get(call, version.as_str().to_owned(), vec![])
}

/// A page of the keys of a ring that have a label.
pub(crate) fn list<'a>(
    ring: &'a KeyRingName,
    (label, value): (&str, &str),
    page: String,
) -> Asked<'a, ListCryptoKeysResponse> {
    let mut query = vec![("filter", format!("labels.{label}=\"{value}\""))];
    if !page.is_empty() {
        query.push(("pageToken", page));
    }
    let call = call::on("cloudkms.cryptoKeys.list", ring.as_str());
    Asked::get(call, format!("{}/cryptoKeys", ring.as_str()), query)
}

pub(crate) fn destroy(version: &CryptoKeyVersionName) -> Result<Asked<'_, CryptoKeyVersion>, Failed> {
    let call = call::on("cloudkms.cryptoKeyVersions.destroy", version.as_str());
    Asked::post(call, format!("{}:destroy", version.as_str()), vec![], &serde_json::Map::new())
}

/// Calls by the permissions that they need.
pub(crate) const ENCRYPT: &str = "cloudkms.cryptoKeyVersions.useToEncrypt";
pub(crate) const DECRYPT: &str = "cloudkms.cryptoKeyVersions.useToDecrypt";
pub(crate) const SIGN: &str = "cloudkms.cryptoKeyVersions.useToSign";
pub(crate) const PUBLIC_KEY: &str = "cloudkms.cryptoKeyVersions.viewPublicKey";
pub(crate) const CREATE: &str = "cloudkms.cryptoKeys.create";
