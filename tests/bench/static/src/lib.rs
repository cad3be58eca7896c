//! The baseline of the comparison with other proxies: it reads nothing, and sends every request to one upstream.
//!
//! The record is that of `bench-pick`: the difference between the two is the cost of reading, hashing and choosing.

use std::time::Duration;

use pointsman_guest::{Peer, Request, router};

router!(select_peer);

fn select_peer(_request: &Request) -> Peer {
    Peer::http("127.0.0.1:9101")
        .connect_timeout(Duration::from_secs(1))
        .total_connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(30))
        .write_timeout(Duration::from_secs(30))
}
