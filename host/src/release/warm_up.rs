//! Which modules are warmed up, and with which requests.

use pointsman_rules::config::{ModuleConfig, Warm};
use pointsman_rules::request::WrittenRequest;
use pointsman_wasm::module::{Moment, WarmUp};

use crate::release::Tests;

/// Minimum size, in bytes, of a module file that contains a language runtime: the smallest known one is 1.1 MB, with
/// QuickJS. A smaller module makes its first decision in about 20 us, which is not worth building it twice.
const LARGE: usize = 1024 * 1024;

/// The requests from a module's tests, or a plain one if the operator wants the module warmed up in any case.
pub fn warm_up(module: &ModuleConfig, size: usize) -> Option<WarmUp> {
    let tests = || {
        // Running the tests reports errors in them.
        let tests = Tests::beside(&module.path).ok().flatten();
        tests.map(|tests| tests.requests(WarmUp::MOST)).filter(|requests| !requests.is_empty())
    };
    match module.warm {
        Warm::Never => None,
        Warm::Auto if size < LARGE => None,
        Warm::Auto => tests().map(|requests| WarmUp { requests, moment: Moment::MustNot }),
        Warm::Always => {
            let requests = tests().unwrap_or_else(|| vec![WrittenRequest::get("http://localhost/")]);
            Some(WarmUp { requests, moment: Moment::MayStay })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[track_caller]
    fn check(path: &Path, warm: Warm, size: usize, expected: Option<(&str, Moment)>) {
        let module = ModuleConfig { path: path.to_owned(), config: serde_json::json!({}), warm };
        let found = warm_up(&module, size);
        let found = found.as_ref().map(|found| (found.requests[0].url.as_str(), found.moment));
        assert_eq!(found, expected, "{warm:?}, {size} bytes");
    }

    #[test]
    fn large_modules_with_tests_are_warmed_up_unless_the_operator_says_otherwise() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("router.wasm");
        let plain = Some(("http://localhost/", Moment::MayStay));
        check(&path, Warm::Auto, 2 * LARGE, None);
        check(&path, Warm::Always, 1, plain);
        let tests = r#"[{"name": "a", "request": {"url": "http://a/"}, "expect": {"respond": {}}}]"#;
        std::fs::write(path.with_extension("tests.json"), tests).expect("tests");
        check(&path, Warm::Auto, LARGE, Some(("http://a/", Moment::MustNot)));
        check(&path, Warm::Auto, LARGE - 1, None);
        check(&path, Warm::Always, 1, Some(("http://a/", Moment::MayStay)));
        check(&path, Warm::Never, LARGE, None);
        std::fs::write(path.with_extension("tests.json"), "[{}]").expect("tests");
        check(&path, Warm::Auto, LARGE, None);
        check(&path, Warm::Always, 1, plain);
    }
}
