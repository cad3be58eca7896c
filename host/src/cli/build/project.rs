//! A project's folder, the files that its build needs, and the commands that the build runs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use pointsman_wasm::abi::v0_1::WIT;

use crate::sdk::{self, Language};

pub struct Project {
    pub folder: PathBuf,
    pub language: Language,
    pub sdk: PathBuf,
    /// The WIT package.
    pub wit: PathBuf,
    /// A folder for intermediate files. Removed at the end.
    work: tempfile::TempDir,
}

impl Project {
    pub fn open(folder: &Path, language: Language, sdk: Option<&Path>) -> anyhow::Result<Project> {
        let absolute =
            |path: &Path| fs::canonicalize(path).with_context(|| format!("there is no folder {}", path.display()));
        let folder = absolute(folder)?;
        let work = tempfile::Builder::new().prefix("pointsman-build").tempdir().context("no temporary folder")?;
        let own = folder.join("pointsman");
        let sdk = match sdk {
            Some(sdk) => absolute(sdk)?,
            None if own.is_dir() => own,
            None => {
                let sdk = work.path().join("pointsman");
                sdk::write_sdk(language, &sdk).context("cannot write the SDK")?;
                sdk
            }
        };
        let wit = work.path().join("wit");
        fs::create_dir(&wit).context("cannot write the WIT package")?;
        for (name, text) in WIT {
            fs::write(wit.join(name), text).context("cannot write the WIT package")?;
        }
        Ok(Project { folder, language, sdk, wit, work })
    }

    /// The path of an intermediate file.
    pub fn between(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// A source file that must exist.
    pub fn source(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        match path.is_file() {
            true => Ok(path),
            false => bail!(
                "{} has no {name}: it is what a {} module begins with",
                self.folder.display(),
                self.language.name()
            ),
        }
    }
}

/// Detects the language of a project by the file that its module starts with.
pub fn language_of(folder: &Path) -> anyhow::Result<Language> {
    const FIRST_FILES: [(&str, Language); 9] = [
        ("Cargo.toml", Language::Rust),
        ("router.go", Language::Go),
        ("router.c", Language::C),
        ("router.cpp", Language::Cpp),
        ("router.zig", Language::Zig),
        ("router.py", Language::Python),
        ("assembly/router.ts", Language::As),
        ("router.ts", Language::Ts),
        ("router.js", Language::Js),
    ];
    let found: Vec<Language> =
        FIRST_FILES.into_iter().filter(|(name, _)| folder.join(name).is_file()).map(|(_, language)| language).collect();
    match found.as_slice() {
        [language] => Ok(*language),
        [] => {
            let names: Vec<&str> = FIRST_FILES.into_iter().map(|(name, _)| name).collect();
            bail!("{} is not a project: it has none of {}. See `pointsman new`", folder.display(), names.join(", "))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|language| language.short()).collect();
            bail!("{} could be a project in any of {}: choose one with --lang", folder.display(), names.join(", "))
        }
    }
}

/// Runs a build step. Its output is shown if it fails.
pub fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    bail!("{program} {} ended with {}: see its message above", arguments.join(" "), output.status)
}
