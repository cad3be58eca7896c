//! Checks the header lists that a module sets in requests, in responses and towards a CONNECT proxy.

use http::header::{self, HeaderName, HeaderValue};

use crate::check::refusal::At;
use crate::check::{Problem, Refusal};
use crate::contract;

/// Most headers in one list. Chosen: more than any known route needs; Apache accepts 100 from a client.
const MOST_HEADERS: usize = 128;

/// Longest value, in bytes. Chosen: servers commonly accept lines of 8 KiB.
const LONGEST_VALUE: usize = 8 * 1024;

/// Longest list, names and values together, in bytes. Chosen: the default limit of a listener for a request head, so
/// that a module can send no more than a client can.
const LONGEST_LIST: usize = 64 * 1024;

/// The message that a list becomes part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The request to the upstream.
    Request,
    /// The CONNECT request to a proxy.
    Connect,
    /// The module's own response.
    Response,
}

/// Checks a list in which names may repeat; returns all its values.
pub fn list(
    raw: Vec<contract::Header>,
    field: &'static str,
    message: Message,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let bytes = raw.iter().map(|header| header.name.len() + header.value.len()).sum();
    bounded(raw.len(), bytes).at(field)?;
    let mut checked = Vec::with_capacity(raw.len());
    for (index, header) in raw.into_iter().enumerate() {
        let name = name(&header.name, message).map_err(|problem| problem.at(format!("{field}[{index}].name")))?;
        let value = value(header.value).map_err(|problem| problem.at(format!("{field}[{index}].value")))?;
        checked.push((name, value));
    }
    Ok(checked)
}

/// Checks a list in which no name may repeat.
pub fn unique(
    raw: Vec<contract::Header>,
    field: &'static str,
    message: Message,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let checked = list(raw, field, message)?;
    for (index, (name, _)) in checked.iter().enumerate() {
        if checked.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(Problem::value(name.as_str(), "appears twice").at(format!("{field}[{index}].name")));
        }
    }
    Ok(checked)
}

/// Checks a list of names without values, for requests.
pub fn names(raw: &[String], field: &'static str) -> Result<Vec<HeaderName>, Refusal> {
    bounded(raw.len(), raw.iter().map(String::len).sum()).at(field)?;
    raw.iter()
        .enumerate()
        .map(|(index, text)| name(text, Message::Request).map_err(|problem| problem.at(format!("{field}[{index}]"))))
        .collect()
}

/// Framing and hop-by-hop headers, which only the host sets (RFC 9110, section 7.6.1), and `trailer`, since the host
/// sends no trailers for a module. `proxy-authorization` and `proxy-authenticate` are not hop-by-hop since RFC 9110
/// (sections 11.7.1 and 11.7.2), and an upstream may be a proxy that needs the former.
const THE_HOSTS: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

fn bounded(entries: usize, bytes: usize) -> Result<(), Problem> {
    if entries > MOST_HEADERS {
        return Err(Problem::TooMany { found: entries, most: MOST_HEADERS });
    }
    if bytes > LONGEST_LIST {
        return Err(Problem::TooLong { found: bytes, most: LONGEST_LIST });
    }
    Ok(())
}

fn name(text: &str, message: Message) -> Result<HeaderName, Problem> {
    let name =
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| Problem::value(text, "is not a valid header name"))?;
    if THE_HOSTS.contains(&name) {
        return Err(Problem::value(name.as_str(), "is a framing or hop-by-hop header; the host sets those itself"));
    }
    match message {
        Message::Request if name == header::HOST => Err(Problem::Rule("`host` is set with `rewrite.authority`")),
        Message::Connect if name == header::HOST => Err(Problem::Rule("`host` is always `peer.address`")),
        Message::Request | Message::Connect | Message::Response => Ok(name),
    }
}

/// Checks a value. It may be a secret, so a refusal, which goes to the log, does not show it.
fn value(bytes: Vec<u8>) -> Result<HeaderValue, Problem> {
    if bytes.len() > LONGEST_VALUE {
        return Err(Problem::TooLong { found: bytes.len(), most: LONGEST_VALUE });
    }
    if bytes.trim_ascii().len() != bytes.len() {
        return Err(Problem::Rule("it starts or ends with white space"));
    }
    let wrong = bytes.iter().enumerate().find(|(_, byte)| byte.is_ascii_control() && **byte != b'\t');
    if let Some((offset, byte)) = wrong {
        return Err(Problem::Byte { byte: *byte, offset });
    }
    HeaderValue::try_from(bytes).map_err(|_| Problem::Rule("it is not a valid header value"))
}
