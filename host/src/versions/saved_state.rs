//! The state of a tenant's versions, as it is saved for the next start.

use std::collections::HashSet;
use std::fmt;

use pointsman_wasm::module::Digest;
use serde::{Deserialize, Serialize};

use crate::versions::{Entry, Files, Trial, VersionStatus};

/// The saved state of a tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SavedState {
    /// The highest version number ever used.
    pub last_number: u64,
    /// All versions, in the order of their numbers.
    pub versions: Vec<Entry>,
    /// The files that passed last. Files that differ from these at the next start are newer.
    pub files: Files,
    /// The trial of the candidate.
    pub trial: Option<Trial>,
    /// The version that decides where the live one fails, while the live one is on probation.
    pub probation_after: Option<u64>,
    pub drained: bool,
    /// The file has no checksum: an older program wrote it, and it must be written again.
    #[serde(skip)]
    pub lacks_checksum: bool,
}

/// Describes the serving versions: `version 2 is live, version 3 on trial (canary), drained`.
impl fmt::Display for SavedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.live() {
            Some(live) => write!(f, "version {} is live", live.number)?,
            None => f.write_str("no version is live")?,
        }
        if let Some((candidate, trial)) = self.candidate() {
            write!(f, ", version {} on trial ({})", candidate.number, trial.stage.name())?;
        }
        f.write_str(if self.drained { ", drained" } else { "" })
    }
}

impl SavedState {
    /// The version that serves.
    pub fn live(&self) -> Option<&Entry> {
        self.versions.iter().find(|entry| entry.status == VersionStatus::Live)
    }

    /// The candidate and its trial.
    pub fn candidate(&self) -> Option<(&Entry, Trial)> {
        self.versions.iter().find(|entry| entry.status == VersionStatus::Candidate).zip(self.trial)
    }

    /// The version that decides where the live one fails.
    pub fn previous(&self) -> Option<&Entry> {
        self.versions.iter().find(|entry| Some(entry.number) == self.probation_after)
    }

    /// The modules of all versions.
    pub fn modules(&self) -> HashSet<Digest> {
        self.versions.iter().flat_map(|entry| entry.modules.iter().copied()).collect()
    }
}
