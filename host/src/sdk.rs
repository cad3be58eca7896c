//! The SDKs, embedded in the program so that it can create and build a project on its own. `pointsman-wasm` has the WIT
//! package.

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

/// Writes the SDK into a folder.
pub fn write_sdk(language: Language, folder: &Path) -> io::Result<()> {
    let sdk = match language {
        Language::Ts => Language::Js.short(),
        // The package itself, since Python imports a project's folder `pointsman`.
        Language::Python => "python/pointsman",
        _ => language.short(),
    };
    let prefix = format!("guest-sdk/{sdk}/");
    let of_language = FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, *bytes)));
    for (path, bytes) in of_language.filter(|(path, _)| !path.split('/').any(|part| part == "template")) {
        let file = folder.join(path);
        match (path.ends_with(".md"), std::str::from_utf8(bytes)) {
            (true, Ok(page)) => write(&file, in_project(page).as_bytes())?,
            _ => write(&file, bytes)?,
        }
    }
    Ok(())
}

/// A page as a project has it. Links that lead out of the SDK's folder name the place in the repository instead, since
/// nothing of that is in the project.
fn in_project(page: &str) -> String {
    let mut done = String::new();
    let mut rest = page;
    while let Some((before, link)) = rest.split_once("](../") {
        let (Some((before, text)), Some((target, after))) = (before.rsplit_once('['), link.split_once(')')) else {
            break;
        };
        let path = target.strip_prefix("../").map_or_else(|| format!("guest-sdk/{target}"), str::to_owned);
        done += before;
        done += &match text.trim_end_matches('/') == path {
            true => format!("`{path}` in Pointsman's repository"),
            false => format!("{text} (`{path}` in Pointsman's repository)"),
        };
        rest = after;
    }
    done + rest
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
        for (page, in_project) in [
            ("[The WIT](wit) and [c.h](c.h)", "[The WIT](wit) and [c.h](c.h)"),
            ("see [examples/](../../examples), or", "see `examples` in Pointsman's repository, or"),
            (
                "[a](b) is [empty](../../docs/modules.md#wasi). In [TypeScript](../ts):",
                "[a](b) is empty (`docs/modules.md#wasi` in Pointsman's repository). In TypeScript (`guest-sdk/ts` in \
                 Pointsman's repository):",
            ),
        ] {
            assert_eq!(super::in_project(page), in_project);
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
