//! Hashes that stay: the same key gives the same result in every version of this crate, on every machine.
//!
//! They spread keys evenly; they keep no secret. Everything builds on XXH64 with seed 0, so another program, or a
//! module in another language, gets the same results.

use std::cmp::Reverse;

use twox_hash::XxHash64;

/// A hash of a key: XXH64 with seed 0.
pub fn of(key: impl AsRef<[u8]>) -> u64 {
    XxHash64::oneshot(0, key.as_ref())
}

/// Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10.0` holds for a tenth of all keys, and for
/// these still when 10 becomes 20.
///
/// Two experiments that share keys should not share their tenth: put the experiment's name in the key.
///
/// ```
/// use pointsman_guest::hash;
///
/// let visitor = "b7a1";
/// let canary = hash::percent(format!("new-cart:{visitor}")) < 10.0;
/// ```
pub fn percent(key: impl AsRef<[u8]>) -> f64 {
    // The upper 53 bits: an f64 holds them exactly.
    let position = (of(key) >> 11) as f64 / (1_u64 << 53) as f64;
    position * 100.0
}

/// The node that a key belongs to. None without nodes.
///
/// A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key
/// moves. The order of the nodes does not matter.
pub fn pick<N: AsRef<[u8]>>(key: impl AsRef<[u8]>, nodes: &[N]) -> Option<&N> {
    let key = of(key);
    nodes.iter().max_by_key(|&node| weight(key, node))
}

/// All nodes in a key's own order, the first of them [`pick`]'s: where the key goes if the ones before fail.
pub fn rank<N: AsRef<[u8]>>(key: impl AsRef<[u8]>, nodes: &[N]) -> Vec<&N> {
    let key = of(key);
    let mut ranked: Vec<&N> = nodes.iter().collect();
    ranked.sort_by_key(|&node| Reverse(weight(key, node)));
    ranked
}

/// Rendezvous hashing: each node draws a number for the key, XXH64 of its name with the key's hash as the seed, and the
/// highest wins. The name itself decides between equal numbers.
fn weight<N: AsRef<[u8]>>(key: u64, node: &N) -> (u64, &[u8]) {
    (XxHash64::oneshot(key, node.as_ref()), node.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 4] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"];

    fn keys() -> impl Iterator<Item = String> {
        (0..10_000).map(|n| format!("visitor-{n}"))
    }

    // Computed with another implementation. They may never change: users' canaries and sessions hang on them.
    #[test]
    fn results_are_those_of_every_other_version() {
        assert_eq!(of(""), 0xef46_db37_51d8_e999);
        assert_eq!(of("a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(of("visitor-1"), 0xb7db_4eb3_b829_e88d);
        assert_eq!(percent("visitor-1"), 71.81901158111611);
        assert_eq!(rank("visitor-1", &NODES), [&NODES[0], &NODES[3], &NODES[1], &NODES[2]]);
    }

    #[test]
    fn a_tenth_of_the_keys_is_below_ten_percent() {
        let below = keys().filter(|key| percent(key) < 10.0).count();
        assert!((900..1100).contains(&below), "{below} of 10,000");
        assert!(keys().all(|key| (0.0..100.0).contains(&percent(key))));
    }

    #[test]
    fn nodes_get_equal_shares() {
        for node in NODES {
            let keys = keys().filter(|key| pick(key, &NODES) == Some(&node)).count();
            assert!((2300..2700).contains(&keys), "{node}: {keys} of 10,000");
        }
    }

    #[test]
    fn only_the_keys_of_a_lost_node_move() {
        let rest = &NODES[..3];
        for key in keys() {
            let before = *pick(&key, &NODES).unwrap();
            let after = *pick(&key, rest).unwrap();
            assert!(after == before || before == NODES[3], "{key} moved from {before} to {after}");
        }
    }

    #[test]
    fn the_order_of_the_nodes_does_not_matter() {
        let reversed: Vec<&str> = NODES.into_iter().rev().collect();
        for key in keys() {
            assert_eq!(rank(&key, &NODES), rank(&key, &reversed));
        }
    }

    #[test]
    fn the_first_in_rank_is_the_picked_one() {
        for key in keys() {
            assert_eq!(rank(&key, &NODES).first().copied(), pick(&key, &NODES));
        }
    }

    #[test]
    fn no_node_is_picked_without_nodes() {
        assert_eq!(pick("visitor-1", &[] as &[&str]), None);
    }
}
