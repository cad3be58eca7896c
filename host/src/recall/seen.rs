//! What a read sees in a request, as bytes that can be hashed and compared: two requests have the same bytes exactly if
//! the module sees the same.

use std::hash::{Hash, Hasher};

use crate::call::{Read, Source};
use crate::door::RequestHead;

/// What a read saw.
#[derive(Debug)]
pub enum Seen<'a> {
    /// There is no such thing in the request; also what stands before the first read.
    Nothing,
    Bytes(&'a [u8]),
    /// Of several parts, each with its length before it.
    Parts(Vec<u8>),
}

impl Seen<'_> {
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Seen::Nothing => None,
            Seen::Bytes(bytes) => Some(bytes),
            Seen::Parts(bytes) => Some(bytes),
        }
    }

    pub fn len(&self) -> usize {
        self.bytes().map_or(0, <[u8]>::len)
    }
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

/// Whether a read sees the same in all first attempts of one module.
pub fn is_constant(read: &Read) -> bool {
    *read == Read::Attempts || read.source() == Source::Config
}

/// None: what it saw is not the request's.
pub fn seen<'a>(read: &Read, head: &'a RequestHead) -> Option<Seen<'a>> {
    let text = |text: &'a str| Seen::Bytes(text.as_bytes());
    Some(match read {
        Read::Method => text(head.method()),
        Read::Scheme => text(head.scheme()),
        Read::Authority => text(head.authority()),
        Read::Path => text(head.path()),
        Read::Query => head.query().map_or(Seen::Nothing, text),
        // As text it is a function of its bytes.
        Read::Header(name) | Read::HeaderText(name) => {
            head.header(name).map_or(Seen::Nothing, |value| Seen::Bytes(value.as_bytes()))
        }
        Read::HeaderValues(name) => parts(head.header_values(name).map(|value| Some(value.as_bytes()))),
        Read::Headers => {
            parts(head.headers().flat_map(|(name, value)| [Some(name.as_str().as_bytes()), Some(value.as_bytes())]))
        }
        Read::ClientIp => match head.client_ip_address() {
            None => Seen::Nothing,
            Some(ip) => Seen::Parts(ip.to_string().into_bytes()),
        },
        Read::Listener => text(head.listener()),
        Read::Tls => match head.tls() {
            None => Seen::Nothing,
            Some(tls) => parts(
                [
                    tls.sni.as_deref().map(str::as_bytes),
                    Some(tls.version.as_bytes()),
                    Some(tls.cipher.as_bytes()),
                    tls.client_cert_sha256.as_deref(),
                ]
                .into_iter(),
            ),
        },
        // What is not named here is not remembered.
        _ => return None,
    })
}

/// One string of bytes for each list of parts, and no other list with the same.
fn parts<'a>(parts: impl Iterator<Item = Option<&'a [u8]>>) -> Seen<'static> {
    let mut bytes = Vec::new();
    for part in parts {
        // A head is far below 4 GiB.
        let length = part.map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&length.map_or(0, |length| length.saturating_add(1)).to_le_bytes());
        bytes.extend_from_slice(part.unwrap_or_default());
    }
    Seen::Parts(bytes)
}
