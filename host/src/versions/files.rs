//! Records which files of a tenant have been checked, so that none is checked twice and none is missed.

use pointsman_wasm::module::Digest;
use serde::{Deserialize, Serialize};

/// Digests of a tenant's files, as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub modules: Vec<Digest>,
    /// Digest of the tests next to each module, if there are any.
    pub tests: Vec<Option<Digest>>,
}

/// The reason why the files are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckTrigger {
    /// The watch: refused files are not tried again until they change.
    Watch,
    /// An operator: refused files are tried again, since they may pass now.
    Operator,
}

/// The part of the files that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    Nothing,
    /// Only the tests changed: they run against the live version.
    Tests,
    Modules,
}

/// The result of the last check of a tenant's files.
#[derive(Debug, Default)]
pub struct LastCheck {
    /// The last files that passed.
    passed: Files,
    /// Files refused since then.
    refused: Option<Files>,
}

impl LastCheck {
    pub fn change(&self, now: &Files, trigger: CheckTrigger) -> FileChange {
        if self.passed == *now || (trigger == CheckTrigger::Watch && self.refused.as_ref() == Some(now)) {
            FileChange::Nothing
        } else if self.passed.modules == now.modules {
            FileChange::Tests
        } else {
            FileChange::Modules
        }
    }

    pub fn pass(&mut self, now: Files) {
        *self = LastCheck { passed: now, refused: None };
    }

    pub fn refuse(&mut self, now: Files) {
        self.refused = Some(now);
    }

    pub fn passed(&self) -> &Files {
        &self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(module: &str, tests: Option<&str>) -> Files {
        let digest = |text: &str| Digest::of(text.as_bytes());
        Files { modules: vec![digest(module)], tests: vec![tests.map(digest)] }
    }

    #[test]
    fn refused_files_are_tried_again_when_an_operator_asks_or_they_change() {
        let mut last = LastCheck::default();
        last.pass(files("one", None));
        assert_eq!(last.change(&files("one", None), CheckTrigger::Operator), FileChange::Nothing);
        assert_eq!(last.change(&files("two", None), CheckTrigger::Watch), FileChange::Modules);
        last.refuse(files("two", None));
        assert_eq!(last.change(&files("two", None), CheckTrigger::Watch), FileChange::Nothing);
        assert_eq!(last.change(&files("two", None), CheckTrigger::Operator), FileChange::Modules);
        assert_eq!(last.change(&files("two", Some("tests")), CheckTrigger::Watch), FileChange::Modules);
        assert_eq!(last.change(&files("one", None), CheckTrigger::Watch), FileChange::Nothing, "back to what passed");
    }

    #[test]
    fn change_of_the_tests_alone_makes_no_version() {
        let mut last = LastCheck::default();
        last.pass(files("one", Some("tests")));
        assert_eq!(last.change(&files("one", Some("others")), CheckTrigger::Watch), FileChange::Tests);
        last.refuse(files("one", Some("others")));
        assert_eq!(last.change(&files("one", Some("others")), CheckTrigger::Watch), FileChange::Nothing);
        assert_eq!(last.change(&files("one", Some("others")), CheckTrigger::Operator), FileChange::Tests);
    }
}
