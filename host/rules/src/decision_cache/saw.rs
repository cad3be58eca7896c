//! What reads see in a request, as bytes that can be hashed and compared: two requests have the same bytes exactly if
//! the module sees the same.

use smallvec::SmallVec;

use crate::decision_cache::Unfit;
use crate::reads::{Read, Source};
use crate::request::RequestHead;

/// What some reads see, one after the other: each value with its length before it.
pub struct Saw(SmallVec<[u8; 256]>);

/// Longest that is remembered, in bytes. Hashing it costs each request that has it.
const LONGEST: usize = 8192;

/// Whether a read sees the same in all first attempts of one module.
pub fn is_constant(read: &Read) -> bool {
    *read == Read::Attempts || read.source() == Source::Config
}

impl Saw {
    pub fn of<'a>(reads: impl IntoIterator<Item = &'a Read>, head: &RequestHead) -> Result<Saw, Unfit> {
        let mut saw = Saw(SmallVec::new());
        for read in reads {
            saw.see(read, head).ok_or_else(|| Unfit::Read(read.source()))?;
            if saw.0.len() > LONGEST {
                return Err(Unfit::Size);
            }
        }
        Ok(saw)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// None: what it sees is not the request's.
    fn see(&mut self, read: &Read, head: &RequestHead) -> Option<()> {
        match read {
            Read::Method => self.text(head.method()),
            Read::Scheme => self.text(head.scheme()),
            Read::Authority => self.text(head.authority()),
            Read::Path => self.text(head.path()),
            Read::Query => self.value(head.query().map(str::as_bytes)),
            // As text it is a function of its bytes.
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

    /// None: there is no such thing in the request.
    fn value(&mut self, value: Option<&[u8]>) {
        self.0.extend_from_slice(&length(value.map(<[u8]>::len)));
        // No more of a long one than tells that it is too long.
        let value = value.unwrap_or_default();
        self.0.extend_from_slice(value.get(..=LONGEST).unwrap_or(value));
    }

    /// One value of several.
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

/// A head is far below 4 GiB.
fn length(length: Option<usize>) -> [u8; 4] {
    let length = length.map(|length| u32::try_from(length).unwrap_or(u32::MAX));
    length.map_or(0, |length| length.saturating_add(1)).to_le_bytes()
}
