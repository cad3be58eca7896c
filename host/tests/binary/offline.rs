//! The author's commands that need no proxy: `check`, `decide` and `test`, and the modules that they compile once.

use std::fs::{self, File, FileTimes};
use std::time::SystemTime;

use tempfile::TempDir;

use crate::cli::{ends_in, json};
use crate::running::repository;

/// A project with the module of the example `fixed`, these tests, and a cache folder of its own.
fn project(tests: &str) -> TempDir {
    project_of("fixed", "[tenant.module.config]\naddress = \"127.0.0.1:9101\"\n", tests)
}

/// The same with the module of any example, and these tables of its tenant.
fn project_of(example: &str, tables: &str, tests: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let module = repository().join(format!("target/modules/{example}.wasm"));
    fs::copy(module, folder.path().join("router.wasm")).expect("`make modules` built it");
    fs::write(folder.path().join("router.tests.json"), tests).expect("written");
    let config = format!(
        "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n[[tenant]]\nname = \"shop\"\nhostnames = [\"*\"]\n\
         [[tenant.module]]\npath = \"router.wasm\"\n{tables}[tenant.grants]\nnetworks = [\"127.0.0.0/8\"]\n"
    );
    fs::write(folder.path().join("pointsman.toml"), config).expect("written");
    folder
}

const TESTS: &str = r#"[
    {"name": "all go there", "request": {"url": "http://a.test/"},
     "expect": {"connect": {"peer": {"connection": {"address": "127.0.0.1:9101"}}}}},
    {"name": "a wrong address", "request": {"url": "http://a.test/"},
     "expect": {"connect": {"peer": {"connection": {"address": "127.0.0.1:9"}}}}},
    {"name": "a wrong name", "request": {"url": "http://a.test/"},
     "expect": {"connect": {"peer": {"address": "127.0.0.1:9101"}}}}
]"#;

#[test]
fn test_shows_each_test_and_every_difference() {
    let project = project(TESTS);
    let junit = project.path().join("out.xml");
    let (printed, _) = ends_in(project.path(), 3, &["test", "--junit", "out.xml"]);
    let expected = "router.tests.json (shop)\n  ok      all go there\n  FAILED  a wrong address\n          \
                    `connect.peer.connection.address` is \"127.0.0.1:9101\", expected \"127.0.0.1:9\"\n  \
                    FAILED  a wrong name\n          `connect.peer.address` is missing, expected \"127.0.0.1:9101\"; \
                    `connect.peer` has `";
    assert!(printed.starts_with(expected), "{printed}");
    assert!(printed.ends_with("1 passed, 2 failed\n"), "{printed}");
    let report = fs::read_to_string(junit).expect("a report");
    assert!(report.contains(r#"<testsuites name="pointsman test" tests="3" failures="2""#), "{report}");

    let (printed, _) = ends_in(project.path(), 0, &["test", "--filter", "all"]);
    assert!(printed.ends_with("1 passed, 0 failed\n"), "{printed}");

    let (_, errors) = ends_in(project.path(), 1, &["test", "--filter", "al1"]);
    assert!(errors.contains("no test has a name that contains `al1`"), "{errors}");
}

#[test]
fn update_rewrites_what_failed_and_nothing_else() {
    let project = project(TESTS);
    let file = project.path().join("router.tests.json");
    let (printed, _) = ends_in(project.path(), 0, &["test", "--update", "--filter", "a wrong address"]);
    assert!(printed.contains("  updated a wrong address\n          `connect.peer.connection.address` is"), "{printed}");
    assert!(printed.ends_with("0 passed, 0 failed, 1 updated\n"), "{printed}");
    let expected = TESTS.replace(
        r#"{"connect": {"peer": {"connection": {"address": "127.0.0.1:9"}}}}"#,
        r#"{"connect":{"peer":{"connection":{"address":"127.0.0.1:9101"}}}}"#,
    );
    assert_eq!(fs::read_to_string(&file).expect("tests"), expected);
    ends_in(project.path(), 0, &["test", "--update"]);
    let (printed, _) = ends_in(project.path(), 0, &["test"]);
    assert!(printed.ends_with("3 passed, 0 failed\n"), "{printed}");
}

#[test]
fn tests_give_stored_entries_and_another_configuration() {
    let tests = r#"[
        {"name": "the last one", "request": {"url": "http://a.test/"}, "given": {"shared": {"minute/127.0.0.1": 4}},
         "expect": {"connect": {}}},
        {"name": "one too many", "request": {"url": "http://a.test/"}, "given": {"shared": {"minute/127.0.0.1": 5}},
         "expect": {"respond": {"status": 429}}},
        {"name": "a lower limit", "request": {"url": "http://a.test/"},
         "given": {"shared": {"minute/127.0.0.1": 1}, "config": {"upstream": "127.0.0.1:1", "per_minute": 1}},
         "expect": {"respond": {"status": 429}}},
        {"name": "a wrong configuration", "request": {"url": "http://a.test/"}, "given": {"config": {}},
         "expect": {"refused": {"code": "module-declined"}}},
        {"name": "a wrong entry", "request": {"url": "http://a.test/"}, "given": {"shared": {"a": null}},
         "expect": {"connect": {}}}
    ]"#;
    let config = "[tenant.module.config]\nupstream = \"127.0.0.1:9101\"\nper_minute = 5\n";
    let project = project_of("quota", config, tests);
    let (printed, _) = ends_in(project.path(), 3, &["test"]);
    assert!(printed.contains("  FAILED  a wrong entry\n          `given.shared`: `a`: an integer is"), "{printed}");
    assert!(printed.ends_with("4 passed, 1 failed\n"), "{printed}");
    // The tests of a proxy are the same.
    let (_, errors) = ends_in(project.path(), 3, &["check"]);
    assert!(errors.contains("router.tests.json`: test `a wrong entry`: `given.shared`"), "{errors}");
}

#[test]
fn tests_give_random_numbers_and_the_state_of_upstreams() {
    let members = |first: &str, second: &str| {
        format!(r#"[{{"address": "127.0.0.1:9101", {first}}}, {{"address": "127.0.0.1:9102", {second}}}]"#)
    };
    let test = |name: &str, upstreams: String, port: u16| {
        format!(
            r#"{{"name": "{name}", "request": {{"url": "http://a.test/"}},
                "given": {{"random": [0], "now": "2026-12-01T09:00:00Z", "upstreams": {upstreams}}},
                "expect": {{"connect": {{"peer": {{"connection": {{"address": "127.0.0.1:{port}"}}}}}}}}}}"#
        )
    };
    let tests = [
        test("the other one is ill", members(r#""health": "unhealthy""#, r#""health": "healthy""#), 9102),
        test("this one failed", members(r#""failures": 3"#, r#""latency-us": 900"#), 9102),
        test("that one is slow", members(r#""latency-us": 100"#, r#""latency-us": 900"#), 9101),
        test("this one is busy", members(r#""latency-us": 100, "in-flight": 9"#, r#""latency-us": 900"#), 9102),
    ];
    let group = "[[tenant.group]]\nname = \"backends\"\naddresses = [\"127.0.0.1:9101\", \"127.0.0.1:9102\"]\n";
    let project = project_of("least-loaded", group, &format!("[{}]", tests.join(",")));
    let (printed, _) = ends_in(project.path(), 0, &["test"]);
    // 100 us for each of ten requests is more than 900 us for one.
    assert!(printed.ends_with("4 passed, 0 failed\n"), "{printed}");
}

#[test]
fn bench_measures_every_way_and_compares_modules() {
    let project = project(r#"[{"name": "a", "request": {"url": "http://a.test/"}, "expect": {"connect": {}}}]"#);
    let other = project.path().join("other.wasm");
    fs::copy(project.path().join("router.wasm"), other).expect("copied");
    let (printed, _) =
        ends_in(project.path(), 0, &["bench", "--decisions", "100", "--json", "--compare", "other.wasm"]);
    let printed = json(&printed);
    assert_eq!((&printed["requests"], &printed["source"]), (&1.into(), &"router.tests.json".into()));
    for (report, path) in printed["reports"].as_array().expect("reports").iter().zip(["router.wasm", "other.wasm"]) {
        assert_eq!(report["modules"][0]["path"], path);
        for way in report["ways"].as_array().expect("ways") {
            let times = &way["nanoseconds"];
            // Where the kernel does not report written pages, nothing is rewound.
            match way["way"] == "rewound" && times.is_null() {
                true => assert!(way["impossible"].is_string(), "{way}"),
                false => assert!(times["p50"].as_u64() > Some(0) && times["p50"].as_u64() <= times["worst"].as_u64()),
            }
            assert_eq!(way["failed"], 0);
        }
    }
    let (printed, _) = ends_in(project.path(), 0, &["bench", "--decisions", "100"]);
    for line in ["WAY ", "new ", "cached ", "LIMIT ", "limits.decision_ms ", "limits.host_calls "] {
        assert!(printed.lines().any(|printed| printed.starts_with(line)), "{line}: {printed}");
    }
}

#[test]
fn bench_says_why_a_decision_is_not_cached() {
    let config = "[tenant.module.config]\nupstream = \"127.0.0.1:9101\"\n";
    let project = project_of("quota", config, "[]");
    let (printed, _) = ends_in(project.path(), 0, &["bench", "--decisions", "100"]);
    assert!(printed.contains("requests: 1 (GET http://localhost/, since there are no tests)"), "{printed}");
    assert!(printed.contains("\nnot cached: it reads shared.add(\"minute/127.0.0.1\")\n"), "{printed}");
}

#[test]
fn check_names_every_failed_test_and_counts_those_that_pass() {
    let project = project(TESTS);
    let (_, errors) = ends_in(project.path(), 3, &["check"]);
    assert!(errors.contains("test `a wrong address`: `connect.peer.connection.address` is"), "{errors}");
    assert!(errors.contains("; test `a wrong name`: `connect.peer.address` is missing"), "{errors}");
    let passing = r#"[{"name": "a", "request": {"url": "http://a.test/"}, "expect": {"connect": {}}}]"#;
    fs::write(project.path().join("router.tests.json"), passing).expect("written");
    let (printed, _) = ends_in(project.path(), 0, &["check"]);
    assert!(printed.contains("modules: 1, tests: 1)"), "{printed}");
}

#[test]
fn test_that_expects_nothing_is_refused() {
    let project = project(r#"[{"name": "all", "request": {"url": "http://a.test/"}, "expect": {}}]"#);
    for command in ["check", "test"] {
        let (_, errors) = ends_in(project.path(), 3, &[command]);
        assert!(errors.contains("test `all` has an empty `expect`"), "{errors}");
    }
}

#[test]
fn module_is_compiled_once_for_all_commands() {
    let project = project("[]");
    ends_in(project.path(), 0, &["check"]);
    let cache = project.path().join("cache/pointsman/modules");
    let files = || fs::read_dir(&cache).expect("a folder").map(|file| file.expect("a file").path()).collect::<Vec<_>>();
    let [file] = files().try_into().expect("one compiled module");
    // A use sets the file's time.
    let used = || {
        let modified = fs::metadata(&file).expect("it is there").modified().expect("a time");
        File::options()
            .write(true)
            .open(&file)
            .expect("it opens")
            .set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))
            .expect("set");
        modified > SystemTime::UNIX_EPOCH
    };
    assert!(used());
    let decide = ["decide", "--config", "pointsman.toml", "http://a.test/"];
    for arguments in [&decide[..], &["test"], &["inspect", "router.wasm"], &["check"]] {
        ends_in(project.path(), 0, arguments);
        assert!(used(), "{arguments:?}");
    }
    assert_eq!(files(), [file]);
}

#[test]
fn cache_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let project = project("[]");
    let cache = project.path().join("cache/pointsman/modules");
    fs::create_dir_all(&cache).expect("a folder");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("set");
    let (_, errors) = ends_in(project.path(), 0, &["check"]);
    assert!(errors.contains("warning: compiled modules are not kept in"), "{errors}");
    assert_eq!(fs::read_dir(&cache).expect("a folder").count(), 0);
}
