//! `Max-Forwards` (RFC 9110, section 7.6.2): limits how many hops an OPTIONS or TRACE request is forwarded.

use http::{HeaderMap, HeaderName, Method};
use pingora::Result;
use pingora::http::RequestHeader;

const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Whether this proxy must answer the request itself, since no hops are left.
pub fn ends_here(method: &Method, headers: &HeaderMap) -> bool {
    left(method, headers) == Some(0)
}

/// Decrements the hops that are left.
pub fn count_down(request: &mut RequestHeader) -> Result<()> {
    match left(&request.method, &request.headers) {
        Some(left) => request.insert_header(MAX_FORWARDS, left.saturating_sub(1).to_string()),
        None => Ok(()),
    }
}

/// Hops that are left. None for other methods and for values that are not a number, which are forwarded unchanged.
fn left(method: &Method, headers: &HeaderMap) -> Option<u64> {
    if !matches!(*method, Method::OPTIONS | Method::TRACE) {
        return None;
    }
    let value = headers.get(MAX_FORWARDS)?.to_str().ok()?;
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_counted_for_two_methods() {
        let mut headers = HeaderMap::new();
        assert!(!ends_here(&Method::OPTIONS, &headers));
        headers.insert(MAX_FORWARDS, http::HeaderValue::from_static("0"));
        assert!(ends_here(&Method::OPTIONS, &headers) && ends_here(&Method::TRACE, &headers));
        assert!(!ends_here(&Method::GET, &headers));
        let mut request = RequestHeader::build("OPTIONS", b"/", None).expect("a request");
        request.insert_header("max-forwards", "10").expect("a header");
        count_down(&mut request).expect("it is counted");
        assert_eq!(request.headers[MAX_FORWARDS], "9");
    }
}
