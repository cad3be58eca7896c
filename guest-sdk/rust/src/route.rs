//! Where a request goes, and how it is changed.

use crate::{Header, Peer, RetryPolicy, Rewrite, Route};

/// ```
/// use pointsman_guest::{Peer, Route};
///
/// let route = Route::to(Peer::http("127.0.0.1:9101"))
///     .path_and_query("/v2/cart?x=1")
///     .set_header("x-shop", "north")
///     .on_status([502, 503])
///     .note("v2");
/// ```
impl Route {
    /// To a peer, the request as the client sent it, retries as the tenant's limits have it.
    pub fn to(peer: Peer) -> Route {
        Route { peer, rewrite: Rewrite::default(), retry: RetryPolicy::default(), note: None }
    }

    /// Sends another authority (the `host` header): `host` or `host:port`.
    pub fn authority(mut self, authority: impl Into<String>) -> Route {
        self.rewrite.authority = Some(authority.into());
        self
    }

    /// Sends another path and query. It starts with `/` and is percent-encoded.
    pub fn path_and_query(mut self, path_and_query: impl Into<String>) -> Route {
        self.rewrite.path_and_query = Some(path_and_query.into());
        self
    }

    /// Removes all values of a header. The host removes before it sets and adds.
    pub fn remove_header(mut self, name: impl Into<String>) -> Route {
        self.rewrite.remove_headers.push(name.into());
        self
    }

    /// Replaces all values of a header. A name may be set once.
    pub fn set_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Route {
        self.rewrite.set_headers.push(Header::new(name, value));
        self
    }

    /// Adds a value to those that a header has.
    pub fn add_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Route {
        self.rewrite.add_headers.push(Header::new(name, value));
        self
    }

    /// Attempts for this request at most, this one and all before it included. 1: no retry.
    pub fn attempts(mut self, attempts: u32) -> Route {
        self.retry.attempts = Some(attempts);
        self
    }

    /// Takes these statuses of the upstream (500 to 599) for a failed attempt.
    pub fn on_status(mut self, statuses: impl IntoIterator<Item = u16>) -> Route {
        self.retry.on_status.extend(statuses);
        self
    }

    /// A remark for the access log, such as the name of the rule that matched. At most 256 bytes.
    pub fn note(mut self, note: impl Into<String>) -> Route {
        self.note = Some(note.into());
        self
    }
}

impl From<Peer> for Route {
    fn from(peer: Peer) -> Route {
        Route::to(peer)
    }
}

/// Nothing is changed.
impl Default for Rewrite {
    fn default() -> Rewrite {
        Rewrite {
            authority: None,
            path_and_query: None,
            remove_headers: Vec::new(),
            set_headers: Vec::new(),
            add_headers: Vec::new(),
        }
    }
}

/// Retries as the tenant's limits have it, and no status is a failure.
impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy { attempts: None, on_status: Vec::new() }
    }
}

impl Header {
    /// A header.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    /// The value as text. Invalid UTF-8 is replaced by U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_route_changes_nothing() {
        let peer = Peer::http("127.0.0.1:9101");
        let expected = Route {
            peer: peer.clone(),
            rewrite: Rewrite {
                authority: None,
                path_and_query: None,
                remove_headers: vec![],
                set_headers: vec![],
                add_headers: vec![],
            },
            retry: RetryPolicy { attempts: None, on_status: vec![] },
            note: None,
        };
        assert_eq!(Route::from(peer), expected);
    }

    #[test]
    fn every_change_sets_its_field() {
        let route = Route::to(Peer::http("127.0.0.1:9101"))
            .authority("shop.internal:8080")
            .path_and_query("/v2?x=1")
            .remove_header("x-debug")
            .set_header("x-shop", "north")
            .add_header("via", b"\xff".to_vec())
            .attempts(2)
            .on_status([502, 503])
            .note("v2");

        let rewrite = Rewrite {
            authority: Some("shop.internal:8080".to_owned()),
            path_and_query: Some("/v2?x=1".to_owned()),
            remove_headers: vec!["x-debug".to_owned()],
            set_headers: vec![Header { name: "x-shop".to_owned(), value: b"north".to_vec() }],
            add_headers: vec![Header { name: "via".to_owned(), value: vec![0xff] }],
        };
        assert_eq!(route.rewrite, rewrite);
        assert_eq!(route.retry, RetryPolicy { attempts: Some(2), on_status: vec![502, 503] });
        assert_eq!(route.note.as_deref(), Some("v2"));
    }
}
