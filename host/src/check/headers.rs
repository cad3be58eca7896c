//! Header lists: what a module sets in requests, in responses and towards a CONNECT proxy.

use http::header::{self, HeaderName, HeaderValue};

use crate::check::refusal::At;
use crate::check::{Problem, Refusal};
use crate::raw;

/// Most headers in one list.
const MOST_HEADERS: usize = 128;

/// Longest value, in bytes. Servers commonly take 8 KiB for a line.
const LONGEST_VALUE: usize = 8 * 1024;

/// A list with all its values, names may repeat.
pub fn list(
    raw: Vec<raw::Header>,
    field: &'static str,
    forbidden: &[HeaderName],
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    count(raw.len()).at(field)?;
    let mut checked = Vec::with_capacity(raw.len());
    for (index, header) in raw.into_iter().enumerate() {
        let name = name(&header.name, forbidden).map_err(|problem| problem.at(format!("{field}[{index}].name")))?;
        let value = value(header.value).map_err(|problem| problem.at(format!("{field}[{index}].value")))?;
        checked.push((name, value));
    }
    Ok(checked)
}

/// A list in which no name repeats, for requests.
pub fn unique(raw: Vec<raw::Header>, field: &'static str) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let checked = list(raw, field, &IN_REQUESTS)?;
    for (index, (name, _)) in checked.iter().enumerate() {
        if checked.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(Problem::value(name.as_str(), "is there twice").at(format!("{field}[{index}].name")));
        }
    }
    Ok(checked)
}

/// A list of names only, for requests.
pub fn names(raw: &[String], field: &'static str) -> Result<Vec<HeaderName>, Refusal> {
    count(raw.len()).at(field)?;
    raw.iter()
        .enumerate()
        .map(|(index, text)| name(text, &IN_REQUESTS).map_err(|problem| problem.at(format!("{field}[{index}]"))))
        .collect()
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Framing and hop-by-hop headers (RFC 9110, section 7.6.1), which are the host's to set; and `host`, for which a route
/// has a field of its own.
pub const IN_REQUESTS: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// The same for responses.
pub const IN_RESPONSES: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

fn count(found: usize) -> Result<(), Problem> {
    if found > MOST_HEADERS { Err(Problem::TooMany { found, most: MOST_HEADERS }) } else { Ok(()) }
}

fn name(text: &str, forbidden: &[HeaderName]) -> Result<HeaderName, Problem> {
    let name =
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| Problem::value(text, "is not a valid header name"))?;
    if name == header::HOST && forbidden.contains(&name) {
        return Err(Problem::Rule("`host` is set with `rewrite.authority`"));
    }
    if forbidden.contains(&name) {
        return Err(Problem::value(name.as_str(), "is a framing or hop-by-hop header; the host sets those itself"));
    }
    Ok(name)
}

fn value(bytes: Vec<u8>) -> Result<HeaderValue, Problem> {
    if bytes.len() > LONGEST_VALUE {
        return Err(Problem::TooLong { found: bytes.len(), most: LONGEST_VALUE });
    }
    if bytes.trim_ascii().len() != bytes.len() {
        return Err(Problem::Rule("it starts or ends with white space"));
    }
    let shown = || Problem::value(&String::from_utf8_lossy(&bytes), "has bytes that no header value may hold");
    HeaderValue::from_bytes(&bytes).map_err(|_| shown())
}
