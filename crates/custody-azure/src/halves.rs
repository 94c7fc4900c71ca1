//! Halves as keys of the vault: made with marks, found again by them, and deleted by nothing else.

use async_trait::async_trait;
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, Key, KeyAttributes, KeyClientGetKeyOptions, KeyOperation, KeyProperties,
    KeyType,
};
use futures::{TryFutureExt, TryStreamExt};
use vault::{
    custody::{
        CloudFault, CustodyError, Deletion, DeploymentId, Failed, HalfAlgorithm, Kept, MarkedHalf, NewHalf,
        Remains, RemoteHalves, Subject, is_young,
    },
    id::KeyId,
    sealed::HalfName,
    settings::{VaultKeyId, VaultKeyName},
};

use crate::{account::Account, call};

impl Account {
    /// Makes an EC key on P-256. It is never tried twice: what a first call may have made would be left.
    pub(crate) async fn make_half(&self, subject: Subject<'_>) -> Result<NewHalf, CustodyError> {
        let name = name_of(subject.key);
        let asked = call::on("keys/create", &name);
        let kty = if self.account.vault.is_hsm() { KeyType::EcHsm } else { KeyType::Ec };
        let marks = [
            (DEPLOYMENT, self.settings.deployment.as_str()),
            (ORG, subject.org.as_str()),
            (KEY, subject.key.as_str()),
            (HALF, HalfName::Classical.name()),
        ];
        let parameters = CreateKeyParameters {
            kty: Some(kty),
            curve: Some(CurveName::P256),
            key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
            key_attributes: Some(KeyAttributes {
                enabled: Some(true),
                exportable: Some(false),
                ..Default::default()
            }),
            tags: Some(marks.map(|(mark, value)| (mark.to_owned(), value.to_owned())).into()),
            ..CreateKeyParameters::default()
        };
        let clients = self.home()?;
        let call = async { clients.once.create_key(&name, parameters.try_into()?, None).await };
        let made = match self.ask("keys/create", self.account.vault.host(), call).await {
            Ok(made) => made,
            // It was refused, so nothing is there; in any other case nobody knows.
            Err(failed) if failed.fault == CloudFault::Denied || failed.fault == CloudFault::NotEntered => {
                return Err(failed.leaving(Remains::Nothing).into());
            }
            Err(failed) => return Err(failed.into()),
        };
        let id =
            made.key.as_ref().and_then(|key| key.kid.as_deref()).and_then(|id| VaultKeyId::parse(id).ok());
        let id = id.filter(|id| id.vault == self.account.vault && id.name.as_str() == name);
        let id = id.ok_or_else(|| Failed::wrong(asked, "another key's name"))?.to_string();
        match point(&made) {
            Some(public_key) => Ok(NewHalf { public_key, secret: Kept::AtProvider(id) }),
            None => Err(Failed::wrong(asked, "no point on P-256").leaving(Remains::Half(id)).into()),
        }
    }

    async fn key(&self, key_id: &str, latest: bool) -> Result<Key, Failed> {
        let (clients, id) = self.clients_of(key_id)?;
        let version = (!latest).then(|| id.version.clone());
        let call = async {
            let options = KeyClientGetKeyOptions { key_version: version, ..Default::default() };
            clients.patient.get_key(id.name.as_str(), Some(options)).await
        };
        self.ask_unhurried(call::on("keys/get", key_id), call).await
    }

    /// A key that is not found is deleted, unless it may be too young to be known everywhere.
    async fn deleted(&self, key_id: &str, key: &KeyId) -> Result<Deletion, CustodyError> {
        let (clients, id) = self.clients_of(key_id)?;
        let call = clients.patient.get_deleted_key(id.name.as_str(), None);
        match self.ask_unhurried(call::on("keys/get", key_id), call).await {
            Ok(_) => Ok(Deletion::Scheduled),
            Err(failed) if failed.is(NOT_FOUND) && !is_young(key) => Ok(Deletion::Scheduled),
            Err(failed) if failed.is(NOT_FOUND) => Err(failed.of_fault(CloudFault::Unavailable).into()),
            Err(failed) => Err(failed.into()),
        }
    }
}

#[async_trait]
impl RemoteHalves for Account {
    async fn schedule_deletion(
        &self,
        key_id: &str,
        deployment: &DeploymentId,
        key: &KeyId,
    ) -> Result<Deletion, CustodyError> {
        let there = match self.key(key_id, true).await {
            Ok(there) => there,
            Err(failed) if failed.is(NOT_FOUND) => return self.deleted(key_id, key).await,
            Err(failed) => return Err(failed.into()),
        };
        let marks = there.tags.unwrap_or_default();
        let marked = |mark: &str, value: &str| marks.get(mark).is_some_and(|found| found == value);
        if !marked(DEPLOYMENT, deployment.as_str()) || !marked(KEY, key.as_str()) {
            return Ok(Deletion::NotOurs);
        }
        let (clients, id) = self.clients_of(key_id)?;
        let call = clients.patient.delete_key(id.name.as_str(), None);
        match self.ask_unhurried(call::on("keys/delete", key_id), call).await {
            Ok(_) => Ok(Deletion::Scheduled),
            // A repeated call may find what the first one did, whose answer was lost.
            Err(failed) if failed.is(NOT_FOUND) => self.deleted(key_id, key).await,
            Err(failed) => Err(failed.into()),
        }
    }

    /// A call for every key that carries the mark, and one for each page of the vault's keys.
    async fn marked(&self, deployment: &DeploymentId) -> Result<Vec<MarkedHalf>, CustodyError> {
        let call = call::on("keys/list", self.account.vault.as_str());
        let clients = self.home()?;
        let pager = clients.patient.list_key_properties(None);
        let mut pager = pager.map_err(|error| self.judge(call, &error))?;
        let mut keys: Vec<KeyProperties> = Vec::new();
        while let Some(key) =
            self.unhurried(call, pager.try_next().map_err(|error| self.judge(call, &error))).await?
        {
            keys.push(key);
        }
        let mut found = Vec::new();
        for key in keys {
            let marks = key.tags.unwrap_or_default();
            let value = |mark: &str| marks.get(mark).map(String::as_str);
            if value(DEPLOYMENT) != Some(deployment.as_str()) {
                continue;
            }
            let Some(name) = key.kid.as_deref().and_then(|id| self.name_in(id)) else { continue };
            let options = KeyClientGetKeyOptions::default();
            let get = clients.patient.get_key(name.as_str(), Some(options));
            let complete = self.ask_unhurried(call::on("keys/get", name.as_str()), get).await;
            let complete = match complete {
                Ok(key) => key.key.and_then(|key| key.kid),
                Err(failed) if failed.is(NOT_FOUND) => continue,
                Err(failed) => return Err(failed.into()),
            };
            let Some(key_id) = complete else { continue };
            found.push(MarkedHalf {
                key_id,
                org: value(ORG).and_then(|org| org.parse().ok()),
                key: value(KEY).and_then(|key| key.parse().ok()),
            });
        }
        Ok(found)
    }

    /// Key Vault has no way to try a signature without making one: that the key is there and enabled, and may sign, is what can be known.
    async fn would_sign(&self, key_id: &str, _: HalfAlgorithm) -> Result<(), CustodyError> {
        let key = self.key(key_id, false).await?;
        let enabled = key.attributes.and_then(|attributes| attributes.enabled).unwrap_or(true);
        let ops = key.key.and_then(|key| key.key_ops).unwrap_or_default();
        if enabled && ops.iter().any(|op| op == "sign") {
            Ok(())
        } else {
            let call = call::on("keys/sign", key_id);
            Err(Failed::new(CloudFault::Denied, call, "the key is disabled, or may not sign").into())
        }
    }
}

impl Account {
    /// A key's name by its id without a version, if it is of the settings' vault.
    fn name_in(&self, id: &str) -> Option<VaultKeyName> {
        let rest = id.strip_prefix(self.account.vault.as_str())?.strip_prefix("/keys/")?;
        VaultKeyName::parse(rest.split('/').next()?).ok()
    }
}

/// What a half is called: its hybrid key's id, as far as Key Vault takes it.
fn name_of(key: &KeyId) -> String {
    format!("postq-{}-classical", key.as_str().trim_start_matches("key_"))
}

/// The uncompressed point (SEC 1 §2.3.3), 65 bytes.
fn point(made: &Key) -> Option<Vec<u8>> {
    let key = made.key.as_ref()?;
    let (x, y) = (key.x.as_ref()?, key.y.as_ref()?);
    let sound = key.crv == Some(CurveName::P256) && x.len() == 32 && y.len() == 32;
    sound.then(|| [&[0x04], x.as_slice(), y].concat())
}

const DEPLOYMENT: &str = "postq:deployment";
const ORG: &str = "postq:org";
const KEY: &str = "postq:key";
const HALF: &str = "postq:half";

/// The status of what is not there.
const NOT_FOUND: &str = "404";
