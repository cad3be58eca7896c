//! From Pingora's session to the request head that routing sees.

use std::net::IpAddr;
use std::sync::Arc;

use pingora::proxy::Session;

use crate::door::{Arrival, Connection, DownstreamTls, RequestHead};

/// Takes the head of a session's request. Header values are shared with the session, not copied.
pub fn take(session: &Session, connection: &Connection, authority: String) -> RequestHead {
    let header = session.req_header();
    RequestHead::new(Arrival {
        method: header.method.clone(),
        target: header.raw_path().to_vec(),
        authority,
        headers: header.headers.clone(),
        client_ip: client_ip(session),
        listener: connection.listener.name.clone(),
        tls: tls(session),
    })
}

/// None for a client on a Unix socket.
pub fn client_ip(session: &Session) -> Option<IpAddr> {
    session.client_addr()?.as_inet().map(|address| address.ip().to_canonical())
}

fn tls(session: &Session) -> Option<Arc<DownstreamTls>> {
    session.digest()?.ssl_digest.as_ref()?.extension.get::<Arc<DownstreamTls>>().cloned()
}

/// Bytes of the request line and headers, as far as they are known: HTTP/2 bounds its own.
pub fn size(session: &Session) -> usize {
    session.as_downstream().as_http1().map_or(0, |session| session.get_headers_raw_bytes().len())
}
