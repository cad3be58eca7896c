//! The programs of toolchains: where they are, and how to get missing ones.
//!
//! `--get-tools` installs known-good versions in the user's cache folder; those are preferred to programs in PATH. A
//! program that is too old counts as missing. Scripts in the folder's `bin` run them for the author's shell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};

use crate::cli::build::project::{ask, run};
use crate::cli::user_cache;

/// A program and its source.
#[derive(Clone, Copy)]
pub struct Tool {
    pub program: &'static str,
    pub from: Registry,
    /// Packages, each with a version.
    pub packages: &'static [&'static str],
    pub oldest: Option<Oldest>,
    /// The project's website, for users who install the tool by other means.
    pub home: &'static str,
}

/// The oldest version of a program that works.
#[derive(Clone, Copy)]
pub struct Oldest {
    pub version: Version,
    /// The argument that makes the program print its version.
    pub argument: &'static str,
}

/// Major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// A Python virtual environment.
    Pip,
    /// A folder with `node_modules`.
    Npm,
}

pub struct Tools {
    cache: PathBuf,
    get_missing: bool,
}

impl Tools {
    pub fn new(get_missing: bool) -> anyhow::Result<Tools> {
        let cache = user_cache::folder();
        let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set: there is no cache folder")?;
        Ok(Tools { cache, get_missing })
    }

    /// A command that runs the tool.
    pub fn command(&self, tool: &Tool) -> anyhow::Result<Command> {
        let found = self.find(tool);
        if found.is_ok() || !self.get_missing {
            return found;
        }
        self.get(tool)?;
        self.find(tool)
    }

    fn missing(&self, tool: &Tool) -> anyhow::Error {
        anyhow!(
            "`{}` is neither in {} nor in PATH. {}",
            tool.program,
            self.folder(tool.from).display(),
            self.ways(tool)
        )
    }

    fn ways(&self, tool: &Tool) -> String {
        let oldest = tool.oldest.map(|oldest| format!(" ({} or later)", oldest.version));
        format!(
            "Get it with `pointsman build --get-tools`, or by hand:\n  {}\nor from {}{}",
            self.steps(tool).join(" &&\n  "),
            tool.home,
            oldest.unwrap_or_default(),
        )
    }

    /// Ensures that a tool that a script finds by itself exists: in the cache folder or the project's `node_modules`.
    pub fn provide(&self, tool: &Tool, project: &Path) -> anyhow::Result<()> {
        let is_there = || [&*self.folder(tool.from), project].into_iter().any(|folder| is_below(folder, tool));
        if !is_there() && self.get_missing {
            self.get(tool)?;
        }
        if is_there() { Ok(()) } else { Err(self.missing(tool)) }
    }

    /// Whether Zig has compiled nothing yet. It keeps what it compiles in the user's cache folder.
    pub fn is_first_use_of_zig(&self) -> bool {
        env::var_os("ZIG_GLOBAL_CACHE_DIR").is_none() && !self.cache.with_file_name("zig").is_dir()
    }

    /// The folder for Debian's Wasm compiler, on machines for which rustup has none.
    pub fn debian_rust(&self) -> PathBuf {
        self.cache.join("rust-web")
    }

    fn find(&self, tool: &Tool) -> anyhow::Result<Command> {
        let mut too_old = None;
        for candidate in self.candidates(tool) {
            match tool.oldest.map_or(Ok(()), |oldest| oldest.check(&candidate)) {
                Ok(()) => {
                    self.offer(tool, &candidate);
                    return Ok(command_of(&candidate));
                }
                Err(why) => too_old = too_old.or(Some(why)),
            }
        }
        Err(match too_old {
            Some(why) => anyhow!("{why:#}. {}", self.ways(tool)),
            None => self.missing(tool),
        })
    }

    /// Command lines that would run the tool, in order of preference.
    fn candidates(&self, tool: &Tool) -> Vec<Vec<OsString>> {
        let folder = self.folder(tool.from);
        let mut candidates: Vec<Vec<OsString>> = Vec::new();
        let kept = program_below(&folder, tool);
        if kept.is_file() {
            candidates.push(vec![kept.into()]);
        }
        // The package has no program of that name, but a Python module that works as one.
        if tool.program == "zig" && ziglang(&folder) {
            candidates.push(vec![folder.join("bin/python").into(), "-m".into(), "ziglang".into()]);
        }
        candidates.extend(in_path(tool.program).map(|path| vec![path.into()]));
        candidates
    }

    /// Makes a tool of the cache available to the author's shell: as a script in `bin`, a folder with nothing but
    /// these, which can stand first in PATH. The folders of the registries have much else in them.
    fn offer(&self, tool: &Tool, line: &[OsString]) {
        let script = self.cache.join("bin").join(tool.program);
        let is_kept = line.first().is_some_and(|program| Path::new(program).starts_with(&self.cache));
        if !is_kept || script.is_file() {
            return;
        }
        let words: Vec<String> =
            line.iter().map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"))).collect();
        let text = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(self.cache.join("bin"))?;
            fs::write(&script, text)?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        };
        // The build goes on without it.
        if let Err(error) = write() {
            eprintln!("cannot write {}: {error}", script.display());
        }
    }

    pub fn folder(&self, registry: Registry) -> PathBuf {
        self.cache.join(match registry {
            Registry::Pip => "python",
            Registry::Npm => "node",
        })
    }

    fn get(&self, tool: &Tool) -> anyhow::Result<()> {
        let folder = self.folder(tool.from);
        let step = format!("getting {} into {}", tool.packages.join(", "), folder.display());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        match tool.from {
            Registry::Pip => {
                if !folder.join("bin/pip").is_file() {
                    let step = format!("making a Python environment in {}", folder.display());
                    run(&step, Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
                }
                let mut pip = Command::new(folder.join("bin/pip"));
                run(&step, pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(tool.packages))?;
            }
            Registry::Npm => {
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-fund", "--no-audit", "--prefix"]).arg(&folder).args(tool.packages);
                run(&step, &mut npm)?;
            }
        }
        Ok(())
    }

    /// The commands that `get` would run, for users who run them themselves.
    fn steps(&self, tool: &Tool) -> Vec<String> {
        let folder = self.folder(tool.from);
        let (folder, packages) = (folder.display(), tool.packages.join(" "));
        match tool.from {
            Registry::Pip => {
                vec![format!("python3 -m venv {folder}"), format!("{folder}/bin/pip install {packages}")]
            }
            Registry::Npm => vec![format!("npm install --prefix {folder} {packages}")],
        }
    }
}

fn program_below(folder: &Path, tool: &Tool) -> PathBuf {
    folder
        .join(match tool.from {
            Registry::Pip => "bin",
            Registry::Npm => "node_modules/.bin",
        })
        .join(tool.program)
}

/// Whether a folder has the program and, of npm's packages, each: a program does not start without its packages.
fn is_below(folder: &Path, tool: &Tool) -> bool {
    let has_package = |package: &&str| {
        let name = package.rsplit_once('@').map_or(*package, |(name, _)| name);
        folder.join("node_modules").join(name).is_dir()
    };
    program_below(folder, tool).is_file() && (tool.from != Registry::Npm || tool.packages.iter().all(has_package))
}

fn ziglang(folder: &Path) -> bool {
    let Ok(versions) = fs::read_dir(folder.join("lib")) else { return false };
    versions.flatten().any(|version| version.path().join("site-packages/ziglang").is_dir())
}

/// Finds a program in PATH.
pub fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn command_of(line: &[OsString]) -> Command {
    let mut command = Command::new(line.first().map_or(OsStr::new(""), OsString::as_os_str));
    command.args(line.iter().skip(1));
    command
}

impl Oldest {
    /// Checks that the program of a command line is recent enough.
    pub fn check(self, line: &[OsString]) -> anyhow::Result<()> {
        let shown = line.join(OsStr::new(" ")).display().to_string();
        let said = ask(command_of(line).arg(self.argument))
            .with_context(|| format!("`{shown}` does not print its version"))?;
        let said = String::from_utf8_lossy(&said);
        match Version::within(&said) {
            Some(version) if version >= self.version => Ok(()),
            Some(version) => bail!("`{shown}` is version {version}; {} or later is needed", self.version),
            None => bail!("`{shown} {}` prints {:?}, which is not a version", self.argument, said.trim()),
        }
    }
}

impl Version {
    /// The first `major.minor` number in a program's version output.
    fn within(text: &str) -> Option<Version> {
        let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        words.into_iter().find_map(|word| {
            let mut parts = word.split('.').map(str::parse);
            Some(Version(parts.next()?.ok()?, parts.next()?.ok()?))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        for (text, version) in [
            ("go version go1.19.8 linux/amd64", Version(1, 19)),
            ("0.17.1\n", Version(0, 17)),
            ("Version 0.28.20", Version(0, 28)),
            ("v20.20.2", Version(20, 20)),
            ("componentize-py 0.25.1", Version(0, 25)),
            ("0.18.0-dev.3+abc", Version(0, 18)),
        ] {
            assert_eq!(Version::within(text), Some(version), "{text}");
        }
        assert_eq!(Version::within("no version at all. Really 3"), None);
        assert!(Version(1, 9) < Version(1, 26) && Version(2, 0) > Version(1, 26));
    }
}
