//! Downstream TLS: certificates from files, ALPN, and the facts about a connection that modules may read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{AlpnError, NameType, Ssl, SslAcceptor, SslMethod, SslRef, select_next_proto};
use openssl::x509::X509;
use pingora::listeners::TlsAccept;
use pingora::protocols::IO;
use pingora::protocols::tls::SslStream;
use pingora::protocols::tls::server::handshake_with_callback;
use pingora::tls::ext;
use pointsman_rules::config::ListenerTls;
use pointsman_rules::dns_name::dns_name;
use pointsman_rules::request::DownstreamTls;

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

/// A listener's certificate chain and key, read and parsed once rather than for each connection.
#[derive(Debug)]
pub struct Certificate {
    /// The leaf first.
    chain: Vec<X509>,
    key: PKey<Private>,
}

/// The certificate that new connections are shown. A replacement does not affect connections that are already open.
pub type ServedCertificate = Arc<ArcSwap<Certificate>>;

impl Certificate {
    /// Reads a listener's files, and tries the certificate and key as a handshake will use them.
    pub fn load(config: &ListenerTls) -> Result<Certificate, TlsError> {
        let no_certificate = |message| TlsError::Certificate { path: config.certificate.clone(), message };
        let no_key = |message| TlsError::Key { path: config.key.clone(), message };
        let chain = X509::stack_from_pem(&read(&config.certificate).map_err(no_certificate)?)
            .map_err(|error| no_certificate(reason(&error)))?;
        let Some(leaf) = chain.first() else {
            return Err(no_certificate("the file has no PEM certificate".to_owned()));
        };
        // If no passphrase were given, OpenSSL would prompt for one on the terminal and wait.
        let key = PKey::private_key_from_pem_passphrase(&read(&config.key).map_err(no_key)?, b"")
            .map_err(|error| no_key(format!("the file has no PEM key without a passphrase: {}", reason(&error))))?;
        if !leaf.public_key().is_ok_and(|public| key.public_eq(&public)) {
            return Err(TlsError::Mismatch { certificate: config.certificate.clone(), key: config.key.clone() });
        }
        let certificate = Certificate { chain, key };
        let library = |error: ErrorStack| TlsError::Library { message: reason(&error) };
        let acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).map_err(library)?.build();
        let mut handshake = Ssl::new(acceptor.context()).map_err(library)?;
        certificate.put(&mut handshake).map_err(|error| no_certificate(reason(&error)))?;
        Ok(certificate)
    }

    fn put(&self, handshake: &mut SslRef) -> Result<(), ErrorStack> {
        let mut chain = self.chain.iter();
        if let Some(leaf) = chain.next() {
            ext::ssl_use_certificate(handshake, leaf)?;
        }
        ext::ssl_use_private_key(handshake, &self.key)?;
        chain.try_for_each(|certificate| ext::ssl_add_chain_cert(handshake, certificate))
    }
}

/// Accepts the TLS handshakes of a listener: Mozilla's intermediate profile, ALPN `h2` before `http/1.1`.
pub struct TlsAcceptor {
    acceptor: SslAcceptor,
    handshake: Handshake,
    /// Timeout of a whole handshake.
    pub timeout: Duration,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the connection failed: {0}")]
    Connection(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] Box<pingora::Error>),
    #[error("the server name `{0}` is not a DNS name")]
    ServerName(String),
}

impl TlsAcceptor {
    pub fn new(certificate: ServedCertificate, timeout: Duration) -> Result<TlsAcceptor, TlsError> {
        let library = |error: ErrorStack| TlsError::Library { message: reason(&error) };
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).map_err(library)?;
        builder.set_alpn_select_callback(|_, offered| {
            // A client that offers neither is assumed to speak HTTP/1.1.
            select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
        });
        Ok(TlsAcceptor { acceptor: builder.build(), handshake: Handshake { certificate }, timeout })
    }

    /// Performs a client's handshake.
    pub async fn accept<S: IO>(&self, stream: S) -> Result<(SslStream<S>, Arc<DownstreamTls>), HandshakeError> {
        let stream = handshake_with_callback(&self.acceptor, stream, &self.handshake).await?;
        let facts = facts(stream.ssl())?;
        Ok((stream, Arc::new(facts)))
    }
}

/// The facts about a connection that modules may read.
fn facts(ssl: &SslRef) -> Result<DownstreamTls, HandshakeError> {
    let sni = ssl.servername(NameType::HOST_NAME);
    let refused = |name: &str| HandshakeError::ServerName(pointsman_rules::text::printable(name, LONGEST_NAME).0);
    Ok(DownstreamTls {
        sni: sni.map(|name| dns_name(name).map_err(|_| refused(name))).transpose()?,
        version: ssl.version_str().to_owned(),
        cipher: ssl.current_cipher().map(|cipher| cipher.name().to_owned()).unwrap_or_default(),
        client_cert_sha256: ssl
            .peer_certificate()
            .and_then(|certificate| certificate.digest(MessageDigest::sha256()).ok())
            .map(|digest| digest.to_vec()),
    })
}

/// Bytes of an invalid server name that the log shows, at most.
const LONGEST_NAME: usize = 64;

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// OpenSSL's reasons, without its source positions.
fn reason(stack: &ErrorStack) -> String {
    let reasons: Vec<&str> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    if reasons.is_empty() { stack.to_string() } else { reasons.join("; ") }
}

/// Presents the current certificate in each handshake.
struct Handshake {
    certificate: ServedCertificate,
}

#[async_trait]
impl TlsAccept for Handshake {
    async fn certificate_callback(&self, ssl: &mut SslRef) {
        if let Err(error) = self.certificate.load().put(ssl) {
            tracing::error!(error = reason(&error), "cannot send a client the certificate");
        }
    }
}
