//! The credentials that a tenant may name, as far as rules need to know them: no key is in sight here.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::check::Problem;

/// SHA-256 over a credential's certificates and key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// What a tenant was granted.
#[derive(Debug, Clone, Default)]
pub struct CredentialNames {
    pub ca: HashMap<String, Fingerprint>,
    pub client: HashMap<String, Fingerprint>,
}

/// A credential that a peer uses. Its fingerprint is part of the connection's identity: after an exchange of files the
/// same name makes another connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct CredentialSpec {
    pub name: String,
    fingerprint: Fingerprint,
}

/// Looks a name up among those of one kind.
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

/// Its first digits: enough for a log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
