//! Builds the request head that routing sees from Pingora's session.

use pingora::proxy::Session;
use pointsman_rules::request::{Arrival, RequestHead};

use crate::door::Connection;

/// Builds the head of a session's request. Header values are shared with the session, not copied.
pub fn take(session: &Session, connection: &Connection, authority: String) -> RequestHead {
    let header = session.req_header();
    RequestHead::new(Arrival {
        method: header.method.clone(),
        target: header.raw_path().to_vec(),
        authority,
        headers: header.headers.clone(),
        client_ip: connection.client,
        listener: connection.listener.name.clone(),
        tls: connection.tls.clone(),
    })
}
