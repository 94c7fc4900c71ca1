//! Halves as keys of the key ring: made with labels, found again by them, and destroyed by nothing else.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use composite::{ClassicalAlgorithm, MlDsaSet, halves::classical_from_spki_pem};
use google_cloud_kms_v1::model::{
    CryptoKey, CryptoKeyVersionTemplate, ProtectionLevel as Level,
    crypto_key::CryptoKeyPurpose,
    crypto_key_version::{CryptoKeyVersionAlgorithm, CryptoKeyVersionState},
};
use vault::{
    custody::{
        CloudFault, CustodyError, Deletion, DeploymentId, Failed, HalfAlgorithm, Kept, MarkedHalf, NewHalf,
        Remains, RemoteHalves, Subject, is_young,
    },
    id::KeyId,
    sealed::HalfName,
    settings::{CryptoKeyName, CryptoKeyVersionName, ProtectionLevel},
};

use crate::{account::Account, call, checked::checked, kms};

impl Account {
    /// Makes a half. It is never tried twice; where what follows its making fails, the failure names it.
    pub(crate) async fn make_half(
        &self,
        subject: Subject<'_>,
        half: HalfAlgorithm,
    ) -> Result<NewHalf, CustodyError> {
        let ring = &self.account.ring;
        let id = name_of(subject.key, half);
        let protection = match self.account.protection {
            ProtectionLevel::Software => Level::Software,
            ProtectionLevel::Hsm => Level::Hsm,
        };
        let template = CryptoKeyVersionTemplate::new()
            .set_algorithm(google(half))
            .set_protection_level(protection.clone());
        let labels = [
            (DEPLOYMENT, self.settings.deployment.as_str()),
            (ORG, subject.org.as_str()),
            (KEY, subject.key.as_str()),
            (HALF, half_name(half).name()),
        ];
        let key = CryptoKey::new()
            .set_purpose(CryptoKeyPurpose::AsymmetricSign)
            .set_version_template(template)
            .set_labels(labels);
        let version = CryptoKeyVersionName::first_of(CryptoKeyName::in_ring(ring, &id));
        let asked = kms::create(ring, &id, &key)?;
        let made = match self.ask_once(ring.as_str(), &asked).await {
            Ok(made) => made,
            // What was refused was not made; what was not answered, or not as it should have been, may have been.
            Err(failed) if REFUSALS.iter().any(|code| failed.is(code)) => {
                return Err(failed.leaving(Remains::Nothing).into());
            }
            // Something on the way sent it twice: nobody else has this name.
            Err(failed) if failed.is("ALREADY_EXISTS") => {
                let failed = failed.of_fault(CloudFault::Unavailable);
                return Err(failed.leaving(Remains::Half(version.to_string())).into());
            }
            Err(failed) => return Err(failed.into()),
        };
        let named = CryptoKeyName::parse(&made.name).ok();
        if named.is_none_or(|named| named.place() != version.key.place()) {
            return Err(Failed::wrong(asked.call, "another key's name").into());
        }
        match self.young_public_key(&version, half, &protection).await {
            Ok(public_key) => Ok(NewHalf { public_key, secret: Kept::AtProvider(version.to_string()) }),
            Err(failed) => Err(failed.leaving(Remains::Half(version.to_string())).into()),
        }
    }

    /// The public key of a half that was just made: it is generated when it can be, in a second or so.
    async fn young_public_key(
        &self,
        version: &CryptoKeyVersionName,
        half: HalfAlgorithm,
        protection: &Level,
    ) -> Result<Vec<u8>, Failed> {
        loop {
            match self.public_key(version, half, Some(protection)).await {
                Err(failed) if failed.is("FAILED_PRECONDITION") || failed.is("NOT_FOUND") => {
                    if self.is_out_of_time(YOUNG_REST) {
                        return Err(failed.of_fault(CloudFault::TimedOut));
                    }
                    tokio::time::sleep(YOUNG_REST).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn public_key(
        &self,
        version: &CryptoKeyVersionName,
        half: HalfAlgorithm,
        protection: Option<&Level>,
    ) -> Result<Vec<u8>, Failed> {
        let format = match half {
            HalfAlgorithm::Classical(_) => "PEM",
            HalfAlgorithm::Pq(_) => "NIST_PQC",
        };
        let asked = kms::public_key(version, format);
        let answer = self.ask(version.as_str(), &asked).await?;
        if !version.is_named_by(&answer.name) || answer.algorithm != google(half) {
            return Err(Failed::wrong(asked.call, "another key's"));
        }
        if protection.is_some_and(|protection| *protection != answer.protection_level) {
            return Err(Failed::wrong(asked.call, "it is held by something else than was asked for"));
        }
        let other = || Failed::wrong(asked.call, "other bytes than were sent came");
        match half {
            HalfAlgorithm::Classical(algorithm) => {
                checked(answer.pem.as_bytes(), answer.pem_crc32c).ok_or_else(other)?;
                let key = classical_from_spki_pem(algorithm, &answer.pem);
                key.ok_or_else(|| Failed::wrong(asked.call, "not the SubjectPublicKeyInfo of such a key"))
            }
            HalfAlgorithm::Pq(_) => {
                let key = answer.public_key.ok_or_else(|| Failed::wrong(asked.call, "no key"))?;
                Ok(checked(&key.data, key.crc32c_checksum).ok_or_else(other)?.to_vec())
            }
        }
    }

    /// Whether a version is destroyed, or about to be.
    async fn is_going(&self, version: &CryptoKeyVersionName) -> Result<bool, Failed> {
        let there = self.ask_unhurried(&kms::get_version(version)).await?;
        // What could not be generated can be neither used nor destroyed.
        let going = [
            CryptoKeyVersionState::DestroyScheduled,
            CryptoKeyVersionState::Destroyed,
            CryptoKeyVersionState::GenerationFailed,
        ];
        Ok(going.contains(&there.state))
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
        let version = read(key_id, "cloudkms.cryptoKeyVersions.destroy")?;
        let labels = match self.ask_unhurried(&kms::get(&version.key)).await {
            Ok(there) => there.labels,
            // A key that is not found is deleted, unless it may be too young to be known everywhere.
            Err(failed) if failed.is("NOT_FOUND") && !is_young(key) => return Ok(Deletion::Scheduled),
            Err(failed) if failed.is("NOT_FOUND") => {
                return Err(failed.of_fault(CloudFault::Unavailable).into());
            }
            Err(failed) => return Err(failed.into()),
        };
        if value(&labels, DEPLOYMENT) != Some(deployment.as_str())
            || value(&labels, KEY) != Some(key.as_str())
        {
            return Ok(Deletion::NotOurs);
        }
        match self.ask_unhurried(&kms::destroy(&version)?).await {
            Ok(_) => Ok(Deletion::Scheduled),
            // A repeated call may find what the first one did, whose answer was lost; any other state passes.
            Err(failed) if failed.is("FAILED_PRECONDITION") => {
                if self.is_going(&version).await? {
                    return Ok(Deletion::Scheduled);
                }
                Err(failed.of_fault(CloudFault::Unavailable).into())
            }
            // Somebody destroyed it, and then took it off the list.
            Err(failed) if failed.is("NOT_FOUND") && !is_young(key) => Ok(Deletion::Scheduled),
            Err(failed) => Err(failed.into()),
        }
    }

    /// A call for each page. Cloud KMS lists every key that ever was, so that those which are destroyed are among them.
    async fn marked(&self, deployment: &DeploymentId) -> Result<Vec<MarkedHalf>, CustodyError> {
        let ring = &self.account.ring;
        let mut found = Vec::new();
        let mut page = String::new();
        loop {
            let listed =
                self.ask_unhurried(&kms::list(ring, (DEPLOYMENT, deployment.as_str()), page)).await?;
            for key in listed.crypto_keys {
                // The filter is the service's; the labels are looked at here as well.
                let ours = value(&key.labels, DEPLOYMENT) == Some(deployment.as_str());
                let name = CryptoKeyName::parse(&key.name).ok().filter(|_| ours);
                let Some(name) = name.and_then(|name| name.moved_to(ring)) else { continue };
                let version = CryptoKeyVersionName::first_of(name);
                found.push(MarkedHalf {
                    key_id: version.to_string(),
                    org: value(&key.labels, ORG).and_then(|org| org.parse().ok()),
                    key: value(&key.labels, KEY).and_then(|key| key.parse().ok()),
                });
            }
            page = listed.next_page_token;
            if page.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn is_gone(&self, key_id: &str) -> Result<bool, CustodyError> {
        let version = read(key_id, "cloudkms.cryptoKeyVersions.get")?;
        match self.is_going(&version).await {
            Err(failed) if failed.is("NOT_FOUND") => Ok(true),
            going => Ok(going?),
        }
    }

    /// Cloud KMS has no way to try a signature without making one: that the key is there, enabled and of the algorithm is what can be
    /// known, and its public key is not shown otherwise.
    async fn would_sign(&self, key_id: &str, half: HalfAlgorithm) -> Result<(), CustodyError> {
        let version = read(key_id, kms::PUBLIC_KEY)?;
        self.public_key(&version, half, None).await?;
        Ok(())
    }
}

fn read(key_id: &str, action: &'static str) -> Result<CryptoKeyVersionName, Failed> {
    let call = call::on(action, key_id);
    CryptoKeyVersionName::parse(key_id).map_err(|e| Failed::new(CloudFault::Denied, call, e))
}

/// The algorithm as Cloud KMS names it.
fn google(half: HalfAlgorithm) -> CryptoKeyVersionAlgorithm {
    match half {
        HalfAlgorithm::Classical(ClassicalAlgorithm::EcdsaP256) => {
            CryptoKeyVersionAlgorithm::EcSignP256Sha256
        }
        HalfAlgorithm::Classical(ClassicalAlgorithm::Ed25519) => CryptoKeyVersionAlgorithm::EcSignEd25519,
        HalfAlgorithm::Pq(MlDsaSet::MlDsa44) => CryptoKeyVersionAlgorithm::PqSignMlDsa44ExternalMu,
        HalfAlgorithm::Pq(MlDsaSet::MlDsa65) => CryptoKeyVersionAlgorithm::PqSignMlDsa65ExternalMu,
        HalfAlgorithm::Pq(MlDsaSet::MlDsa87) => CryptoKeyVersionAlgorithm::PqSignMlDsa87ExternalMu,
    }
}

const fn half_name(half: HalfAlgorithm) -> HalfName {
    match half {
        HalfAlgorithm::Classical(_) => HalfName::Classical,
        HalfAlgorithm::Pq(_) => HalfName::Pq,
    }
}

/// What a half is called in its key ring: its hybrid key's id and which it is.
fn name_of(key: &KeyId, half: HalfAlgorithm) -> String {
    format!("postq-{}-{}", key.as_str().trim_start_matches("key_"), half_name(half).name())
}

fn value<'a>(labels: &'a HashMap<String, String>, label: &str) -> Option<&'a str> {
    labels.get(label).map(String::as_str)
}

/// Codes of a creation that was not begun.
const REFUSALS: [&str; 6] = [
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
];

const DEPLOYMENT: &str = "postq-deployment";
const ORG: &str = "postq-org";
const KEY: &str = "postq-key";
const HALF: &str = "postq-half";

/// How long a key that is being generated is left alone.
const YOUNG_REST: Duration = Duration::from_millis(250);
