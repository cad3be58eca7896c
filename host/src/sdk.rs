//! The SDKs, embedded in the program so that it can create and build a project on its own. Each contains the WIT
//! package, which each project gets a copy of.

use std::fs;
use std::io;
use std::path::Path;

use clap::ValueEnum;

/// A path relative to the repository, and the file's bytes; `build.rs` lists them.
type File = (&'static str, &'static [u8]);

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Languages that have an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Rust,
    C,
    /// C++
    #[value(alias = "c++")]
    Cpp,
    Zig,
    Go,
    /// JavaScript
    #[value(alias = "javascript")]
    Js,
    /// TypeScript
    #[value(alias = "typescript")]
    Ts,
    Python,
    /// AssemblyScript
    #[value(alias = "assemblyscript")]
    As,
}

impl Language {
    /// The name for `--lang`, and of the SDK's folder.
    pub fn short(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Zig => "zig",
            Language::Go => "go",
            Language::Js => "js",
            Language::Ts => "ts",
            Language::Python => "python",
            Language::As => "as",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::C => "C",
            Language::Cpp => "C++",
            Language::Zig => "Zig",
            Language::Go => "Go",
            Language::Js => "JavaScript",
            Language::Ts => "TypeScript",
            Language::Python => "Python",
            Language::As => "AssemblyScript",
        }
    }
}

/// Pages and folders of the repository, relative to the SDK's folder there, and the same in a project's SDK.
const MOVED: [(&str, &str); 4] =
    [("../../wit/0.1", "wit"), ("../js", "README.md"), ("../js/README.md", "README.md"), ("../ts", TYPESCRIPT_PAGE)];

/// TypeScript's own page, beside the one that it shares with JavaScript.
const TYPESCRIPT_PAGE: &str = "TypeScript.md";

/// Writes the SDK, with the contract, into a folder.
pub fn write_sdk(language: Language, folder: &Path) -> io::Result<()> {
    let sdk = match language {
        Language::Ts => Language::Js.short(),
        // The package itself, since Python imports a project's folder `pointsman`.
        Language::Python => "python/pointsman",
        _ => language.short(),
    };
    let prefix = format!("guest-sdk/{sdk}/");
    let of_language = FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, *bytes)));
    let mut pages = Vec::new();
    for (path, bytes) in of_language.filter(|(path, _)| !path.split('/').any(|part| part == "template")) {
        let file = folder.join(path);
        write(&file, bytes)?;
        pages.extend(path.ends_with(".md").then_some(file));
    }
    if language == Language::Ts {
        for (_, bytes) in FILES.iter().filter(|(path, _)| *path == "guest-sdk/ts/README.md") {
            write(&folder.join(TYPESCRIPT_PAGE), bytes)?;
            pages.push(folder.join(TYPESCRIPT_PAGE));
        }
    }
    for page in pages {
        let text = page_in_project(&fs::read_to_string(&page)?, page.parent().unwrap_or(folder));
        fs::write(&page, text)?;
    }
    Ok(())
}

/// A page with the links that lead somewhere in a project's SDK; each other link to a file becomes the path that it has
/// in the repository.
fn page_in_project(page: &str, folder: &Path) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, (target, after))) =
        rest.split_once("](").and_then(|(before, after)| Some((before, after.split_once(')')?)))
    {
        let (before, label) = before.rsplit_once('[').unwrap_or((before, ""));
        let (path, fragment) = target.find('#').map_or((target, ""), |at| target.split_at(at));
        let here = MOVED.iter().find(|(old, _)| *old == path).map_or(path, |(_, new)| *new);
        out += before;
        out += &match here.is_empty() || here.contains("://") || folder.join(here).exists() {
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
    use super::*;

    #[test]
    fn every_language_has_an_sdk_a_page_and_a_template() {
        for language in Language::value_variants() {
            let folder = tempfile::tempdir().unwrap();
            write_sdk(*language, &folder.path().join("pointsman")).unwrap();
            write_template(*language, "shop", folder.path()).unwrap();
            assert!(folder.path().join("pointsman/README.md").exists(), "{language:?}");
            let routers = files_below(folder.path()).into_iter().filter(|path| !path.starts_with("pointsman/"));
            let all: Vec<String> = routers.collect();
            assert!(all.iter().any(|path| path.contains("router.") || path == "src/lib.rs"), "{language:?}: {all:?}");
        }
    }

    #[test]
    fn links_out_of_the_sdk_name_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wit")).unwrap();
        fs::write(folder.path().join("c.h"), "").unwrap();
        for (page, in_project) in [
            ("[The WIT](../../wit/0.1) and [c.h](c.h)", "[The WIT](wit) and [c.h](c.h)"),
            ("see [examples/](../../examples), or", "see `examples/` in Pointsman's repository, or"),
            (
                "[a](#b) is [empty](../../docs/modules.md#wasi). In [TypeScript](../ts):",
                "[a](#b) is empty (`docs/modules.md#wasi` in Pointsman's repository). In TypeScript (`guest-sdk/ts` in \
                 Pointsman's repository):",
            ),
        ] {
            assert_eq!(page_in_project(page, folder.path()), in_project);
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
