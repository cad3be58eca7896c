//! The programs of toolchains: where they are, and how to get those that are missing.
//!
//! What `--get-tools` gets lies in the user's cache folder, in versions that are known to work, and is preferred to what is
//! in PATH.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};

use crate::cli::build::project::run;

/// A program, and where it comes from.
#[derive(Clone, Copy)]
pub struct Tool {
    pub program: &'static str,
    pub from: Registry,
    /// Packages, each with its version.
    pub packages: &'static [&'static str],
    /// For who gets it by other means.
    pub home: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// A virtual environment of Python.
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
        let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set: there is no cache folder")?;
        Ok(Tools { cache: cache.join("pointsman"), get_missing })
    }

    /// A command that runs the tool.
    pub fn command(&self, tool: &Tool) -> anyhow::Result<Command> {
        if let Some(command) = self.find(tool) {
            return Ok(command);
        }
        if self.get_missing {
            self.get(tool)?;
        }
        self.find(tool).ok_or_else(|| self.missing(tool))
    }

    fn missing(&self, tool: &Tool) -> anyhow::Error {
        anyhow!(
            "`{}` is neither in {} nor in PATH. Get it with `pointsman build --get-tools`, or by hand:\n  {}\nor from {}",
            tool.program,
            self.folder(tool.from).display(),
            self.steps(tool).join(" &&\n  "),
            tool.home,
        )
    }

    /// Makes sure of a tool that a script finds by itself: in the cache folder, or in the project's `node_modules`.
    pub fn provide(&self, tool: &Tool, project: &Path) -> anyhow::Result<()> {
        let is_there =
            || [&*self.folder(tool.from), project].into_iter().any(|folder| program_below(folder, tool).is_file());
        if !is_there() && self.get_missing {
            self.get(tool)?;
        }
        if is_there() { Ok(()) } else { Err(self.missing(tool)) }
    }

    /// Where Debian's compiler for Wasm is unpacked, on machines to which rustup can't bring one.
    pub fn debian_rust(&self) -> PathBuf {
        self.cache.join("rust-web")
    }

    fn find(&self, tool: &Tool) -> Option<Command> {
        let folder = self.folder(tool.from);
        let kept = program_below(&folder, tool);
        if kept.is_file() {
            return Some(Command::new(kept));
        }
        // The package brings no program of that name, but a module that is one.
        if tool.program == "zig" && ziglang(&folder) {
            let mut python = Command::new(folder.join("bin/python"));
            python.args(["-m", "ziglang"]);
            return Some(python);
        }
        in_path(tool.program).map(Command::new)
    }

    pub fn folder(&self, registry: Registry) -> PathBuf {
        self.cache.join(match registry {
            Registry::Pip => "python",
            Registry::Npm => "node",
        })
    }

    fn get(&self, tool: &Tool) -> anyhow::Result<()> {
        let folder = self.folder(tool.from);
        eprintln!("getting {} into {}", tool.packages.join(", "), folder.display());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        match tool.from {
            Registry::Pip => {
                if !folder.join("bin/pip").is_file() {
                    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
                }
                run(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(tool.packages))?;
            }
            Registry::Npm => {
                run(Command::new("npm")
                    .args(["install", "--no-fund", "--no-audit", "--prefix"])
                    .arg(&folder)
                    .args(tool.packages))?;
            }
        }
        Ok(())
    }

    /// What `get` does, for who does it by hand.
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

fn ziglang(folder: &Path) -> bool {
    let Ok(versions) = fs::read_dir(folder.join("lib")) else { return false };
    versions.flatten().any(|version| version.path().join("site-packages/ziglang").is_dir())
}

/// The program of this name in PATH.
pub fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
