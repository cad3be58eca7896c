//! Builds AssemblyScript routers: its compiler, with the SDK's transform, which names the exports.

use std::path::PathBuf;

use anyhow::Context as _;
use pointsman_wasm::module::{Symbols, add_line_table};

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::{Oldest, Registry, Tool, Tools, Version};
use crate::cli::build::{Built, made};

const ASC: Tool = Tool {
    program: "asc",
    from: Registry::Npm,
    packages: &["assemblyscript@0.28.20"],
    oldest: Some(Oldest { version: Version(0, 28), argument: "--version" }),
    home: "https://www.assemblyscript.org",
};

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    project.source("assembly/router.ts")?;
    let (core, packages) = (project.between("core.wasm"), beside_sdk(project)?);
    let mut asc = tools.command(&ASC)?;
    asc.current_dir(&project.folder)
        .args(["assembly/router.ts", "-Osize", "--runtime", "stub", "--use", "abort=~lib/pointsman/src/module/abort"])
        .arg("--path")
        .arg(&packages)
        .arg("--transform")
        .arg(packages.join("pointsman/transform.mjs"))
        .args(if project.symbols == Symbols::Keep { &["--debug", "--sourceMap"][..] } else { &[] })
        .arg("-o")
        .arg(&core);
    run("compiling assembly/router.ts", &mut asc)?;
    let mut module = made(&core)?;
    if project.symbols == Symbols::Keep {
        let map = made(&core.with_extension("wasm.map"))?;
        add_line_table(&mut module, &map).context("the compiler's source map")?;
    }
    Ok(Built::Core(module))
}

/// A folder that contains the SDK as `pointsman`: the compiler finds packages by the name of their folder.
fn beside_sdk(project: &Project) -> anyhow::Result<PathBuf> {
    if let Some(parent) = project.sdk.parent().filter(|_| project.sdk.ends_with("pointsman")) {
        return Ok(parent.to_owned());
    }
    let packages = project.between("packages");
    std::fs::create_dir(&packages)
        .and_then(|()| std::os::unix::fs::symlink(&project.sdk, packages.join("pointsman")))
        .context("no temporary folder")?;
    Ok(packages)
}
