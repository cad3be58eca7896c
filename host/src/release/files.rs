//! Which files of a tenant have been judged, so that none is judged twice and none is forgotten.

use pointsman_wasm::module::Digest;
use serde::{Deserialize, Serialize};

/// What a tenant's files held when they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub modules: Vec<Digest>,
    /// Of the tests beside each module, if there are any.
    pub tests: Vec<Option<Digest>>,
}

/// Who wants the files looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The watch: what was refused is not tried again until it changes.
    ByWatch,
    /// An operator: what was refused may pass by now.
    ByOrder,
}

/// What is new about files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Nothing,
    /// The tests alone: they are run on what serves.
    Tests,
    Modules,
}

/// What became of a tenant's files.
#[derive(Debug, Default)]
pub struct Seen {
    /// The last ones that passed.
    passed: Files,
    /// Those that were refused since.
    refused: Option<Files>,
}

impl Seen {
    pub fn news(&self, now: &Files, asked: Asked) -> News {
        if self.passed == *now || (asked == Asked::ByWatch && self.refused.as_ref() == Some(now)) {
            News::Nothing
        } else if self.passed.modules == now.modules {
            News::Tests
        } else {
            News::Modules
        }
    }

    pub fn pass(&mut self, now: Files) {
        *self = Seen { passed: now, refused: None };
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
    fn what_was_refused_is_tried_again_by_order_or_when_it_changes() {
        let mut seen = Seen::default();
        seen.pass(files("one", None));
        assert_eq!(seen.news(&files("one", None), Asked::ByOrder), News::Nothing);
        assert_eq!(seen.news(&files("two", None), Asked::ByWatch), News::Modules);
        seen.refuse(files("two", None));
        assert_eq!(seen.news(&files("two", None), Asked::ByWatch), News::Nothing);
        assert_eq!(seen.news(&files("two", None), Asked::ByOrder), News::Modules);
        assert_eq!(seen.news(&files("two", Some("tests")), Asked::ByWatch), News::Modules);
        assert_eq!(seen.news(&files("one", None), Asked::ByWatch), News::Nothing, "back to what passed");
    }

    #[test]
    fn tests_that_change_alone_make_no_version() {
        let mut seen = Seen::default();
        seen.pass(files("one", Some("tests")));
        assert_eq!(seen.news(&files("one", Some("others")), Asked::ByWatch), News::Tests);
        seen.refuse(files("one", Some("others")));
        assert_eq!(seen.news(&files("one", Some("others")), Asked::ByWatch), News::Nothing);
        assert_eq!(seen.news(&files("one", Some("others")), Asked::ByOrder), News::Tests);
    }
}
