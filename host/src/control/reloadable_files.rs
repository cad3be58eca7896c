//! Files that a running proxy reloads although their paths cannot change: the certificates and keys of listeners,
//! and the token of the admin API.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pointsman_rules::config::Config;

use crate::control::{PrepareError, ServedToken, admin_token};
use crate::door::{Certificate, ServedCertificate};

/// The contents of these files when they were read.
#[derive(Debug)]
pub struct ReloadableFiles {
    /// The certificate of each listener, in their order. None: the listener has no TLS.
    pub certificates: Vec<Option<ServedCertificate>>,
    /// None: there is no `[admin]`, or it has no token.
    pub token: Option<ServedToken>,
}

impl ReloadableFiles {
    /// Reads the files of a configuration, and reports every one that cannot be used.
    pub fn read(config: &Config) -> Result<ReloadableFiles, Vec<PrepareError>> {
        let (mut certificates, mut errors) = (Vec::new(), Vec::new());
        for listener in &config.listeners {
            match listener.tls.as_ref().map(Certificate::load).transpose() {
                Ok(certificate) => certificates.push(certificate.map(|new| Arc::new(ArcSwap::from_pointee(new)))),
                Err(source) => errors.push(PrepareError::Tls { name: listener.name.clone(), source }),
            }
        }
        match config.admin.as_ref().map_or(Ok(None), admin_token::read) {
            Ok(token) if errors.is_empty() => Ok(ReloadableFiles { certificates, token }),
            Ok(_) => Err(errors),
            Err(error) => {
                errors.push(error);
                Err(errors)
            }
        }
    }

    /// Puts reloaded files in force, for a configuration with the same listeners and `[admin]`.
    pub fn exchange(&self, new: &ReloadableFiles) {
        for (served, new) in self.certificates.iter().flatten().zip(new.certificates.iter().flatten()) {
            served.store(new.load_full());
        }
        if let (Some(token), Some(new)) = (&self.token, &new.token) {
            token.store(new.load_full());
        }
    }
}
