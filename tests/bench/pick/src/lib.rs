//! The job of the comparison with other proxies: FNV-1a (32 bit) over the cookie `session` picks one of eight
//! upstreams.
//!
//! It reads one header more than the job needs, and answers with a peer record that sets most of its plain fields, so
//! that the benchmark measures a decision of a real router rather than the smallest possible one.

use std::time::Duration;

use pointsman_guest::{Peer, Request, router};

router!(select_peer);

fn select_peer(request: &Request) -> Peer {
    let session = request.cookie("session").unwrap_or_default();
    // Read, as a router would that treats some clients differently; no client of the benchmark is one of them.
    let crawler = request.header("user-agent").is_some_and(|agent| agent.contains("bot"));
    let port = if crawler { 9101 } else { 9101 + fnv1a(session.as_bytes()) % 8 };
    Peer::http(format!("127.0.0.1:{port}"))
        .connect_timeout(Duration::from_secs(1))
        .total_connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(30))
        .write_timeout(Duration::from_secs(30))
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing;

    use super::*;

    #[test]
    fn hash_equals_that_of_the_other_compared_proxies() {
        assert_eq!((fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")), (0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968));
    }

    #[test]
    fn session_selects_the_port() {
        let request = testing::get("/").header("cookie", "theme=dark; session=a; lang=en");
        assert_eq!(select_peer(&request).address, format!("127.0.0.1:{}", 9101 + 0xe40c_292c_u32 % 8));
    }
}
