//! `pointsman new`: creates a project that builds, with a test, a configuration and the commands.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::{Outcome, print};
use crate::sdk::{self, Language};

pub const EXAMPLES: &str = "\
Examples:
  pointsman new shop --lang go
  pointsman new shop --lang python --folder routers/shop";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The project's name: lower-case letters, digits and hyphens, with a letter first
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// The language to write it in
    #[arg(short, long, value_name = "LANG")]
    lang: Language,
    /// The project's folder [default: its name, in the current folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Checks a project's name against the rules that Cargo, npm and Go share.
fn name(text: &str) -> Result<String, String> {
    let follows = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_name = text.starts_with(|letter: char| letter.is_ascii_lowercase()) && text.chars().all(follows);
    match is_name && text.len() <= 64 && text != "pointsman" {
        true => Ok(text.to_owned()),
        false => Err(
            "a name is lower-case letters, digits and hyphens, with a letter first, at most 64, and not `pointsman`"
                .to_owned(),
        ),
    }
}

/// What a name is already in the language, if a project of that name would not build.
fn taken(name: &str, language: Language) -> Option<&'static str> {
    match (language, name) {
        (Language::Rust, "std" | "core" | "alloc" | "proc-macro" | "test") => Some("a crate of Rust's own library"),
        (Language::Rust, "pointsman-guest") => Some("the SDK's crate"),
        _ => None,
    }
}

pub fn new(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Arguments { name, lang, .. } = arguments;
    if let Some(taken) = taken(name, *lang) {
        bail!("`{name}` is {taken}: choose another name");
    }
    let folder = arguments.folder.clone().unwrap_or_else(|| PathBuf::from(name));
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        bail!("{} exists already: a project needs a new folder (see --folder)", folder.display());
    }
    make(&folder, name, *lang).with_context(|| format!("cannot write to {}", folder.display()))?;
    print::line(next_steps(&folder, *lang));
    Ok(Outcome::Success)
}

fn make(folder: &Path, name: &str, language: Language) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    sdk::write_sdk(language, &folder.join("pointsman"))?;
    sdk::write_template(language, name, folder)?;
    fs::write(folder.join("pointsman.toml"), CONFIGURATION.replace("{{name}}", name))?;
    fs::write(folder.join("router.tests.json"), TESTS)?;
    for (path, content) in sdk::editor_files(language) {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, format!("{content:#}\n"))?;
    }
    fs::write(folder.join("README.md"), readme(name, language))
}

fn next_steps(folder: &Path, language: Language) -> String {
    let (folder, language) = (folder.display(), language.name());
    format!(
        "The {language} module is in {folder}. Now:\n\n  cd {folder}\n  pointsman build --get-tools  # makes router.wasm; \
         gets what is missing of the toolchain\n  pointsman test               # runs the native tests, and \
         router.tests.json on the module\n  pointsman dev                # serves it, and builds it again when a source \
         is saved\n\nSee README.md."
    )
}

const CONFIGURATION: &str = r#"#:schema pointsman/schemas/pointsman.schema.json
[[listener]]
name = "web"
address = "127.0.0.1:8080"

[[tenant]]
name = "{{name}}"
hostnames = ["*"]

[[tenant.module]]
path = "router.wasm"

[tenant.module.config]
stable = "127.0.0.1:9101"
canary = "127.0.0.1:9102"

[tenant.grants]
networks = ["127.0.0.0/8"]    # upstreams on this machine
"#;

const TESTS: &str = r#"[
  {
    "name": "requests go to the stable side",
    "request": {"url": "http://shop.example/cart"},
    "expect": {"connect": {"peer": {"connection": {"address": "127.0.0.1:9101"}}, "note": "stable"}}
  },
  {
    "name": "the header chooses the canary",
    "request": {"url": "http://shop.example/cart", "headers": [["x-canary", "1"]]},
    "expect": {"connect": {"peer": {"connection": {"address": "127.0.0.1:9102"}}, "note": "canary"}}
  }
]
"#;

/// The router's file.
fn router_file(language: Language) -> &'static str {
    match language {
        Language::Rust => "src/lib.rs",
        Language::C => "router.c",
        Language::Cpp => "router.cpp",
        Language::Zig => "router.zig",
        Language::Go => "router.go",
        Language::Js => "router.js",
        Language::Ts => "router.ts",
        Language::Python => "router.py",
        Language::As => "assembly/router.ts",
    }
}

/// The command that runs a project's native tests.
pub fn native_tests(language: Language) -> &'static str {
    match language {
        Language::Rust => "cargo test",
        Language::C | Language::Cpp => "make test",
        Language::Zig => "zig build test",
        Language::Go => "go test .",
        Language::Js | Language::Ts => "npm test",
        Language::Python => "python3 -m unittest",
        Language::As => "npm install && node --test tests/",
    }
}

/// For native tests that run a program which `--get-tools` may have got.
const SET_PATH: &str =
    "export PATH=\"${XDG_CACHE_HOME:-$HOME/.cache}/pointsman/bin:$PATH\"  # finds what --get-tools got\n";

fn readme(name: &str, language: Language) -> String {
    let (router, native) = (router_file(language), native_tests(language));
    let path = if matches!(language, Language::Zig | Language::Go) { SET_PATH } else { "" };
    // The page that TypeScript shares with JavaScript is not its only one.
    let pages = match language {
        Language::Ts => "README.md and TypeScript.md show",
        _ => "README.md shows",
    };
    let language = language.name();
    format!(
        "# {name}

A Pointsman routing module in {language}: `{router}` decides, for each request, which upstream it goes to. As it stands, the
header `x-canary` chooses the upstream `canary`; all other requests go to `stable`.

| file | what it is |
|---|---|
| `{router}` | the router |
| `pointsman/` | the SDK; its {pages} what a router can do. `pointsman/wit/` says what becomes of each field. \
         `pointsman sdk update` brings the SDK of a newer program |
| `pointsman.toml` | a configuration to run it with: a listener, and the addresses of the upstreams |
| `.vscode/` | for Visual Studio Code: schemas of the two files, tasks, and a debugger for the native tests |
| `router.tests.json` | requests, and where they are to go. A new version goes live only if they pass |

```sh
pointsman build --get-tools  # makes router.wasm; gets what is missing of the toolchain
{path}{native:<28} # tests the router alone, natively
pointsman test               # runs the native tests, and router.tests.json on the module
pointsman check              # checks the configuration, loads the module and runs router.tests.json
pointsman decide -H 'x-canary: 1' http://shop.example/
pointsman dev                # serves on 127.0.0.1:8080, and builds the router again when a source is saved
```

In another terminal, upstreams to try it with, and a request:

```sh
python3 -m http.server 9101 & python3 -m http.server 9102 &
curl -H 'x-canary: 1' http://127.0.0.1:8080/
```
"
    )
}
