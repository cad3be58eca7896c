//! Delays clients that send wrong tokens, longer each time, so that no token can be guessed at the network's speed.
//!
//! A client is an address, so a client that shares its address with a guesser waits as well; a right token after the
//! wait ends that. Other addresses and the Unix socket are never delayed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Number of wrong tokens after which a client waits. An operator who mistypes or replaces a token does not reach it.
const FREE: u32 = 5;

/// The first delay; it doubles with each further wrong token.
const FIRST: Duration = Duration::from_secs(1);

/// The longest delay.
const LONGEST: Duration = Duration::from_secs(32);

/// A client without wrong tokens for this long starts afresh.
const FORGET: Duration = Duration::from_secs(600);

/// Maximum number of addresses that are kept. Each takes about 100 bytes.
const MOST: usize = 4096;

/// Clients that have sent wrong tokens.
#[derive(Debug, Default)]
pub struct WrongTokens {
    clients: Mutex<HashMap<IpAddr, Client>>,
}

#[derive(Debug, Clone, Copy)]
struct Client {
    wrong: u32,
    last: Instant,
}

impl Client {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= FORGET
    }

    fn wait(&self) -> Duration {
        match self.wrong.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(more) => FIRST.saturating_mul(1_u32.checked_shl(more).unwrap_or(u32::MAX)).min(LONGEST),
        }
    }
}

impl WrongTokens {
    /// How long this client's tokens are refused unchecked. None: they are checked.
    pub fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let clients = self.clients.lock();
        let client = clients.get(&network(client))?;
        let left = client.wait().saturating_sub(now.saturating_duration_since(client.last));
        (!left.is_zero()).then_some(left)
    }

    /// Counts a wrong token.
    pub fn wrong(&self, client: IpAddr, now: Instant) {
        let mut clients = self.clients.lock();
        let network = network(client);
        if clients.len() >= MOST && !clients.contains_key(&network) {
            clients.retain(|_, client| !client.is_forgotten(now));
            // Evicts the client with the fewest wrong tokens, and of those the one that sent its last one longest ago.
            let least =
                clients.iter().min_by_key(|(_, client)| (client.wrong, client.last)).map(|(network, _)| *network);
            if let Some(least) = least.filter(|_| clients.len() >= MOST) {
                clients.remove(&least);
            }
        }
        let client = clients.entry(network).or_insert(Client { wrong: 0, last: now });
        if client.is_forgotten(now) {
            client.wrong = 0;
        }
        *client = Client { wrong: client.wrong.saturating_add(1), last: now };
    }

    /// Forgets the client's wrong tokens after a right one.
    pub fn right(&self, client: IpAddr) {
        self.clients.lock().remove(&network(client));
    }
}

/// The unit that counts as one client: an IPv4 address, or an IPv6 /64 network, the smallest that a site gets.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(client) => IpAddr::V4(client),
        IpAddr::V6(client) => IpAddr::V6(Ipv6Addr::from_bits(client.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn waits_grow_to_a_bound_and_end() {
        let (tokens, client, start) = (WrongTokens::default(), address("192.0.2.1"), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..40 {
            tokens.wrong(client, start);
            waits.push(tokens.wait(client, start).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits[..11], [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(waits[39], 32);
        assert_eq!(tokens.wait(client, start + Duration::from_secs(31)), Some(Duration::from_secs(1)));
        assert_eq!(tokens.wait(client, start + LONGEST), None);
        tokens.wrong(client, start + LONGEST);
        assert_eq!(tokens.wait(client, start + LONGEST), Some(LONGEST), "it was not forgotten yet");
        tokens.wrong(client, start + LONGEST + FORGET);
        assert_eq!(tokens.wait(client, start + LONGEST + FORGET), None);
    }

    #[test]
    fn others_do_not_wait() {
        let (tokens, now) = (WrongTokens::default(), Instant::now());
        for _ in 0..10 {
            tokens.wrong(address("192.0.2.1"), now);
            tokens.wrong(address("2001:db8:0:1::1"), now);
        }
        for same in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1::2"] {
            assert!(tokens.wait(address(same), now).is_some(), "{same}");
        }
        for other in ["192.0.2.2", "2001:db8:0:2::1"] {
            assert_eq!(tokens.wait(address(other), now), None, "{other}");
        }
        tokens.right(address("192.0.2.1"));
        assert_eq!(tokens.wait(address("192.0.2.1"), now), None);
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_kept() {
        let (tokens, worst, now) = (WrongTokens::default(), address("192.0.2.1"), Instant::now());
        for _ in 0..10 {
            tokens.wrong(worst, now);
        }
        for number in 0..2 * u32::try_from(MOST).expect("a number") {
            tokens.wrong(IpAddr::from((0x0a00_0000 + number).to_be_bytes()), now);
        }
        assert_eq!(tokens.clients.lock().len(), MOST);
        assert!(tokens.wait(worst, now).is_some());
    }
}
