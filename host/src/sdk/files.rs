//! The embedded files: an SDK and a template for each language.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::sdk::Language;
use crate::sdk::record::{RECORD, Record};

/// A path relative to the repository, and the file's bytes; `build.rs` lists them.
type File = (&'static str, &'static [u8]);

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Pages and folders of the repository, relative to the SDK's folder there, and the same in a project's SDK.
const MOVED: [(&str, &str); 4] =
    [("../../wit/0.1", "wit"), ("../js", "README.md"), ("../js/README.md", "README.md"), ("../ts", TYPESCRIPT_PAGE)];

/// The JSON Schemas for editors, which every project gets.
const SCHEMAS: [(&str, &str); 2] = [
    ("schemas/pointsman.schema.json", include_str!("../../../docs/schemas/pointsman.schema.json")),
    ("schemas/router.tests.schema.json", include_str!("../../../docs/schemas/router.tests.schema.json")),
];

/// TypeScript's own page, beside the one that it shares with JavaScript.
const TYPESCRIPT_PAGE: &str = "TypeScript.md";

/// Writes the SDK, with the contract and the record of its version, into a folder.
pub fn write_sdk(language: Language, folder: &Path) -> io::Result<()> {
    let files = sdk(language);
    for (path, bytes) in &files {
        write(&folder.join(path), bytes)?;
    }
    write(&folder.join(RECORD), Record::of(&files).text(language).as_bytes())
}

/// An SDK's files as a project has them, by their path in the SDK.
pub fn sdk(language: Language) -> BTreeMap<String, Cow<'static, [u8]>> {
    let folder = match language {
        Language::Ts => Language::Js.short(),
        // The package itself, since Python imports a project's folder `pointsman`.
        Language::Python => "python/pointsman",
        _ => language.short(),
    };
    let prefix = format!("guest-sdk/{folder}/");
    let of_language = FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, *bytes)));
    let mut files: BTreeMap<String, Cow<'static, [u8]>> = of_language
        .filter(|(path, _)| !path.split('/').any(|part| part == "template"))
        .map(|(path, bytes)| (path.to_owned(), Cow::Borrowed(bytes)))
        .collect();
    if language == Language::Ts {
        let page = FILES.iter().find(|(path, _)| *path == "guest-sdk/ts/README.md");
        files.extend(page.map(|(_, bytes)| (TYPESCRIPT_PAGE.to_owned(), Cow::Borrowed(*bytes))));
    }
    files.extend(SCHEMAS.map(|(path, text)| (path.to_owned(), Cow::Borrowed(text.as_bytes()))));
    let paths: Vec<String> = files.keys().cloned().collect();
    for (path, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let page = page_in_project(&String::from_utf8_lossy(bytes), |target| has(&paths, folder, target));
        *bytes = Cow::Owned(page.into_bytes());
    }
    files
}

/// Whether a path that is relative to a folder leads to one of the files, or to a folder of them.
fn has(paths: &[String], folder: &str, target: &str) -> bool {
    let target = target.trim_end_matches('/');
    let target = if folder.is_empty() { target.to_owned() } else { format!("{folder}/{target}") };
    paths.iter().any(|path| path.strip_prefix(&target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// A page with the links that lead somewhere in a project's SDK; each other link to a file becomes the path that it has
/// in the repository.
fn page_in_project(page: &str, exists: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, (target, after))) =
        rest.split_once("](").and_then(|(before, after)| Some((before, after.split_once(')')?)))
    {
        let (before, label) = before.rsplit_once('[').unwrap_or((before, ""));
        let (path, fragment) = target.find('#').map_or((target, ""), |at| target.split_at(at));
        let here = MOVED.iter().find(|(old, _)| *old == path).map_or(path, |(_, new)| *new);
        out += before;
        out += &match here.is_empty() || here.contains("://") || exists(here) {
            true => format!("[{label}]({here}{fragment})"),
            false if label.trim_end_matches('/') == in_repository(path) => {
                format!("`{label}` in Pointsman's repository")
            }
            false => format!("{label} (`{}{fragment}` in Pointsman's repository)", in_repository(path)),
        };
        rest = after;
    }
    out + rest
}

fn in_repository(path: &str) -> String {
    match path.strip_prefix("../") {
        Some(above) => above.strip_prefix("../").map_or_else(|| format!("guest-sdk/{above}"), str::to_owned),
        None => path.to_owned(),
    }
}

/// Writes the language's template files for a new project.
pub fn write_template(language: Language, name: &str, folder: &Path) -> io::Result<()> {
    let prefix = format!("guest-sdk/{}/template/", language.short());
    for (path, bytes) in FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, *bytes))) {
        let path = path.strip_suffix(".template").unwrap_or(path);
        let text = String::from_utf8_lossy(bytes).replace("{{name}}", name);
        write(&folder.join(path), text.as_bytes())?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::sdk::VERSION;

    #[test]
    fn every_language_has_an_sdk_a_page_and_a_template() {
        for language in Language::value_variants() {
            let folder = tempfile::tempdir().unwrap();
            write_sdk(*language, &folder.path().join("pointsman")).unwrap();
            write_template(*language, "shop", folder.path()).unwrap();
            for file in ["README.md", "schemas/pointsman.schema.json", "schemas/router.tests.schema.json"] {
                assert!(folder.path().join("pointsman").join(file).exists(), "{language:?}: {file}");
            }
            let routers = files_below(folder.path()).into_iter().filter(|path| !path.starts_with("pointsman/"));
            let all: Vec<String> = routers.collect();
            assert!(all.iter().any(|path| path.contains("router.") || path == "src/lib.rs"), "{language:?}: {all:?}");
        }
    }

    #[test]
    fn every_package_has_the_programs_version() {
        let file = |path: &str| {
            let found = FILES.iter().find(|(name, _)| name.strip_prefix("guest-sdk/") == Some(path));
            String::from_utf8_lossy(found.expect(path).1).into_owned()
        };
        for (path, line) in [
            ("rust/Cargo.toml", "version = \"{}\""),
            ("python/pyproject.toml", "version = \"{}\""),
            ("js/package.json", "  \"version\": \"{}\","),
            ("as/package.json", "  \"version\": \"{}\","),
            ("zig/build.zig.zon", "    .version = \"{}\","),
            ("zig/README.md", "zig fetch --save pointsman-zig-{}.tar.gz     # or its URL"),
            ("c/Makefile", "VERSION := {}"),
            ("cpp/Makefile", "VERSION := {}"),
            ("go/template/go.mod.template", "require pointsman.dev/pointsman v{}"),
            ("go/README.md", "go get pointsman.dev/pointsman@v{}"),
        ] {
            let line = line.replace("{}", VERSION);
            assert!(file(path).lines().any(|present| present == line), "{path} has no line `{line}`");
        }
        let page = include_str!("../../../docs/languages.md");
        let table = page.split("\n## ").find(|section| section.starts_with("Packages\n")).expect("the section");
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).skip(2).collect();
        assert_eq!(rows.len(), Language::value_variants().len(), "one row less for TypeScript, and one for WIT");
        for row in rows.iter().filter(|row| !row.starts_with("| WIT")) {
            assert!(row.contains(&format!("| {VERSION} |")), "{row}");
        }
    }

    #[test]
    fn links_out_of_the_sdk_name_the_repository() {
        let paths = ["wit/world.wit".to_owned(), "c.h".to_owned()];
        for (page, in_project) in [
            ("[The WIT](../../wit/0.1) and [c.h](c.h)", "[The WIT](wit) and [c.h](c.h)"),
            ("see [examples/](../../examples), or", "see `examples/` in Pointsman's repository, or"),
            (
                "[a](#b) is [empty](../../docs/modules.md#wasi). In [TypeScript](../ts):",
                "[a](#b) is empty (`docs/modules.md#wasi` in Pointsman's repository). In TypeScript (`guest-sdk/ts` in \
                 Pointsman's repository):",
            ),
        ] {
            assert_eq!(page_in_project(page, |target| has(&paths, "", target)), in_project);
        }
    }

    fn files_below(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push(path.strip_prefix(folder).unwrap().display().to_string()),
                }
            }
        }
        found
    }
}
