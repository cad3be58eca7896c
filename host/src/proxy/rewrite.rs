//! Rewrites the request on its way to the upstream as the route says.

use http::header::{COOKIE, HOST};
use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Uri};
use pingora::http::RequestHeader;
use pingora::{ErrorType, OrErr, Result};
use pointsman_rules::check::{RewriteSpec, Target};
use pointsman_rules::checked::Route;

/// Adds `host` to an HTTP/1.0 request without one, since HTTP/1.1 requires it: the peer's name or address.
pub fn name_host(request: &mut RequestHeader, route: Option<&Route>) -> Result<()> {
    if request.headers.contains_key(HOST) || request.uri.authority().is_some() {
        return Ok(());
    }
    let host = match route.map(|route| &route.peer.connection.target) {
        Some(Target::Socket(address)) => address.to_string(),
        Some(Target::Name { host, port }) => format!("{host}:{port}"),
        Some(Target::Unix(_)) | None => "localhost".to_owned(),
    };
    request.insert_header(HOST, host)
}

/// Joins several `cookie` lines into one, as HTTP/1.1 requires: HTTP/2 may split them (RFC 9113, section 8.2.3).
pub fn join_cookies(request: &mut RequestHeader) -> Result<()> {
    let mut cookies = request.headers.get_all(COOKIE).iter();
    if cookies.next().is_none() || cookies.next().is_none() {
        return Ok(());
    }
    let crumbs: Vec<&[u8]> = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined =
        HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).or_err(ErrorType::InternalError, "joined cookies")?;
    request.insert_header(COOKIE, joined)
}

/// Applies a rewrite, in the order that the contract states.
pub fn apply(rewrite: &RewriteSpec, request: &mut RequestHeader) -> Result<()> {
    if let Some(authority) = &rewrite.authority {
        // Pingora copies `host` to `:authority` for HTTP/2.
        let value = HeaderValue::from_str(authority).or_err(ErrorType::InternalError, "rewritten authority")?;
        request.insert_header(HOST, value)?;
    }
    if let Some(path_and_query) = &rewrite.path_and_query {
        set_path(request, path_and_query)?;
    }
    for name in &rewrite.remove_headers {
        request.remove_header(name);
    }
    for (name, value) in &rewrite.set_headers {
        request.insert_header(name.clone(), value.clone())?;
    }
    for (name, value) in &rewrite.add_headers {
        request.append_header(name.clone(), value.clone())?;
    }
    Ok(())
}

fn set_path(request: &mut RequestHeader, path_and_query: &str) -> Result<()> {
    if request.uri.authority().is_none() {
        return request.set_raw_path(path_and_query.as_bytes());
    }
    let mut parts = Parts::from(request.uri.clone());
    let path_and_query = PathAndQuery::try_from(path_and_query).or_err(ErrorType::InternalError, "rewritten path")?;
    parts.path_and_query = Some(path_and_query);
    request.set_uri(Uri::from_parts(parts).or_err(ErrorType::InternalError, "rewritten path")?);
    Ok(())
}
