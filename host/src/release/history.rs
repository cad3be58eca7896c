//! What became of a tenant's versions, newest last, and of those that never became one.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::release::{Refused, Version};

/// A version, and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub version: Arc<Version>,
    pub standing: Standing,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Live,
    Candidate,
    /// It served well; a newer one serves now.
    Replaced,
    /// It was taken back.
    RolledBack {
        because: String,
    },
    /// A candidate that never served all.
    Aborted {
        because: String,
    },
}

impl Standing {
    /// Whether a rollback may come to it without being told to.
    fn is_good(&self) -> bool {
        matches!(self, Standing::Replaced)
    }
}

/// A version that did not pass.
#[derive(Debug, Clone)]
pub struct FailedRelease {
    pub at: DateTime<Utc>,
    pub origin: crate::release::Origin,
    pub refused: Arc<Refused>,
}

/// Failures that are kept for a tenant.
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

    /// Numbers go on from here.
    pub fn go_on_from(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }

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

    /// Notes what a version is now; it may be new.
    pub fn set(&mut self, version: &Arc<Version>, standing: Standing) {
        let since = Utc::now();
        match self.entries.iter_mut().find(|entry| entry.version.number == version.number) {
            Some(entry) => {
                entry.standing = standing;
                entry.since = since;
            }
            None => self.entries.push(Entry { version: version.clone(), standing, since }),
        }
    }

    pub fn set_live(&mut self, version: &Arc<Version>) {
        let is_live = |entry: &Entry| entry.version.number == version.number && entry.standing == Standing::Live;
        if !self.entries.iter().any(is_live) {
            self.set(version, Standing::Live);
        }
    }

    /// Forgets the oldest until so many are left beside those that serve.
    pub fn keep(&mut self, most: usize) {
        let serves = |entry: &Entry| matches!(entry.standing, Standing::Live | Standing::Candidate);
        let mut over = self.entries.iter().filter(|entry| !serves(entry)).count().saturating_sub(most);
        self.entries.retain(|entry| {
            let goes = over > 0 && !serves(entry);
            over = over.saturating_sub(usize::from(goes));
            !goes
        });
    }

    pub fn version(&self, number: u64) -> Option<&Arc<Version>> {
        self.entries.iter().map(|entry| &entry.version).find(|version| version.number == number)
    }

    /// The last one that served well.
    pub fn previous(&self) -> Option<&Arc<Version>> {
        let good = self.entries.iter().filter(|entry| entry.standing.is_good());
        good.max_by_key(|entry| entry.since).map(|entry| &entry.version)
    }
}
