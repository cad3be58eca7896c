//! The credentials that a tenant may name, as names and fingerprints: this crate never sees a key.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::check::Problem;

/// SHA-256 over a credential's certificates and key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// The credentials that a tenant was granted, by name.
#[derive(Debug, Clone, Default)]
pub struct CredentialNames {
    pub ca: HashMap<String, Fingerprint>,
    pub client: HashMap<String, Fingerprint>,
}

/// A credential that a peer uses. Its fingerprint is part of the connection's identity: once its files are replaced,
/// the same name makes another connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct CredentialSpec {
    pub name: String,
    fingerprint: Fingerprint,
}

/// Looks a name up among the granted credentials of one kind.
pub fn named(name: String, granted: &HashMap<String, Fingerprint>) -> Result<CredentialSpec, Problem> {
    match granted.get(&name) {
        Some(&fingerprint) => Ok(CredentialSpec { name, fingerprint }),
        None => Err(Problem::UnknownCredential { name: crate::text::printable(&name, 80).0 }),
    }
}

impl From<CredentialSpec> for String {
    fn from(credential: CredentialSpec) -> String {
        credential.name
    }
}

/// Shows the first digits only: enough for a log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
