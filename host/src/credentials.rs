//! Certificates and keys that the operator defines: loaded once, referred to by name, never visible to a module.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use pingora::protocols::tls::CaType;
use pingora::utils::tls::CertKey;
use pointsman_rules::check::{CredentialNames, Fingerprint};
use pointsman_rules::config::{CredentialConfig, CredentialFiles};
use sha2::{Digest, Sha256};

/// A credential that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("credential `{name}`: cannot read `{path}`")]
    Read { name: String, path: PathBuf, source: std::io::Error },
    #[error("credential `{name}`: `{path}` contains no PEM certificate: {message}")]
    Certificate { name: String, path: PathBuf, message: String },
    #[error("credential `{name}`: `{path}` contains no PEM private key: {message}")]
    Key { name: String, path: PathBuf, message: String },
    #[error(
        "credential `{name}`: the private key in `{key}` does not belong to the first certificate in `{certificate}`"
    )]
    Mismatch { name: String, certificate: PathBuf, key: PathBuf },
}

/// Credentials by name.
#[derive(Debug, Clone, Default)]
pub struct Credentials(HashMap<String, Credential>);

/// The credentials that a tenant may use, and their names for `check`: both from the same files.
#[derive(Debug, Default)]
pub struct TenantCredentials {
    pub credentials: Credentials,
    pub names: CredentialNames,
}

#[derive(Debug, Clone)]
struct Credential {
    /// Covers every certificate and the key: connections of a replaced credential are not reused.
    fingerprint: Fingerprint,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Ca(Arc<CaType>),
    Client(Arc<CertKey>),
}

impl Credentials {
    /// Loads the files of a configuration. Returns an error for the first that can't be used.
    pub fn load(configs: &[CredentialConfig]) -> Result<Credentials, CredentialError> {
        let load = |config: &CredentialConfig| Ok((config.name.clone(), Credential::load(config)?));
        configs.iter().map(load).collect::<Result<_, _>>().map(Credentials)
    }

    /// The credentials that are granted to a tenant.
    pub fn granted(&self, names: &[String]) -> TenantCredentials {
        let granted = self.0.iter().filter(|(name, _)| names.contains(name));
        let credentials = Credentials(granted.map(|(name, credential)| (name.clone(), credential.clone())).collect());
        TenantCredentials { names: credentials.names(), credentials }
    }

    fn names(&self) -> CredentialNames {
        let mut names = CredentialNames::default();
        for (name, credential) in &self.0 {
            let of_kind = match credential.material {
                Material::Ca(_) => &mut names.ca,
                Material::Client(_) => &mut names.client,
            };
            of_kind.insert(name.clone(), credential.fingerprint);
        }
        names
    }

    pub fn ca(&self, name: &str) -> Option<Arc<CaType>> {
        match &self.0.get(name)?.material {
            Material::Ca(roots) => Some(roots.clone()),
            Material::Client(_) => None,
        }
    }

    pub fn client(&self, name: &str) -> Option<Arc<CertKey>> {
        match &self.0.get(name)?.material {
            Material::Client(pair) => Some(pair.clone()),
            Material::Ca(_) => None,
        }
    }
}

impl Credential {
    fn load(config: &CredentialConfig) -> Result<Credential, CredentialError> {
        match &config.files {
            CredentialFiles::Ca(path) => {
                let roots = certificates(&config.name, path)?;
                let fingerprint = fingerprint(&config.name, path, &roots, &[])?;
                Ok(Credential { fingerprint, material: Material::Ca(Arc::new(roots.into_boxed_slice())) })
            }
            CredentialFiles::Client { certificate, key } => {
                let chain = certificates(&config.name, certificate)?;
                let pair = private_key(&config.name, key)?;
                let belongs = |leaf: &X509| leaf.public_key().is_ok_and(|public| pair.public_eq(&public));
                if !chain.first().is_some_and(belongs) {
                    let (name, certificate, key) = (config.name.clone(), certificate.clone(), key.clone());
                    return Err(CredentialError::Mismatch { name, certificate, key });
                }
                let secret = pair.private_key_to_der().map_err(|error| no_key(&config.name, key, &error))?;
                let fingerprint = fingerprint(&config.name, certificate, &chain, &secret)?;
                Ok(Credential { fingerprint, material: Material::Client(Arc::new(CertKey::new(chain, pair))) })
            }
        }
    }
}

/// Reads one certificate or more.
fn certificates(name: &str, path: &Path) -> Result<Vec<X509>, CredentialError> {
    let refused = |message: String| no_certificate(name, path, message);
    let chain = X509::stack_from_pem(&read(name, path)?).map_err(|error| refused(error.to_string()))?;
    if chain.is_empty() { Err(refused("the file has none".to_owned())) } else { Ok(chain) }
}

fn private_key(name: &str, path: &Path) -> Result<PKey<Private>, CredentialError> {
    PKey::private_key_from_pem(&read(name, path)?).map_err(|error| no_key(name, path, &error))
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, CredentialError> {
    std::fs::read(path).map_err(|source| CredentialError::Read { name: name.to_owned(), path: path.to_owned(), source })
}

fn fingerprint(name: &str, path: &Path, chain: &[X509], secret: &[u8]) -> Result<Fingerprint, CredentialError> {
    let mut hash = Sha256::new();
    for certificate in chain {
        hash.update(certificate.to_der().map_err(|error| no_certificate(name, path, error.to_string()))?);
    }
    hash.update(secret);
    Ok(Fingerprint(hash.finalize().into()))
}

fn no_certificate(name: &str, path: &Path, message: String) -> CredentialError {
    CredentialError::Certificate { name: name.to_owned(), path: path.to_owned(), message }
}

fn no_key(name: &str, path: &Path, error: &openssl::error::ErrorStack) -> CredentialError {
    CredentialError::Key { name: name.to_owned(), path: path.to_owned(), message: error.to_string() }
}
