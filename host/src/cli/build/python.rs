//! Builds Python routers: componentize-py, which brings CPython for Wasm, and glue code from the SDK.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::{Oldest, Registry, Tool, Tools, Version};
use crate::cli::build::{Built, made};

const COMPONENTIZE: Tool = Tool {
    program: "componentize-py",
    from: Registry::Pip,
    packages: &["componentize-py==0.25.1"],
    oldest: Some(Oldest { version: Version(0, 25), argument: "--version" }),
    home: "https://github.com/bytecodealliance/componentize-py",
};

/// The Python module that binds the router to the contract.
const GLUE: &str = "pointsman.component";

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    let router = project.source("router.py")?;
    let text = fs::read_to_string(&router).with_context(|| format!("cannot read {}", router.display()))?;
    let world = if defines_configure(&text) { "configured-router" } else { "router" };
    let component = project.between("router.wasm");
    let mut componentize = tools.command(&COMPONENTIZE)?;
    componentize
        .current_dir(&project.folder)
        // The module must not pick up packages of the environment that this runs in.
        .env_remove("VIRTUAL_ENV")
        .env_remove("PYTHONPATH")
        .arg("-d")
        .arg(&project.wit)
        .args(["-w", world, "componentize", "--stub-wasi", "-p"])
        .arg(&project.folder)
        .arg("-p")
        .arg(beside_package(&project.sdk)?)
        .args([GLUE, "-o"])
        .arg(&component);
    run("bundling router.py with CPython, in about half a minute", &mut componentize)?;
    Ok(Built::Component(made(&component)?))
}

/// The folder in which Python finds the package `pointsman`: the SDK is that package, or contains it.
fn beside_package(sdk: &Path) -> anyhow::Result<&Path> {
    match sdk.parent() {
        Some(parent) if sdk.ends_with("pointsman") && sdk.join("__init__.py").is_file() => Ok(parent),
        _ if sdk.join("pointsman/__init__.py").is_file() => Ok(sdk),
        _ => bail!("{} is not an SDK for Python: the package `pointsman` is missing", sdk.display()),
    }
}

/// Whether a router defines `configure` at its top level: as a function, a variable, or an import. The glue refuses the
/// module if this guess is wrong.
fn defines_configure(text: &str) -> bool {
    text.lines().any(|line| {
        let imported = || {
            let (from, names) = line.split_once(" import ")?;
            let mut names = names.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            Some(from.starts_with("from ") && names.any(|name| name == "configure"))
        };
        let assigned = || Some(line.strip_prefix("configure")?.trim_start().starts_with(['=', ':']));
        line.starts_with("def configure(") || assigned().unwrap_or(false) || imported().unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::defines_configure;

    #[test]
    fn configure_is_found_where_python_would_find_it() {
        for text in ["def configure(config):", "import os\nconfigure = table.read", "from table import load, configure"]
        {
            assert!(defines_configure(text), "{text}");
        }
        for text in ["def configured():", "    def configure(self):", "# def configure(", "from configure import load"]
        {
            assert!(!defines_configure(text), "{text}");
        }
    }
}
