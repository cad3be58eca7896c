//! State that the tenant's modules keep between decisions: counters and small values.
//!
//! They live in the proxy's memory, belong to the tenant, and are lost when it restarts. Their size is bounded by the
//! tenant's `quota.shared_bytes`: an [`Error`] is not unusual, and a good module handles it.
//!
//! In a native test they belong to the thread; [`testing::clock`](crate::testing::clock) sets the time.

use std::time::Duration;

use std::fmt;

use crate::bindings::pointsman::router::shared as contract;
#[cfg(target_family = "wasm")]
use crate::bindings::pointsman::router::shared as store;
#[cfg(not(target_family = "wasm"))]
use crate::testing::shared as store;

/// Why an entry could not be made or changed. Its text is the contract's name for it: `shared: too-long`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The tenant's quota has no space for another entry, or for a larger one.
    Full,
    /// The key or the value is too long.
    TooLong,
    /// The entry is a counter, and the call is for a value, or the other way round.
    OtherKind,
    /// The counter would leave the range of its type.
    Overflow,
    /// Anything else.
    Other,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Full => "shared: full",
            Error::TooLong => "shared: too-long",
            Error::OtherKind => "shared: other-kind",
            Error::Overflow => "shared: overflow",
            Error::Other => "shared: other",
        })
    }
}

impl std::error::Error for Error {}

impl From<contract::Error> for Error {
    fn from(error: contract::Error) -> Error {
        match error {
            contract::Error::Full => Error::Full,
            contract::Error::TooLong => Error::TooLong,
            contract::Error::OtherKind => Error::OtherKind,
            contract::Error::Overflow => Error::Overflow,
            contract::Error::Other => Error::Other,
        }
    }
}

/// Adds to a counter, which is created with 0 if it is absent, and returns the sum.
pub fn add(key: &str, amount: i64) -> Result<i64, Error> {
    Ok(store::add(key, amount, None)?)
}

/// The same; a new counter expires after this time. So it counts the events within that time.
pub fn add_for(time: Duration, key: &str, amount: i64) -> Result<i64, Error> {
    Ok(store::add(key, amount, Some(millis(time)))?)
}

/// A counter. None if there is none.
pub fn counter(key: &str) -> Option<i64> {
    store::counter(key)
}

/// A value. None if there is none.
pub fn get(key: &str) -> Option<Vec<u8>> {
    store::get(key)
}

/// Creates or replaces a value.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    Ok(store::set(key, value.as_ref(), None)?)
}

/// The same; the value expires after this time.
pub fn set_for(time: Duration, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    Ok(store::set(key, value.as_ref(), Some(millis(time)))?)
}

/// Creates or replaces a value if the current one is as expected; None: if it is absent. Returns whether it was.
pub fn compare_and_set(key: &str, expected: Option<&[u8]>, value: impl AsRef<[u8]>) -> Result<bool, Error> {
    Ok(store::compare_and_set(key, expected, value.as_ref(), None)?)
}

/// Removes a counter or a value.
pub fn delete(key: &str) {
    store::delete(key);
}

/// At most 49 days, the maximum of the contract.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_counter_counts_within_its_ttl() {
        testing::clock(1_000);
        assert_eq!(add_for(Duration::from_secs(1), "hits", 1), Ok(1));
        testing::clock(1_999);
        assert_eq!((add_for(Duration::from_secs(1), "hits", 1), counter("hits")), (Ok(2), Some(2)));
        testing::clock(2_000);
        assert_eq!((counter("hits"), add("hits", 5)), (None, Ok(5)));
    }

    #[test]
    fn a_value_is_kept_until_it_is_replaced_or_removed() {
        assert_eq!(get("colour"), None);
        assert_eq!(set("colour", "green"), Ok(()));
        assert_eq!(compare_and_set("colour", Some(b"blue"), "red"), Ok(false));
        assert_eq!(compare_and_set("colour", Some(b"green"), "red"), Ok(true));
        assert_eq!(get("colour").as_deref(), Some(&b"red"[..]));
        assert_eq!(add("colour", 1), Err(Error::OtherKind));
        assert_eq!(crate::Error::from(Error::OtherKind).to_string(), "shared: other-kind");
        delete("colour");
        assert_eq!(get("colour"), None);
    }
}
