//! Rules that no compiler checks: ARCHITECTURE.md's boundaries, and the form of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates of the host, each with what it must not depend on, directly or not.
const CRATES: [(&str, &str, &[&str]); 6] = [
    ("pointsman-rules", "host/rules", &["pingora", "wasmtime", "tokio", "openssl", "hickory", "hyper"]),
    ("pointsman-system", "host/system", &["pingora", "wasmtime", "tokio", "openssl", "hickory", "hyper"]),
    ("pointsman-native", "host/native", &["pingora", "wasmtime", "tokio", "openssl", "hickory", "hyper"]),
    ("pointsman-rewind", "host/rewind", &["pingora", "tokio", "openssl", "hickory", "hyper"]),
    ("pointsman-wasm", "host/wasm", &["pingora", "openssl", "hickory", "hyper"]),
    ("pointsman", "host", &[]),
];

/// The crates of the host with unsafe code, each behind a safe API.
const UNSAFE: [&str; 2] = ["host/native", "host/rewind"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder above").to_owned()
}

/// The Rust files below a folder, by their path in the repository.
fn sources(folder: &str) -> Vec<(String, String)> {
    let (root, mut folders, mut files) = (repository(), vec![repository().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a file");
                files.push((path.strip_prefix(&root).expect("a path below it").display().to_string(), text));
            }
        }
    }
    assert!(!files.is_empty(), "no source below {folder}");
    files
}

fn all_sources() -> Vec<(String, String)> {
    ["host", "tests", "examples", "guest-sdk/rust"].into_iter().flat_map(sources).collect()
}

/// A file without its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text)
        .split("#[cfg(test)]\npub mod tests {")
        .next()
        .unwrap_or(text)
}

#[test]
fn crates_have_no_forbidden_dependencies() {
    for (name, _, forbidden) in CRATES {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"])
            .current_dir(repository())
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).expect("text");
        let found: BTreeSet<&str> =
            tree.lines().filter(|line| forbidden.iter().any(|name| line.starts_with(name))).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
}

#[test]
fn pointsman_does_not_name_wasmtime_in_its_code() {
    let manifest = std::fs::read_to_string(repository().join("host/Cargo.toml")).expect("a manifest");
    let dependencies = manifest.split("[dev-dependencies]").next().expect("text");
    assert!(!dependencies.contains("wasmtime"), "code that runs Wasm belongs in pointsman-wasm");
}

/// Modules at the top of a crate import each other in one direction.
#[test]
fn rooms_import_each_other_in_one_direction() {
    for (name, folder, _) in CRATES {
        let (base, mut imports) = (format!("{folder}/src/"), BTreeMap::<String, BTreeSet<String>>::new());
        for (path, text) in sources(&base) {
            let room = path.strip_prefix(&base).expect("a path below it").split('/').next().expect("a room");
            let room = room.trim_end_matches(".rs").to_owned();
            if path.contains("/tests/") || path.ends_with("tests.rs") || room == "lib" || room == "main" {
                continue;
            }
            for after in code(&text)
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| line.match_indices("crate::").filter_map(|(at, word)| line.get(at + word.len()..)))
            {
                let other: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if !other.is_empty() && other != room {
                    imports.entry(room.clone()).or_default().insert(other);
                }
            }
        }
        // Removes rooms that import none of the remaining ones; each room that remains imports itself by way of others.
        loop {
            let rooms: BTreeSet<String> = imports.keys().cloned().collect();
            let before = imports.len();
            imports.retain(|_, others| others.iter().any(|other| rooms.contains(other)));
            if imports.len() == before {
                break;
            }
        }
        assert!(imports.is_empty(), "rooms of {name} import each other: {imports:?}");
    }
}

/// `forbid` holds for all of a crate; nothing within it can allow unsafe code again.
#[test]
fn crates_forbid_unsafe_code() {
    // The bindings that `router!` makes contain unsafe code. The benchmark's native proxy is a workspace of its own.
    let is_root = |path: &str, text: &str| {
        (path.ends_with("/lib.rs") || path.ends_with("/main.rs"))
            && !text.contains("router!")
            && !path.starts_with("tests/bench/proxies/")
    };
    let may_have_unsafe = |path: &str| UNSAFE.iter().any(|folder| path.starts_with(&format!("{folder}/")));
    let roots = ["host", "tests"].into_iter().flat_map(sources);
    let roots: Vec<_> = roots.filter(|(path, text)| is_root(path, text) && !may_have_unsafe(path)).collect();
    assert!(roots.len() > CRATES.len() - UNSAFE.len(), "{} crates", roots.len());
    for (path, root) in roots {
        assert!(root.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{path}");
    }
    for folder in UNSAFE {
        let has_unsafe = sources(folder).iter().any(|(_, text)| text.contains("unsafe {"));
        assert!(has_unsafe, "{folder}: no unsafe code any more");
    }
}

#[test]
fn files_begin_with_a_doc_comment() {
    for (path, text) in all_sources() {
        assert!(text.starts_with("//! "), "{path}: the first line is no `//!` comment");
    }
}

#[test]
fn comments_have_120_columns() {
    for (path, text) in all_sources() {
        for (number, line) in (1..).zip(text.lines()) {
            let comment = line.trim_start();
            let is_table = comment.starts_with("//! |");
            assert!(
                !comment.starts_with("//") || is_table || line.chars().count() <= 120,
                "{path}:{number}: {} columns",
                line.chars().count()
            );
        }
    }
}

/// Bindings take every comment before an item for its documentation, so a banner between two sections would become part
/// of it.
#[test]
fn every_comment_of_the_contract_documents_an_item() {
    let folder = repository().join("wit/0.1");
    for entry in std::fs::read_dir(folder).expect("the WIT package") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        for line in text.lines().map(str::trim_start).filter(|line| line.contains("//")) {
            let is_documentation = line.starts_with("///") && !line.starts_with("/// --");
            assert!(is_documentation, "{}: `{line}` is no documentation", path.display());
        }
    }
}

/// A new read must state how the cache and its bound treat it.
#[test]
fn matches_over_reads_have_no_wildcard() {
    for path in ["host/rules/src/reads.rs", "host/rules/src/decision_cache/cache_key.rs"] {
        let text = std::fs::read_to_string(repository().join(path)).expect("a file");
        assert!(text.contains("match read {") || text.contains("match self {"), "{path} has no match");
        assert!(!code(&text).lines().any(|line| line.trim_start().starts_with("_ =>")), "{path}: a wildcard");
    }
}
