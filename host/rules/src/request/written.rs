//! Makes the heads of requests that no client sent, for `pointsman decide` and a tenant's tests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::{Deserialize, Serialize};

use crate::contract;
use crate::request::{Arrival, DownstreamTls, RequestHead, authority};

/// The parts of an offline request.
#[derive(Debug, Clone)]
pub struct OfflineRequest<'a> {
    pub method: Method,
    /// Absolute, with scheme http or https.
    pub url: &'a Uri,
    pub headers: Vec<(&'a str, &'a str)>,
    pub client_ip: IpAddr,
    pub listener: &'a str,
}

/// An offline request as a file contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WrittenRequest {
    pub url: String,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default = "localhost")]
    pub client_ip: IpAddr,
    #[serde(default = "listener")]
    pub listener: String,
    /// Earlier failed attempts, oldest first; [`attempts`] has the format.
    #[serde(default)]
    pub failed: Vec<String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn listener() -> String {
    "test".to_owned()
}

fn localhost() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// Why a request can't be made.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error("`url`: {0}")]
    Url(#[from] http::uri::InvalidUri),
    #[error("`method`: {0}")]
    Method(#[from] http::method::InvalidMethod),
    #[error("`{0}`: the URL must start with http:// or https://")]
    Scheme(String),
    #[error("header `{name}`: {message}")]
    Header { name: String, message: String },
    #[error("failed attempt `{0}`: give it as ADDRESS=STAGE/FAILURE, such as 192.0.2.1:80=connect/refused")]
    Attempt(String),
    #[error("failed attempt `{attempt}`: no {what} `{found}`; one of {known}")]
    NoCase { attempt: String, what: &'static str, found: String, known: String },
}

impl WrittenRequest {
    /// `GET` of this URL, with the defaults for all other fields.
    pub fn get(url: &str) -> WrittenRequest {
        let (headers, failed) = (Vec::new(), Vec::new());
        WrittenRequest {
            url: url.to_owned(),
            method: get(),
            headers,
            client_ip: localhost(),
            listener: listener(),
            failed,
        }
    }

    pub fn head(&self) -> Result<RequestHead, OfflineError> {
        let request = OfflineRequest {
            method: Method::from_bytes(self.method.as_bytes())?,
            url: &self.url.parse()?,
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            client_ip: self.client_ip,
            listener: &self.listener,
        };
        request.head()
    }
}

/// Parses failed attempts, each as `192.0.2.1:80=connect/refused`: the address, the stage that the attempt reached and
/// the failure there, with their names in the WIT package.
pub fn attempts(written: &[String]) -> Result<Vec<contract::Attempt>, OfflineError> {
    (1..).zip(written).map(|(number, text)| attempt(number, text)).collect()
}

fn attempt(number: u32, text: &str) -> Result<contract::Attempt, OfflineError> {
    let form = || OfflineError::Attempt(text.to_owned());
    let (address, outcome) = text.split_once('=').ok_or_else(form)?;
    let (stage, failure) = outcome.split_once('/').ok_or_else(form)?;
    let no_case = |what, found: &str, known: &[&str]| OfflineError::NoCase {
        attempt: text.to_owned(),
        what,
        found: found.to_owned(),
        known: known.join(", "),
    };
    let known = contract::Stage::ALL.into_iter().find(|known| known.name() == stage);
    let stage = known.ok_or_else(|| no_case("stage", stage, &contract::Stage::ALL.map(contract::Stage::name)))?;
    let known = contract::Failure::ALL.into_iter().find(|known| known.name() == failure);
    let failure =
        known.ok_or_else(|| no_case("failure", failure, &contract::Failure::ALL.map(contract::Failure::name)))?;
    Ok(contract::Attempt {
        number,
        address: address.to_owned(),
        stage,
        failure,
        status: (failure == contract::Failure::Status).then_some(503),
        reused_connection: false,
        request_sent: matches!(stage, contract::Stage::Send | contract::Stage::Receive),
        elapsed_ms: 1,
        detail: "written by hand".to_owned(),
    })
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
