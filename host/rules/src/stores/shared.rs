//! A tenant's counters and small values, bounded in bytes. Plain data that takes the time as an argument.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::SharedError;

/// Counters and values by key.
#[derive(Debug)]
pub struct SharedStore {
    most_bytes: usize,
    entries: Mutex<Entries>,
    /// Writes refused for lack of room since the last [`SharedStore::take_refused`].
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    /// Entries that expire, the next one first.
    ends: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    content: Content,
    end: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Counter(i64),
    Value(Vec<u8>),
}

/// In bytes.
const LONGEST_KEY: usize = 256;
const LONGEST_VALUE: usize = 16 * 1024;

/// Approximate overhead of an entry in the maps, in addition to its key and value, in bytes.
const OVERHEAD: usize = 128;

impl SharedStore {
    pub fn new(most_bytes: usize) -> SharedStore {
        SharedStore { most_bytes, entries: Mutex::default(), refused: AtomicU64::new(0) }
    }

    pub fn add(&self, key: &str, amount: i64, ttl: Option<Duration>, now: Instant) -> Result<i64, SharedError> {
        let mut entries = self.entries.lock();
        entries.forget_ended(now);
        match entries.by_key.get_mut(key).map(|entry| &mut entry.content) {
            Some(Content::Counter(count)) => {
                *count = count.checked_add(amount).ok_or(SharedError::Overflow)?;
                Ok(*count)
            }
            Some(Content::Value(_)) => Err(SharedError::OtherKind),
            None => {
                let entry = Entry { content: Content::Counter(amount), end: end(ttl, now) };
                self.counted(entries.put(key, entry, self.most_bytes))?;
                Ok(amount)
            }
        }
    }

    pub fn counter(&self, key: &str, now: Instant) -> Option<i64> {
        let mut entries = self.entries.lock();
        entries.forget_ended(now);
        match entries.by_key.get(key)?.content {
            Content::Counter(count) => Some(count),
            Content::Value(_) => None,
        }
    }

    pub fn get(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        let mut entries = self.entries.lock();
        entries.forget_ended(now);
        match &entries.by_key.get(key)?.content {
            Content::Counter(_) => None,
            Content::Value(value) => Some(value.clone()),
        }
    }

    pub fn set(&self, key: &str, value: Vec<u8>, ttl: Option<Duration>, now: Instant) -> Result<(), SharedError> {
        let mut entries = self.entries.lock();
        entries.forget_ended(now);
        self.counted(entries.set(key, value, end(ttl, now), self.most_bytes))
    }

    /// Whether the value was as expected.
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Vec<u8>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<bool, SharedError> {
        let mut entries = self.entries.lock();
        entries.forget_ended(now);
        let found = match entries.by_key.get(key).map(|entry| &entry.content) {
            Some(Content::Value(value)) => Some(value.as_slice()),
            Some(Content::Counter(_)) => return Err(SharedError::OtherKind),
            None => None,
        };
        if found != expected {
            return Ok(false);
        }
        self.counted(entries.set(key, value, end(ttl, now), self.most_bytes))?;
        Ok(true)
    }

    pub fn delete(&self, key: &str) {
        self.entries.lock().remove(key);
    }

    /// Number of writes refused for lack of room since the last call.
    pub fn take_refused(&self) -> u64 {
        match self.refused.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.refused.swap(0, Ordering::Relaxed),
        }
    }

    fn counted(&self, done: Result<(), SharedError>) -> Result<(), SharedError> {
        if done == Err(SharedError::Full) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    /// Memory of all entries, in bytes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.entries.lock().bytes
    }
}

impl Entries {
    /// Removes expired entries. Each is removed once, so this costs no more than inserting it did.
    fn forget_ended(&mut self, now: Instant) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now) {
            let Some((_, key)) = self.ends.pop_first() else { return };
            self.remove(&key);
        }
    }

    fn set(&mut self, key: &str, value: Vec<u8>, end: Option<Instant>, most_bytes: usize) -> Result<(), SharedError> {
        if value.len() > LONGEST_VALUE {
            return Err(SharedError::TooLong);
        }
        if let Some(Content::Counter(_)) = self.by_key.get(key).map(|entry| &entry.content) {
            return Err(SharedError::OtherKind);
        }
        self.put(key, Entry { content: Content::Value(value), end }, most_bytes)
    }

    /// Inserts or replaces an entry, if there is room.
    fn put(&mut self, key: &str, entry: Entry, most_bytes: usize) -> Result<(), SharedError> {
        if key.len() > LONGEST_KEY {
            return Err(SharedError::TooLong);
        }
        let before = self.by_key.get(key).map_or(0, |entry| size(key, entry));
        let bytes = self.bytes.saturating_sub(before).saturating_add(size(key, &entry));
        if bytes > most_bytes {
            return Err(SharedError::Full);
        }
        self.remove(key);
        let key: Arc<str> = key.into();
        if let Some(end) = entry.end {
            self.ends.insert((end, key.clone()));
        }
        self.by_key.insert(key, entry);
        self.bytes = bytes;
        Ok(())
    }

    fn remove(&mut self, key: &str) {
        let Some((key, entry)) = self.by_key.remove_entry(key) else { return };
        self.bytes = self.bytes.saturating_sub(size(&key, &entry));
        if let Some(end) = entry.end {
            self.ends.remove(&(end, key));
        }
    }
}

fn size(key: &str, entry: &Entry) -> usize {
    let content = match &entry.content {
        Content::Counter(_) => 0,
        Content::Value(value) => value.len(),
    };
    key.len() + content + OVERHEAD
}

/// The time at which an entry expires. None: never, also if the clock can't represent the time.
fn end(ttl: Option<Duration>, now: Instant) -> Option<Instant> {
    now.checked_add(ttl?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    #[test]
    fn counter_expires_after_the_ttl_it_was_created_with() {
        let (shared, start) = (SharedStore::new(1_000), Instant::now());
        assert_eq!(shared.counter("hits", start), None);
        assert_eq!(shared.add("hits", 2, SECOND, start), Ok(2));
        let later = start + Duration::from_millis(900);
        assert_eq!(shared.add("hits", -5, SECOND, later), Ok(-3));
        assert_eq!(shared.counter("hits", later), Some(-3));
        let end = start + Duration::from_secs(1);
        assert_eq!(shared.counter("hits", end), None);
        assert_eq!(shared.add("hits", 1, SECOND, end), Ok(1));
    }

    #[test]
    fn counter_overflow_is_refused() {
        let (shared, now) = (SharedStore::new(1_000), Instant::now());
        assert_eq!(shared.add("n", i64::MAX, None, now), Ok(i64::MAX));
        assert_eq!(shared.add("n", 1, None, now), Err(SharedError::Overflow));
        assert_eq!(shared.counter("n", now), Some(i64::MAX));
    }

    #[test]
    fn replaced_value_gets_the_new_ttl() {
        let (shared, start) = (SharedStore::new(1_000), Instant::now());
        assert_eq!(shared.set("v", b"one".to_vec(), SECOND, start), Ok(()));
        assert_eq!(shared.set("v", b"two".to_vec(), None, start), Ok(()));
        assert_eq!(shared.get("v", start + Duration::from_secs(9)).as_deref(), Some(&b"two"[..]));
        shared.delete("v");
        assert_eq!((shared.get("v", start), shared.bytes()), (None, 0));
    }

    #[test]
    fn value_is_set_if_it_is_as_expected() {
        let (shared, now) = (SharedStore::new(1_000), Instant::now());
        let set =
            |expected: Option<&[u8]>, value: &[u8]| shared.compare_and_set("v", expected, value.to_vec(), None, now);
        assert_eq!(set(Some(b"one"), b"two"), Ok(false));
        assert_eq!(set(None, b"one"), Ok(true));
        assert_eq!(set(None, b"two"), Ok(false));
        assert_eq!(set(Some(b"one"), b"two"), Ok(true));
        assert_eq!(shared.get("v", now).as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn kinds_are_not_mixed() {
        let (shared, now) = (SharedStore::new(1_000), Instant::now());
        shared.add("n", 1, None, now).expect("room");
        shared.set("v", Vec::new(), None, now).expect("room");
        assert_eq!(shared.add("v", 1, None, now), Err(SharedError::OtherKind));
        assert_eq!(shared.set("n", Vec::new(), None, now), Err(SharedError::OtherKind));
        assert_eq!(shared.compare_and_set("n", None, Vec::new(), None, now), Err(SharedError::OtherKind));
        assert_eq!((shared.get("n", now), shared.counter("v", now)), (None, None));
    }

    #[test]
    fn write_to_a_full_store_is_refused_and_changes_nothing() {
        let (shared, now) = (SharedStore::new(3 * (OVERHEAD + 10)), Instant::now());
        for key in ["a", "b", "c"] {
            shared.set(key, vec![0; 9], SECOND, now).expect("room");
        }
        assert_eq!(shared.add("d", 1, None, now), Err(SharedError::Full));
        assert_eq!(shared.set("c", vec![0; 10], None, now), Err(SharedError::Full));
        assert_eq!(shared.get("c", now), Some(vec![0; 9]));
        assert_eq!((shared.take_refused(), shared.take_refused()), (2, 0));
        assert_eq!(shared.set("c", vec![1; 9], SECOND, now), Ok(()), "it replaces the first value");
        let end = now + Duration::from_secs(1);
        assert_eq!(shared.add("d", 1, None, end), Ok(1), "the others have ended");
        assert_eq!(shared.bytes(), OVERHEAD + 1);
    }

    #[test]
    fn keys_and_values_have_a_maximum_length() {
        let (shared, now) = (SharedStore::new(1_000_000), Instant::now());
        assert_eq!(shared.add(&"k".repeat(257), 1, None, now), Err(SharedError::TooLong));
        assert_eq!(shared.add(&"k".repeat(256), 1, None, now), Ok(1));
        assert_eq!(shared.set("v", vec![0; LONGEST_VALUE + 1], None, now), Err(SharedError::TooLong));
        assert_eq!(shared.set("v", vec![0; LONGEST_VALUE], None, now), Ok(()));
    }
}
