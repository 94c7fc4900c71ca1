//! The file that Google makes for a service account's key.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{NotOfGcp, ServiceAccount};

/// A service account's key, of the file that Google makes. Erased when dropped, without `Debug`.
pub struct ServiceAccountKey {
    /// The service account.
    pub account: ServiceAccount,
    text: Zeroizing<String>,
}

impl ServiceAccountKey {
    /// Reads a key file. Of what it has, only what signing with the key needs is kept: the addresses in it are never asked.
    ///
    /// # Errors
    /// [`NotOfGcp::KeyFile`], which has nothing of the file.
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        let not = NotOfGcp::KeyFile;
        if text.len() > MAX_KEY_FILE {
            return Err(not);
        }
        let file: KeyFile = serde_json::from_str(text).map_err(|_| not)?;
        let account = ServiceAccount::parse(&file.client_email).map_err(|_| not)?;
        let sound = file.kind == "service_account"
            && file.universe_domain.as_deref().is_none_or(|universe| universe == "googleapis.com")
            && !file.private_key_id.is_empty()
            && file.private_key.trim_start().starts_with("-----BEGIN PRIVATE KEY-----");
        let kept = KeyFile { universe_domain: None, ..file };
        // Of the length at once: what grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE));
        serde_json::to_writer(&mut *bytes, &kept).map_err(|_| not)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| not)?;
        if sound { Ok(Self { account, text: Zeroizing::new(text.to_owned()) }) } else { Err(not) }
    }

    /// What is kept of the file, as JSON.
    #[must_use]
    pub fn into_text(self) -> Zeroizing<String> {
        self.text
    }
}

/// The members of a key file that are needed.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key_id: String,
    private_key: Zeroizing<String>,
    project_id: String,
    #[serde(skip_serializing)]
    universe_domain: Option<String>,
}

/// In bytes; Google's own have some 2,400.
const MAX_KEY_FILE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_file_only_what_signing_needs_is_kept() {
        let file = serde_json::json!({
            "type": "service_account", "project_id": "p", "private_key_id": "1", "client_id": "2",
            "private_key": "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n",
            "client_email": "postq@p.iam.gserviceaccount.com", "universe_domain": "googleapis.com",
            "token_uri": "https://attacker.example/token",
        });
        let key = ServiceAccountKey::parse(&file.to_string()).unwrap();
        assert_eq!(key.account.as_str(), "postq@p.iam.gserviceaccount.com");
        let text = key.into_text();
        assert!(
            !text.contains("token_uri") && !text.contains("attacker") && text.contains("BEGIN PRIVATE KEY")
        );
        for (member, value) in [
            ("type", "external_account"),
            ("type", "authorized_user"),
            ("client_email", "me@example.com"),
            ("private_key", "-----BEGIN RSA PRIVATE KEY-----"),
            ("universe_domain", "attacker.example"),
        ] {
            let mut other = file.clone();
            other[member] = value.into();
            assert!(ServiceAccountKey::parse(&other.to_string()).is_err(), "{member}");
        }
    }
}
