//! The history of a tenant's versions, and of those that were refused.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use pointsman_wasm::module::Digest;
use serde::{Deserialize, Serialize};

use crate::api::Origin;
use crate::versions::{ReleaseFailure, Version};

/// A version and its state. The file in `proxy.state_dir` has `standing` for the state and `because` for the reason:
/// the words of its format, which older programs read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub number: u64,
    pub modules: Vec<Digest>,
    pub origin: Origin,
    pub made: DateTime<Utc>,
    #[serde(rename = "standing")]
    pub status: VersionStatus,
    pub since: DateTime<Utc>,
    /// None: not loaded since the proxy was started, because nothing needed it. Its modules are in `proxy.state_dir`.
    #[serde(skip)]
    pub version: Option<Arc<Version>>,
}

/// The state of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionStatus {
    Live,
    Candidate,
    /// It served without being rolled back; a newer one serves now.
    Replaced,
    /// It was rolled back.
    RolledBack {
        #[serde(rename = "because")]
        reason: String,
    },
    /// A candidate that never served all clients.
    Aborted {
        #[serde(rename = "because")]
        reason: String,
    },
}

/// A new version that was refused.
#[derive(Debug, Clone)]
pub struct FailedRelease {
    pub at: DateTime<Utc>,
    pub origin: Origin,
    pub refused: Arc<ReleaseFailure>,
}

/// Number of failures kept for each tenant.
const FAILURES: usize = 10;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
    failures: VecDeque<FailedRelease>,
    last_number: u64,
}

impl History {
    /// The number of the next version.
    pub fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Continues numbering after `number`, unless it is past it already.
    pub fn continue_from(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }

    /// All entries, in the order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn failures(&self) -> impl Iterator<Item = &FailedRelease> {
        self.failures.iter()
    }

    pub fn failed(&mut self, failure: FailedRelease) {
        self.failures.push_back(failure);
        if self.failures.len() > FAILURES {
            self.failures.pop_front();
        }
    }

    /// Adds an entry from before the proxy was started.
    pub fn remember(&mut self, entry: Entry) {
        self.continue_from(entry.number);
        match self.entries.iter_mut().find(|known| known.number == entry.number) {
            Some(known) => known.since = entry.since,
            None => {
                self.entries.push(entry);
                self.entries.sort_by_key(|entry| entry.number);
            }
        }
    }

    /// Records the current state of a version, which may be new.
    pub fn set(&mut self, version: &Arc<Version>, status: VersionStatus) {
        let since = Utc::now();
        match self.entries.iter_mut().find(|entry| entry.number == version.number) {
            Some(entry) if entry.status == status && entry.version.is_some() => {}
            Some(entry) => {
                (entry.status, entry.since, entry.version) = (status, since, Some(version.clone()));
            }
            None => self.entries.push(Entry {
                number: version.number,
                modules: version.digests().collect(),
                origin: version.origin,
                made: version.made,
                status,
                since,
                version: Some(version.clone()),
            }),
        }
    }

    /// Removes the oldest entries until at most `most` are left in addition to those that serve. The version that a
    /// rollback would go back to stays, as long as `most` is above zero, and so does `needed`.
    pub fn keep(&mut self, most: usize, needed: Option<u64>) {
        let previous = self.previous().map(|entry| entry.number).filter(|_| most > 0);
        let stays = |entry: &Entry| {
            matches!(entry.status, VersionStatus::Live | VersionStatus::Candidate)
                || [previous, needed].contains(&Some(entry.number))
        };
        let mut others: Vec<_> = self.entries.iter().filter(|entry| !stays(entry)).collect();
        others.sort_by_key(|entry| entry.since);
        let room = most.saturating_sub(usize::from(previous.is_some()));
        let go: Vec<u64> = others.iter().take(others.len().saturating_sub(room)).map(|entry| entry.number).collect();
        self.entries.retain(|entry| !go.contains(&entry.number));
    }

    pub fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    /// The last version that served without being rolled back.
    pub fn previous(&self) -> Option<&Entry> {
        let good = self.entries.iter().filter(|entry| entry.status == VersionStatus::Replaced);
        good.max_by_key(|entry| entry.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(statuses: &[VersionStatus]) -> History {
        let mut history = History::default();
        for status in statuses {
            let number = history.next_number();
            history.set(&Arc::new(Version::new(number, Vec::new(), Origin::File)), status.clone());
        }
        history
    }

    fn numbers(history: &History) -> Vec<u64> {
        history.entries().iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn oldest_version_is_removed_first_and_serving_versions_stay() {
        let mut history =
            history(&[VersionStatus::Replaced, VersionStatus::Replaced, VersionStatus::Replaced, VersionStatus::Live]);
        history.keep(2, None);
        assert_eq!(numbers(&history), [2, 3, 4]);
        history.keep(0, None);
        assert_eq!(numbers(&history), [4]);
    }

    #[test]
    fn failed_candidates_do_not_evict_the_last_good_version() {
        let aborted = || VersionStatus::Aborted { reason: "x".to_owned() };
        let mut history = history(&[VersionStatus::Replaced, VersionStatus::Live, aborted(), aborted(), aborted()]);
        history.keep(2, None);
        assert_eq!(numbers(&history), [1, 2, 5]);
        assert_eq!(history.previous().map(|entry| entry.number), Some(1));
    }

    #[test]
    fn version_under_probation_keeps_its_predecessor_whatever_its_age() {
        let mut history = history(&[VersionStatus::Replaced, VersionStatus::Replaced, VersionStatus::Live]);
        history.keep(0, Some(1));
        assert_eq!(numbers(&history), [1, 3]);
    }
}
