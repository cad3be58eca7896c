//! Randomness: unpredictable numbers. For a choice that one visitor keeps, see [`hash`](crate::hash).
//!
//! In a native test, [`testing::random`](crate::testing::random) sets the numbers.

/// 64 random bits.
pub fn bits() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::pointsman::router::random::get_u64();
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::next_random();
}

/// A number from 0 to `end`, without `end` itself; 0 if that is 0. One is as likely as another, but for one part in
/// 2^64 / `end`.
pub fn below(end: usize) -> usize {
    // The upper half of a 128-bit product is below `end`.
    let scaled = (u128::from(bits()) * end as u128) >> 64;
    scaled as usize
}

/// One of them. None if there is none.
pub fn pick<T>(items: &[T]) -> Option<&T> {
    items.get(below(items.len()))
}

/// Two different ones, in random order. None if there are fewer.
pub fn pick_two<T>(items: &[T]) -> Option<(&T, &T)> {
    if items.len() < 2 {
        return None;
    }
    let first = below(items.len());
    let second = below(items.len() - 1);
    let second = if second < first { second } else { second + 1 };
    Some((&items[first], &items[second]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn numbers_are_within_their_range() {
        testing::random([0, u64::MAX, u64::MAX / 2, 7]);
        assert_eq!([below(10), below(10), below(10), below(0)], [0, 9, 4, 0]);
    }

    #[test]
    fn two_picked_items_differ() {
        let items = ["a", "b", "c"];
        for first in 0..3 {
            for second in 0..2 {
                testing::random([u64::MAX / 3 * first + 1000, u64::MAX / 2 * second + 1000]);
                let (one, other) = pick_two(&items).unwrap();
                assert_ne!(one, other);
            }
        }
        assert_eq!(pick_two(&items[..1]), None);
        assert_eq!(pick::<&str>(&[]), None);
    }
}
