//! How projects are entered: one way in for each identity, whose tokens are kept until shortly before they expire, for as long as the
//! process lives.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use outbound::{Network, OneHost, WayOut};
use vault::{
    custody::{Assertions, Breakers, CustodyError, ProviderSecret},
    settings::{GcpAccount, GcpAuth, SettingsRecord},
};

use crate::{call::ATTEMPT, kms, tokens::Credential};

/// All doors of a process.
pub(crate) struct Doors {
    way_out: WayOut,
    pub(crate) kms: OneHost,
    assertions: Arc<dyn Assertions>,
    pub(crate) budget: Duration,
    pub(crate) breakers: Arc<Breakers>,
    doors: Mutex<HashMap<Way, Arc<Door>>>,
}

/// As whom.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Way {
    /// SHA-256 of what is kept of a service account's key file.
    Key([u8; 32]),
    Federated {
        external_id: String,
        provider: String,
        account: Option<String>,
    },
}

/// An identity's way in.
pub(crate) struct Door {
    pub(crate) credential: Credential,
    since: SystemTime,
}

impl Door {
    /// Whether it is old. What signs tokens by a key counts their time by a clock that stands still while a process is frozen, and goes
    /// on signing for as long as its door is kept.
    fn is_old(&self) -> bool {
        self.since.elapsed().is_ok_and(|age| age > OLD)
    }
}

impl Doors {
    pub(crate) fn new(
        network: &Network,
        assertions: Arc<dyn Assertions>,
        budget: Duration,
    ) -> Result<Self, CustodyError> {
        let way_out = network.way_out().map_err(|_| CustodyError::Primitive("TLS"))?;
        let kms = way_out.to(kms::HOST, ATTEMPT);
        Ok(Self { way_out, kms, assertions, budget, breakers: Arc::default(), doors: Mutex::default() })
    }

    /// The door by which settings enter, kept for the next request. No token is asked for yet.
    pub(crate) fn open(
        &self,
        settings: &SettingsRecord,
        account: &GcpAccount,
        secret: Option<&ProviderSecret>,
    ) -> Result<Arc<Door>, CustodyError> {
        let way = match (&account.auth, secret) {
            (GcpAuth::ServiceAccountKey { .. }, None) => return Err(CustodyError::NotAuthentic),
            (GcpAuth::ServiceAccountKey { .. }, Some(secret)) => {
                Way::Key(ledger::sha256(secret.0.as_bytes()))
            }
            (GcpAuth::Federated { provider, account }, _) => Way::Federated {
                external_id: settings.external_id.clone(),
                provider: provider.as_str().to_owned(),
                account: account.as_ref().map(|account| account.as_str().to_owned()),
            },
        };
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(&way).filter(|door| !door.is_old()) {
            return Ok(door.clone());
        }
        doors.retain(|_, door| !door.is_old());
        let door = self.try_open(settings, account, secret)?;
        // Another is built again when it is needed.
        if let (true, Some(any)) = (doors.len() >= MAX_DOORS, doors.keys().next().cloned()) {
            doors.remove(&any);
        }
        doors.insert(way, door.clone());
        Ok(door)
    }

    /// The same for settings that are tried out: nothing is kept, and nothing that is kept is used.
    pub(crate) fn try_open(
        &self,
        settings: &SettingsRecord,
        account: &GcpAccount,
        secret: Option<&ProviderSecret>,
    ) -> Result<Arc<Door>, CustodyError> {
        let credential = match (&account.auth, secret) {
            (GcpAuth::ServiceAccountKey { .. }, None) => return Err(CustodyError::NotAuthentic),
            (GcpAuth::ServiceAccountKey { .. }, Some(secret)) => Credential::by_key(secret)?,
            (GcpAuth::Federated { provider, account }, _) => Credential::by_federation(
                &self.way_out,
                self.assertions.clone(),
                (provider, account.as_ref()),
                &settings.external_id,
            ),
        };
        Ok(Arc::new(Door { credential, since: SystemTime::now() }))
    }

    /// Gives a door up that leads nowhere any more: its identity may have been made anew.
    pub(crate) fn forget(&self, door: &Arc<Door>) {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|_, kept| !Arc::ptr_eq(kept, door));
    }
}

const MAX_DOORS: usize = 1000;

/// Less than the hour that a token lives.
const OLD: Duration = Duration::from_secs(50 * 60);
