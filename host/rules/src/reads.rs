//! The inputs of a decision: the accessors that the module called.
//!
//! A request head never changes, so a read of it needs no copy of the value: the same head gives the same value again
//! (`Read::seen`). Values from any other source are recorded with the read. `decision_cache` is built on this list.

use std::fmt;

use http::header::HeaderName;
use serde_json::{Value, json};

use crate::contract;
use crate::inputs::Inputs;
use crate::request::DownstreamTls;
use crate::settings::ModuleSettings;

/// An accessor with its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Method,
    Scheme,
    Authority,
    Path,
    Query,
    Header(HeaderName),
    HeaderText(HeaderName),
    HeaderValues(HeaderName),
    Headers,
    ClientIp,
    Listener,
    Tls,
    Attempts,
    ConfigJson,
    ConfigGet(String),
    ConfigText(String),

    // The reads below do not depend on the request, so each carries the value that it returned.
    Now(u64),
    Random(u64),
    /// The seed from which all of WASI's random values of this decision follow.
    RandomSeed([u8; 32]),
    SharedAdd {
        key: String,
        sum: Result<i64, contract::SharedError>,
    },
    SharedCounter {
        key: String,
        count: Option<i64>,
    },
    SharedGet {
        key: String,
        value: Option<Vec<u8>>,
    },
    SharedSet {
        key: String,
        done: Result<(), contract::SharedError>,
    },
    SharedCompareAndSet {
        key: String,
        done: Result<bool, contract::SharedError>,
    },
    SharedDelete(String),
    Upstream(Box<contract::Upstream>),
    Group {
        name: String,
        members: Option<Vec<contract::Upstream>>,
    },
}

/// The source of a read: an interface of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Request,
    Config,
    Clock,
    Random,
    Shared,
    Upstreams,
}

impl Source {
    /// The interface's name in the WIT package.
    pub fn name(self) -> &'static str {
        match self {
            Source::Request => "request",
            Source::Config => "config",
            Source::Clock => "clock",
            Source::Random => "random",
            Source::Shared => "shared",
            Source::Upstreams => "upstreams",
        }
    }
}

/// The reads of one decision, each once, in the order in which they first happened.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    list: Vec<Read>,
    overflowed: bool,
}

impl Reads {
    /// Most reads that are kept; with more, the list is marked incomplete. Real modules make a handful of reads, and a
    /// hostile one must not make the host keep a long list.
    const MOST: usize = 256;

    /// Longest read that is kept, in bytes. Header names have at most 64 KiB; JSON pointers are as long as the module
    /// chooses.
    const LONGEST: usize = 1024;

    pub fn note(&mut self, read: Read) {
        if self.list.contains(&read) {
            return;
        }
        if self.list.len() >= Self::MOST || read.size() > Self::LONGEST {
            self.overflowed = true;
        } else {
            self.list.push(read);
        }
    }

    pub fn list(&self) -> &[Read] {
        &self.list
    }

    /// Whether every read is in the list.
    pub fn is_complete(&self) -> bool {
        !self.overflowed
    }
}

impl Read {
    /// The value that the module saw, as JSON. Nothing is lost: bytes that are not UTF-8 are `{"hex": "..."}`.
    pub fn seen(&self, inputs: &Inputs, settings: &ModuleSettings) -> Value {
        let head = &inputs.head;
        match self {
            Read::Method => json!(head.method()),
            Read::Scheme => json!(head.scheme()),
            Read::Authority => json!(head.authority()),
            Read::Path => json!(head.path()),
            Read::Query => json!(head.query()),
            Read::Header(name) => json!(head.header(name).map(|value| bytes(value.as_bytes()))),
            // The module itself got a text in which other bytes were replaced.
            Read::HeaderText(name) => json!(head.header(name).map(|value| String::from_utf8_lossy(value.as_bytes()))),
            Read::HeaderValues(name) => head.header_values(name).map(|value| bytes(value.as_bytes())).collect(),
            Read::Headers => {
                head.headers().map(|(name, value)| json!([name.as_str(), bytes(value.as_bytes())])).collect()
            }
            Read::ClientIp => json!(head.client_ip()),
            Read::Listener => json!(head.listener()),
            Read::Tls => json!(head.tls().map(tls)),
            Read::Attempts => json!(&*inputs.attempts),
            Read::ConfigJson => settings.whole().clone(),
            Read::ConfigGet(pointer) => settings.value(pointer).cloned().unwrap_or_default(),
            Read::ConfigText(pointer) => json!(settings.value(pointer).and_then(Value::as_str)),
            Read::Now(value) | Read::Random(value) => json!(value),
            Read::RandomSeed(seed) => json!(hex(seed)),
            Read::SharedAdd { sum, .. } => of_shared(sum),
            Read::SharedCounter { count, .. } => json!(count),
            Read::SharedGet { value, .. } => json!(value.as_ref().map(|value| bytes(value))),
            Read::SharedSet { done, .. } => of_shared(done),
            Read::SharedCompareAndSet { done, .. } => of_shared(done),
            Read::SharedDelete(_) => Value::Null,
            Read::Upstream(upstream) => json!(upstream),
            Read::Group { members, .. } => json!(members),
        }
    }

    /// The source that the value came from.
    pub fn source(&self) -> Source {
        match self {
            Read::Method
            | Read::Scheme
            | Read::Authority
            | Read::Path
            | Read::Query
            | Read::Header(_)
            | Read::HeaderText(_)
            | Read::HeaderValues(_)
            | Read::Headers
            | Read::ClientIp
            | Read::Listener
            | Read::Tls
            | Read::Attempts => Source::Request,
            Read::ConfigJson | Read::ConfigGet(_) | Read::ConfigText(_) => Source::Config,
            Read::Now(_) => Source::Clock,
            Read::Random(_) | Read::RandomSeed(_) => Source::Random,
            Read::SharedAdd { .. }
            | Read::SharedCounter { .. }
            | Read::SharedGet { .. }
            | Read::SharedSet { .. }
            | Read::SharedCompareAndSet { .. }
            | Read::SharedDelete(_) => Source::Shared,
            Read::Upstream(_) | Read::Group { .. } => Source::Upstreams,
        }
    }

    /// The argument, and the approximate number of bytes that are kept of the value.
    fn kept(&self) -> (&str, usize) {
        match self {
            Read::Method
            | Read::Scheme
            | Read::Authority
            | Read::Path
            | Read::Query
            | Read::Headers
            | Read::ClientIp
            | Read::Listener
            | Read::Tls
            | Read::Attempts
            | Read::ConfigJson
            | Read::Now(_)
            | Read::Random(_)
            | Read::RandomSeed(_) => ("", 0),
            Read::Header(name) | Read::HeaderText(name) | Read::HeaderValues(name) => (name.as_str(), 0),
            Read::ConfigGet(pointer) | Read::ConfigText(pointer) => (pointer, 0),
            Read::SharedAdd { key, .. }
            | Read::SharedCounter { key, .. }
            | Read::SharedSet { key, .. }
            | Read::SharedCompareAndSet { key, .. }
            | Read::SharedDelete(key) => (key, 0),
            Read::SharedGet { key, value } => (key, value.as_ref().map_or(0, Vec::len)),
            Read::Upstream(upstream) => (&upstream.address, 0),
            Read::Group { name, members } => (name, members.iter().flatten().map(of_member).sum()),
        }
    }

    /// Approximate number of bytes that are kept for this read.
    pub fn size(&self) -> usize {
        let (argument, seen) = self.kept();
        argument.len().saturating_add(seen)
    }
}

/// Size of a group's member in bytes: its address and its figures.
fn of_member(upstream: &contract::Upstream) -> usize {
    const FIGURES: usize = 40;
    upstream.address.len().saturating_add(FIGURES)
}

/// The call with its name in the WIT package: `header("cookie")`.
impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Read::Method => "method",
            Read::Scheme => "scheme",
            Read::Authority => "authority",
            Read::Path => "path",
            Read::Query => "query",
            Read::Header(_) => "header",
            Read::HeaderText(_) => "header-text",
            Read::HeaderValues(_) => "header-values",
            Read::Headers => "headers",
            Read::ClientIp => "client-ip",
            Read::Listener => "listener",
            Read::Tls => "tls",
            Read::Attempts => "attempts",
            Read::ConfigJson => "config.json",
            Read::ConfigGet(_) => "config.get",
            Read::ConfigText(_) => "config.get-text",
            Read::Now(_) => "clock.now-ms",
            Read::Random(_) => "random.get-u64",
            Read::RandomSeed(_) => "wasi:random",
            Read::SharedAdd { .. } => "shared.add",
            Read::SharedCounter { .. } => "shared.counter",
            Read::SharedGet { .. } => "shared.get",
            Read::SharedSet { .. } => "shared.set",
            Read::SharedCompareAndSet { .. } => "shared.compare-and-set",
            Read::SharedDelete(_) => "shared.delete",
            Read::Upstream(_) => "upstreams.get",
            Read::Group { .. } => "upstreams.group",
        };
        match self.kept().0 {
            "" => f.write_str(name),
            argument => write!(f, "{name}({argument:?})"),
        }
    }
}

/// A result as JSON; an error has its name in the WIT package.
fn of_shared<T: serde::Serialize>(result: &Result<T, contract::SharedError>) -> Value {
    match result {
        Ok(value) => json!(value),
        Err(error) => json!({"error": error.name()}),
    }
}

/// Bytes as JSON: a string if they are UTF-8.
fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"hex": hex(bytes)}),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tls(tls: &DownstreamTls) -> Value {
    json!({
        "sni": tls.sni,
        "version": tls.version,
        "cipher": tls.cipher,
        "client-cert-sha256": tls.client_cert_sha256.as_deref().map(hex),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::request::{Arrival, DownstreamTls, RequestHead, attempts};

    #[test]
    fn read_is_recorded_once() {
        let mut reads = Reads::default();
        for _ in 0..3 {
            reads.note(Read::Path);
            reads.note(Read::Header(HeaderName::from_static("cookie")));
        }
        assert_eq!(reads.list().len(), 2);
        assert!(reads.is_complete());
    }

    #[test]
    fn list_of_reads_is_bounded() {
        let mut reads = Reads::default();
        for number in 0..10_000 {
            reads.note(Read::ConfigGet(format!("/{number}")));
        }
        assert_eq!(reads.list().len(), Reads::MOST);
        assert!(!reads.is_complete());
    }

    #[test]
    fn huge_argument_is_not_stored() {
        let mut reads = Reads::default();
        reads.note(Read::ConfigGet("x".repeat(100_000)));
        assert!(reads.list().is_empty());
        assert!(!reads.is_complete());
    }

    #[track_caller]
    fn check(read: Read, inputs: &Inputs, expected: Value) {
        assert_eq!(read.seen(inputs, &ModuleSettings::new(Value::Null)), expected);
    }

    #[test]
    fn no_value_is_lost() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("text"));
        headers.append("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
        let head = RequestHead::new(Arrival {
            method: Method::GET,
            target: b"/".to_vec(),
            authority: "a.test".to_owned(),
            headers,
            client_ip: None,
            listener: "web".into(),
            tls: Some(Arc::new(DownstreamTls {
                sni: Some("a.test".to_owned()),
                version: "TLSv1.3".to_owned(),
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                client_cert_sha256: Some(vec![0xab, 0x01]),
            })),
        });
        let failed = attempts(&["192.0.2.1:80=connect/refused".to_owned()]).unwrap();
        let inputs = Inputs::after(Arc::new(head), &failed);
        let name = HeaderName::from_static("x-a");
        check(Read::Header(name.clone()), &inputs, json!("text"));
        check(Read::HeaderValues(name), &inputs, json!(["text", {"hex": "ff"}]));
        check(Read::Headers, &inputs, json!([["x-a", "text"], ["x-a", {"hex": "ff"}]]));
        check(
            Read::Tls,
            &inputs,
            json!({
                "sni": "a.test", "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "client-cert-sha256": "ab01",
            }),
        );
        check(
            Read::Attempts,
            &inputs,
            json!([{
                "number": 1, "address": "192.0.2.1:80", "stage": "connect", "failure": "refused", "status": null,
                "reused-connection": false, "request-sent": false, "elapsed-ms": 1, "detail": failed[0].detail,
            }]),
        );
        let value = Some(vec![0x80]);
        check(Read::SharedGet { key: "a".to_owned(), value }, &inputs, json!({"hex": "80"}));
    }

    #[test]
    fn read_is_displayed_with_its_wit_name() {
        assert_eq!(Read::HeaderText(HeaderName::from_static("cookie")).to_string(), r#"header-text("cookie")"#);
        assert_eq!(Read::Path.to_string(), "path");
    }
}
