//! The inputs of a decision: the accessors that the module called.
//!
//! A request head never changes, so a read of it needs no copy of the value: the same head gives the same value again
//! (`Read::seen`). Values from any other source are recorded with the read. `decision_cache` is built on this list.

use std::fmt;

use http::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::contract;
use crate::request::RequestHead;
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
    /// The value that the module saw, as JSON. Bytes that are not UTF-8 are replaced.
    pub fn seen(&self, head: &RequestHead, settings: &ModuleSettings, attempts: &[contract::Attempt]) -> Value {
        match self {
            Read::Method => json!(head.method()),
            Read::Scheme => json!(head.scheme()),
            Read::Authority => json!(head.authority()),
            Read::Path => json!(head.path()),
            Read::Query => json!(head.query()),
            Read::Header(name) | Read::HeaderText(name) => json!(head.header(name).map(lossy)),
            Read::HeaderValues(name) => head.header_values(name).map(lossy).collect(),
            Read::Headers => head.headers().map(|(name, value)| json!([name.as_str(), lossy(value)])).collect(),
            Read::ClientIp => json!(head.client_ip()),
            Read::Listener => json!(head.listener()),
            Read::Tls => json!(head.tls().map(|tls| json!({"sni": tls.sni, "version": tls.version}))),
            Read::Attempts => json!(attempts.len()),
            Read::ConfigJson => settings.whole().clone(),
            Read::ConfigGet(pointer) => settings.value(pointer).cloned().unwrap_or_default(),
            Read::ConfigText(pointer) => json!(settings.value(pointer).and_then(Value::as_str)),
            Read::Now(value) | Read::Random(value) => json!(value),
            Read::RandomSeed(seed) => json!(seed.map(|byte| format!("{byte:02x}")).concat()),
            Read::SharedAdd { sum, .. } => of_shared(sum),
            Read::SharedCounter { count, .. } => json!(count),
            Read::SharedGet { value, .. } => json!(value.as_ref().map(|value| String::from_utf8_lossy(value))),
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

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn read_is_displayed_with_its_wit_name() {
        assert_eq!(Read::HeaderText(HeaderName::from_static("cookie")).to_string(), r#"header-text("cookie")"#);
        assert_eq!(Read::Path.to_string(), "path");
    }
}
