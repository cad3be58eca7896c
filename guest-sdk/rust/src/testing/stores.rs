//! The thread's time, randomness, shared entries and upstreams.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use crate::upstreams::Upstream;

/// 2026-01-01 00:00 UTC.
const NEW_YEAR: u64 = 1_767_225_600_000;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(NEW_YEAR) };
    static RANDOM: RefCell<VecDeque<u64>> = const { RefCell::new(VecDeque::new()) };
    static SHARED: RefCell<HashMap<String, Entry>> = RefCell::new(HashMap::new());
    static UPSTREAMS: RefCell<HashMap<String, Upstream>> = RefCell::new(HashMap::new());
    static GROUPS: RefCell<HashMap<String, Vec<Upstream>>> = RefCell::new(HashMap::new());
}

#[derive(Clone)]
struct Entry {
    content: Content,
    end: Option<u64>,
}

#[derive(Clone, PartialEq)]
enum Content {
    Counter(i64),
    Value(Vec<u8>),
}

/// Sets the time that the module sees in this thread, in milliseconds since 1970-01-01 00:00 UTC; 2026-01-01 until
/// then.
pub fn clock(ms: u64) {
    NOW.set(ms);
}

/// Sets what [`random`](crate::random) gives next in this thread; after these, it gives 0.
pub fn random(values: impl IntoIterator<Item = u64>) {
    RANDOM.with_borrow_mut(|random| *random = values.into_iter().collect());
}

/// Sets the statistics of an upstream in this thread.
pub fn upstream(upstream: Upstream) {
    UPSTREAMS.with_borrow_mut(|upstreams| upstreams.insert(upstream.address.clone(), upstream));
}

/// Sets the members of a group in this thread.
pub fn group(name: &str, members: impl IntoIterator<Item = Upstream>) {
    GROUPS.with_borrow_mut(|groups| groups.insert(name.to_owned(), members.into_iter().collect()));
}

pub(crate) fn now_ms() -> u64 {
    NOW.get()
}

pub(crate) fn next_random() -> u64 {
    RANDOM.with_borrow_mut(|random| random.pop_front().unwrap_or_default())
}

/// The host's `upstreams` interface.
pub(crate) mod upstreams {
    use super::{GROUPS, UPSTREAMS, Upstream};

    pub fn get(address: &str) -> Upstream {
        let known = UPSTREAMS.with_borrow(|upstreams| upstreams.get(address).cloned());
        known.unwrap_or_else(|| Upstream::unknown(address))
    }

    pub fn group(name: &str) -> Option<Vec<Upstream>> {
        GROUPS.with_borrow(|groups| groups.get(name).cloned())
    }
}

/// The host's `shared` interface, without its quota.
pub(crate) mod shared {
    use super::{Content, Entry, HashMap, NOW, SHARED};
    use crate::bindings::pointsman::router::shared::Error;

    pub fn add(key: &str, amount: i64, ttl_ms: Option<u32>) -> Result<i64, Error> {
        with(|entries| {
            let made = Entry { content: Content::Counter(0), end: end(ttl_ms) };
            match &mut entries.entry(key.to_owned()).or_insert(made).content {
                Content::Value(_) => Err(Error::OtherKind),
                Content::Counter(count) => {
                    *count = count.checked_add(amount).ok_or(Error::Overflow)?;
                    Ok(*count)
                }
            }
        })
    }

    pub fn counter(key: &str) -> Option<i64> {
        with(|entries| match entries.get(key)?.content {
            Content::Counter(count) => Some(count),
            Content::Value(_) => None,
        })
    }

    pub fn get(key: &str) -> Option<Vec<u8>> {
        with(|entries| match &entries.get(key)?.content {
            Content::Counter(_) => None,
            Content::Value(value) => Some(value.clone()),
        })
    }

    pub fn set(key: &str, value: &[u8], ttl_ms: Option<u32>) -> Result<(), Error> {
        with(|entries| {
            if let Some(Content::Counter(_)) = entries.get(key).map(|entry| &entry.content) {
                return Err(Error::OtherKind);
            }
            let entry = Entry { content: Content::Value(value.to_owned()), end: end(ttl_ms) };
            entries.insert(key.to_owned(), entry);
            Ok(())
        })
    }

    pub fn compare_and_set(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u32>,
    ) -> Result<bool, Error> {
        if counter(key).is_some() {
            return Err(Error::OtherKind);
        }
        if get(key).as_deref() != expected {
            return Ok(false);
        }
        set(key, value, ttl_ms).map(|()| true)
    }

    pub fn delete(key: &str) {
        with(|entries| drop(entries.remove(key)));
    }

    fn with<T>(act: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        SHARED.with_borrow_mut(|entries| {
            entries.retain(|_, entry| entry.end.is_none_or(|end| end > NOW.get()));
            act(entries)
        })
    }

    fn end(ttl_ms: Option<u32>) -> Option<u64> {
        ttl_ms.map(|ms| NOW.get() + u64::from(ms))
    }
}
