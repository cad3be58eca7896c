//! TLS towards the client: certificates from files, ALPN, and the facts about a connection that modules may read.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use openssl::hash::MessageDigest;
use openssl::ssl::{NameType, SslFiletype, SslRef};
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::TlsSettings;

use crate::config::ListenerTls;
use crate::door::DownstreamTls;

/// A listener's certificate or key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot use the certificate in `{path}`: {message}")]
    Certificate { path: PathBuf, message: String },
    #[error("cannot use the private key in `{path}`: {message}")]
    Key { path: PathBuf, message: String },
    #[error("the private key in `{key}` does not belong to the certificate in `{certificate}`")]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("cannot set up TLS: {message}")]
    Library { message: String },
}

/// Settings for a TLS listener: Mozilla's intermediate profile, ALPN `h2` before `http/1.1`.
pub fn tls_settings(config: &ListenerTls) -> Result<TlsSettings, TlsError> {
    let mut settings = TlsSettings::with_callbacks(Box::new(NoteFacts))
        .map_err(|error| TlsError::Library { message: error.to_string() })?;
    settings.enable_h2();
    settings
        .set_certificate_chain_file(&config.certificate)
        .map_err(|error| TlsError::Certificate { path: config.certificate.clone(), message: reason(&error) })?;
    settings
        .set_private_key_file(&config.key, SslFiletype::PEM)
        .map_err(|error| TlsError::Key { path: config.key.clone(), message: reason(&error) })?;
    settings
        .check_private_key()
        .map_err(|_| TlsError::Mismatch { certificate: config.certificate.clone(), key: config.key.clone() })?;
    Ok(settings)
}

/// OpenSSL's reasons, without its source positions.
fn reason(stack: &openssl::error::ErrorStack) -> String {
    let reasons: Vec<&str> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    if reasons.is_empty() { stack.to_string() } else { reasons.join("; ") }
}

/// Notes, once per connection, what modules may ask about it.
struct NoteFacts;

#[async_trait]
impl TlsAccept for NoteFacts {
    async fn handshake_complete_callback(&self, ssl: &SslRef) -> Option<Arc<dyn Any + Send + Sync>> {
        let facts = Arc::new(DownstreamTls {
            sni: ssl.servername(NameType::HOST_NAME).map(str::to_ascii_lowercase),
            version: ssl.version_str().to_owned(),
            cipher: ssl.current_cipher().map(|cipher| cipher.name().to_owned()).unwrap_or_default(),
            client_cert_sha256: ssl
                .peer_certificate()
                .and_then(|certificate| certificate.digest(MessageDigest::sha256()).ok())
                .map(|digest| digest.to_vec()),
        });
        // An `Arc` in the `Arc`: the session hands out references only, and a request head outlives the session's phase.
        Some(Arc::new(facts))
    }
}
