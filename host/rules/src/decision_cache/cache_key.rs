//! Encodes the values of a request's reads as bytes that can be hashed and compared: two requests have the same bytes
//! if and only if the module reads the same values.

use smallvec::SmallVec;

use crate::decision_cache::Uncacheable;
use crate::inputs::Inputs;
use crate::reads::{Read, Source};
use crate::request::RequestHead;

/// The values of several reads in a row, each prefixed with its length.
pub struct CacheKey(SmallVec<[u8; 256]>);

/// Longest key that is cached, in bytes. Every request with such a key pays for hashing it.
const LONGEST: usize = 8192;

/// Whether a read gives the same value in all first attempts with one module.
pub fn is_constant(read: &Read) -> bool {
    *read == Read::Attempts || read.source() == Source::Config
}

impl CacheKey {
    pub fn of<'a>(reads: impl IntoIterator<Item = &'a Read>, inputs: &Inputs) -> Result<CacheKey, Uncacheable> {
        let mut key = CacheKey(SmallVec::new());
        for read in reads {
            key.append(read, &inputs.head).ok_or_else(|| Uncacheable::Read(read.source()))?;
            if key.0.len() > LONGEST {
                return Err(Uncacheable::Size);
            }
        }
        Ok(key)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends the value of one read. None: the value is not part of the request.
    fn append(&mut self, read: &Read, head: &RequestHead) -> Option<()> {
        match read {
            Read::Method => self.text(head.method()),
            Read::Scheme => self.text(head.scheme()),
            Read::Authority => self.text(head.authority()),
            Read::Path => self.text(head.path()),
            Read::Query => self.value(head.query().map(str::as_bytes)),
            // The text of a header is a function of its bytes.
            Read::Header(name) | Read::HeaderText(name) => self.value(head.header(name).map(|value| value.as_bytes())),
            Read::HeaderValues(name) => self.list(head.header_values(name).map(|value| Some(value.as_bytes()))),
            Read::Headers => {
                self.list(
                    head.headers().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()].map(Some)),
                );
            }
            Read::ClientIp => match head.client_ip_address() {
                None => self.value(None),
                Some(ip) => self.text(&ip.to_string()),
            },
            Read::Listener => self.text(head.listener()),
            Read::Tls => match head.tls() {
                None => self.value(None),
                Some(tls) => self.list(
                    [
                        tls.sni.as_deref().map(str::as_bytes),
                        Some(tls.version.as_bytes()),
                        Some(tls.cipher.as_bytes()),
                        tls.client_cert_sha256.as_deref(),
                    ]
                    .into_iter(),
                ),
            },
            Read::Attempts | Read::ConfigJson | Read::ConfigGet(_) | Read::ConfigText(_) => return None,
            Read::Now(_) | Read::Random(_) | Read::RandomSeed(_) => return None,
            Read::SharedAdd { .. }
            | Read::SharedCounter { .. }
            | Read::SharedGet { .. }
            | Read::SharedSet { .. }
            | Read::SharedCompareAndSet { .. }
            | Read::SharedDelete(_) => return None,
            Read::Upstream(_) | Read::Group { .. } => return None,
        }
        Some(())
    }

    fn text(&mut self, text: &str) {
        self.value(Some(text.as_bytes()));
    }

    /// Appends one value. None: the request has no such value.
    fn value(&mut self, value: Option<&[u8]>) {
        self.0.extend_from_slice(&length(value.map(<[u8]>::len)));
        // Of a long value, only enough bytes to exceed the limit.
        let value = value.unwrap_or_default();
        self.0.extend_from_slice(value.get(..=LONGEST).unwrap_or(value));
    }

    /// Appends several values as one.
    fn list<'a>(&mut self, values: impl Iterator<Item = Option<&'a [u8]>>) {
        let start = self.0.len();
        self.0.extend_from_slice(&length(None));
        let first = self.0.len();
        for value in values {
            self.value(value);
        }
        let whole = length(Some(self.0.len().saturating_sub(first)));
        if let Some(place) = self.0.get_mut(start..first) {
            place.copy_from_slice(&whole);
        }
    }
}

/// The length prefix: 0 for no value, else the length plus 1. A head is far below 4 GiB, so no length saturates.
fn length(length: Option<usize>) -> [u8; 4] {
    let length = length.map(|length| u32::try_from(length).unwrap_or(u32::MAX));
    length.map_or(0, |length| length.saturating_add(1)).to_le_bytes()
}
