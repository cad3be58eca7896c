//! A project's folder, the files that its build needs, and the commands that the build runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use anyhow::{Context as _, anyhow, bail};
use pointsman_wasm::abi::v0_1::WIT;
use pointsman_wasm::module::Symbols;

use crate::sdk::{self, Age, Copy, Language};

pub struct Project {
    pub folder: PathBuf,
    pub language: Language,
    pub sdk: PathBuf,
    /// The WIT package.
    pub wit: PathBuf,
    pub symbols: Symbols,
    /// A folder for intermediate files. Removed at the end.
    work: tempfile::TempDir,
}

impl Project {
    pub fn open(folder: &Path, language: Language, sdk: Option<&Path>, symbols: Symbols) -> anyhow::Result<Project> {
        let absolute =
            |path: &Path| fs::canonicalize(path).with_context(|| format!("there is no folder {}", path.display()));
        let folder = absolute(folder)?;
        let work = tempfile::Builder::new().prefix("pointsman-build").tempdir().context("no temporary folder")?;
        let own = folder.join("pointsman");
        let sdk = match sdk {
            Some(sdk) => absolute(sdk)?,
            None if own.is_dir() => {
                warn_of_other_version(&own, language)?;
                own
            }
            None if let Some(package) = installed(&folder, language) => package,
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
        Ok(Project { folder, language, sdk, wit, symbols, work })
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

/// The SDK's folder in a project that has it as a package of npm or of Zig.
fn installed(project: &Path, language: Language) -> Option<PathBuf> {
    match language {
        Language::Js | Language::Ts | Language::As => {
            let package = project.join("node_modules/pointsman");
            package.is_dir().then_some(package)
        }
        // `zig fetch` names the folder by the hash that it writes to the manifest.
        Language::Zig => {
            let manifest = fs::read_to_string(project.join("build.zig.zon")).ok()?;
            let packages = fs::read_dir(project.join("zig-pkg")).ok()?.flatten();
            let mut named = packages.filter(|package| {
                let name = package.file_name().to_string_lossy().into_owned();
                name.starts_with("pointsman-") && manifest.contains(&format!("\"{name}\""))
            });
            named.next().map(|package| package.path())
        }
        _ => None,
    }
}

/// The build goes on: an SDK of another version may well work.
fn warn_of_other_version(sdk: &Path, language: Language) -> anyhow::Result<()> {
    let age = Copy::open(sdk, language).with_context(|| format!("cannot read {}", sdk.display()))?.age();
    let advice = match age {
        Age::Newer(_) => "update the program",
        _ => "`pointsman sdk update` replaces it",
    };
    if let Some(difference) = age.difference() {
        eprintln!("warning: {} {difference}: {advice}", sdk.display());
    }
    Ok(())
}

/// The files that a module starts with, by language.
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

/// The languages of which a folder has the file that a module starts with.
pub fn languages_of(folder: &Path) -> Vec<Language> {
    FIRST_FILES.into_iter().filter(|(name, _)| folder.join(name).is_file()).map(|(_, language)| language).collect()
}

/// Detects the language of a project by the file that its module starts with.
pub fn language_of(folder: &Path) -> anyhow::Result<Language> {
    match languages_of(folder).as_slice() {
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

/// Runs a build step, whose name is what it does: `compiling router.c`. Its author sees the name, and what the program
/// writes: standard error as it comes, which has the warnings of a build that succeeds; standard output if it fails.
pub fn run(step: &str, command: &mut Command) -> anyhow::Result<()> {
    let output = output_of(step, command)?;
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stdout));
    Err(failed(step, command, output.status))
}

/// Runs a build step whose standard output is for this program, and returns it.
pub fn run_for_output(step: &str, command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = output_of(step, command)?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(failed(step, command, output.status)),
    }
}

/// Asks a program about itself, such as its version. Nothing is shown.
pub fn ask(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let program = program_of(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{program}`"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    bail!("`{program}` ended with {}: {}", output.status, message.lines().last().unwrap_or("it gave no reason"))
}

fn output_of(step: &str, command: &mut Command) -> anyhow::Result<Output> {
    eprintln!("{step}");
    let run = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    run.and_then(Child::wait_with_output).with_context(|| format!("{step}: cannot run `{}`", program_of(command)))
}

fn failed(step: &str, command: &Command, status: ExitStatus) -> anyhow::Error {
    anyhow!("{step} failed: `{}` ended with {status}, see its message above", program_of(command))
}

/// The program's name, without its arguments: they are long, and none of them is the author's. A Python module that
/// works as a program is named too.
fn program_of(command: &Command) -> String {
    let mut arguments = command.get_args();
    let program = command.get_program().to_string_lossy();
    match (arguments.next(), arguments.next()) {
        (Some(option), Some(module)) if option == "-m" => format!("{program} -m {}", module.to_string_lossy()),
        _ => program.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_sdk_is_found_where_its_package_manager_puts_it() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path();
        for package in ["node_modules/pointsman", "zig-pkg/pointsman-0.1.0-old", "zig-pkg/pointsman-0.1.0-new"] {
            fs::create_dir_all(project.join(package)).unwrap();
        }
        for language in [Language::Js, Language::Ts, Language::As] {
            assert_eq!(installed(project, language), Some(project.join("node_modules/pointsman")));
        }
        assert_eq!(installed(project, Language::C), None);
        assert_eq!(installed(project, Language::Zig), None, "no manifest names one");
        fs::write(project.join("build.zig.zon"), r#".{ .hash = "pointsman-0.1.0-new" }"#).unwrap();
        assert_eq!(installed(project, Language::Zig), Some(project.join("zig-pkg/pointsman-0.1.0-new")));
    }
}
