//! Chooses the addresses of a name to try, and their order.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Addresses of one name that are tried within one attempt, at most.
const MOST_TRIED: usize = 4;

/// An address family: IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// Chooses the addresses to try, best first: rotated by `turn` to spread the load, with those that were recently
/// unreachable last. If `family` is given, only addresses of that family.
pub fn choose(
    addresses: &[IpAddr],
    port: u16,
    family: Option<Family>,
    turn: usize,
    unreachable: &Unreachable,
) -> Vec<SocketAddr> {
    let fitting = addresses.iter().filter(|ip| family.is_none_or(|family| Family::of(**ip) == family));
    let mut chosen: Vec<SocketAddr> = fitting.map(|ip| SocketAddr::new(*ip, port)).collect();
    if chosen.len() > 1 {
        let first = turn.checked_rem(chosen.len()).unwrap_or_default();
        chosen.rotate_left(first);
        unreachable.to_the_end(&mut chosen, Instant::now());
        chosen.truncate(MOST_TRIED);
    }
    chosen
}

/// A tenant's own list of addresses that were recently unreachable: they are tried after the others for a while. The
/// list affects only the order; it never excludes an address.
#[derive(Debug, Default)]
pub struct Unreachable(Mutex<HashMap<SocketAddr, Instant>>);

impl Unreachable {
    /// How long an unreachable address is tried last.
    const MEMORY: Duration = Duration::from_secs(10);
    /// Addresses that the list holds at most.
    const MOST: usize = 1024;

    pub fn note(&self, address: SocketAddr) {
        let now = Instant::now();
        let mut since = self.0.lock();
        if since.len() >= Self::MOST {
            since.retain(|_, then| now.duration_since(*then) < Self::MEMORY);
        }
        if since.len() < Self::MOST {
            since.insert(address, now);
        }
    }

    /// Moves unreachable addresses to the end; otherwise the order stays.
    fn to_the_end(&self, addresses: &mut [SocketAddr], now: Instant) {
        let since = self.0.lock();
        if !since.is_empty() {
            addresses
                .sort_by_key(|address| since.get(address).is_some_and(|then| now.duration_since(*then) < Self::MEMORY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: [IpAddr; 3] = [ip(1), ip(2), ip(3)];

    const fn ip(last: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last))
    }

    fn last_bytes(chosen: &[SocketAddr]) -> Vec<u8> {
        let last = |address: &SocketAddr| match address.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(ip) => ip.octets()[15],
        };
        chosen.iter().map(last).collect()
    }

    #[test]
    fn addresses_take_turns() {
        let chosen = |turn| last_bytes(&choose(&NAME, 80, None, turn, &Unreachable::default()));
        assert_eq!(chosen(0), [1, 2, 3]);
        assert_eq!(chosen(1), [2, 3, 1]);
        assert_eq!(chosen(2), [3, 1, 2]);
        assert_eq!(chosen(usize::MAX), [1, 2, 3]);
    }

    #[test]
    fn unreachable_address_comes_last_for_a_while() {
        let unreachable = Unreachable::default();
        unreachable.note(SocketAddr::new(ip(2), 80));
        assert_eq!(last_bytes(&choose(&NAME, 80, None, 1, &unreachable)), [3, 1, 2]);
        assert_eq!(last_bytes(&choose(&NAME, 81, None, 1, &unreachable)), [2, 3, 1], "another port");
        let mut later = choose(&NAME, 80, None, 0, &Unreachable::default());
        unreachable.to_the_end(&mut later, Instant::now() + Unreachable::MEMORY);
        assert_eq!(last_bytes(&later), [1, 2, 3]);
    }

    #[test]
    fn local_address_chooses_the_family() {
        let mixed = [ip(1), "2001:db8::2".parse().expect("an address")];
        let chosen = |family| last_bytes(&choose(&mixed, 80, family, 0, &Unreachable::default()));
        assert_eq!(chosen(Some(Family::V4)), [1]);
        assert_eq!(chosen(Some(Family::V6)), [2]);
        assert_eq!(chosen(None), [1, 2]);
        assert!(choose(&NAME, 80, Some(Family::V6), 0, &Unreachable::default()).is_empty());
    }

    #[test]
    fn memory_and_tries_are_bounded() {
        let many: Vec<IpAddr> = (1..=20).map(ip).collect();
        assert_eq!(last_bytes(&choose(&many, 80, None, 0, &Unreachable::default())), [1, 2, 3, 4]);
        let unreachable = Unreachable::default();
        for port in 0..5000 {
            unreachable.note(SocketAddr::new(ip(1), port));
        }
        assert_eq!(unreachable.0.lock().len(), Unreachable::MOST);
    }
}
