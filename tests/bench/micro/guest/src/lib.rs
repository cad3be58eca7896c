//! A typical module: it reads the path and two headers, and answers with a record of about ten fields.

use std::time::Duration;

use pointsman_guest::{Error, Peer, Request, Route, hash, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Route, Error> {
    let path = request.path();
    let tenant = request.header("x-tenant").unwrap_or_default();
    let session = request.cookie("session").unwrap_or_default();
    let backend = if path.starts_with("/api/") { 1 } else { 2 };
    let slot = if hash::percent(&session) < 10.0 { 1 } else { 2 };
    let peer = Peer::https(format!("192.0.2.{backend}:8443"))
        .sni("shop.internal")
        .isolation(tenant)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(60));
    Ok(Route::to(peer)
        .authority("shop.internal")
        .set_header("x-slot", slot.to_string())
        .remove_header("x-debug")
        .attempts(2)
        .on_status([502, 503])
        .note("bench"))
}
