//! The head of a request that no client sent: `pointsman decide` and a tenant's tests make them.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::door::{Arrival, DownstreamTls, RequestHead, authority};

/// What such a request is made from.
#[derive(Debug, Clone)]
pub struct OfflineRequest<'a> {
    pub method: Method,
    /// Absolute.
    pub url: &'a Uri,
    pub headers: Vec<(&'a str, &'a str)>,
    pub client_ip: IpAddr,
    pub listener: &'a str,
}

/// A request that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error("`{0}`: the URL must start with http:// or https://")]
    Scheme(String),
    #[error("header `{name}`: {message}")]
    Header { name: String, message: String },
}

impl OfflineRequest<'_> {
    pub fn head(self) -> Result<RequestHead, OfflineError> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let refused = |message: String| OfflineError::Header { name: name.to_owned(), message };
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused(error.to_string()))?;
            headers.append(parsed, HeaderValue::from_str(value).map_err(|error| refused(error.to_string()))?);
        }
        let tls = match self.url.scheme_str() {
            Some("http") => None,
            Some("https") => Some(Arc::new(DownstreamTls {
                sni: self.url.host().map(str::to_ascii_lowercase),
                version: "TLSv1.3".to_owned(),
                cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
                client_cert_sha256: None,
            })),
            _ => return Err(OfflineError::Scheme(self.url.to_string())),
        };
        Ok(RequestHead::new(Arrival {
            method: self.method,
            target: self.url.path_and_query().map_or("/", |target| target.as_str()).as_bytes().to_vec(),
            authority: authority(self.url, &headers),
            headers,
            client_ip: Some(self.client_ip),
            listener: self.listener.into(),
            tls,
        }))
    }
}
