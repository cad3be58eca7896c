//! Builds C and C++ routers: Zig's compiler, which brings the C and C++ libraries for Wasm.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::Tools;
use crate::cli::build::zig::ZIG;
use crate::cli::build::{Built, made};
use crate::sdk::Language;

const TARGET: [&str; 3] = ["-target", "wasm32-wasi", "-Oz"];

/// A module is a library, not a program; a stack of 32 KiB keeps its memory at 64 KiB.
const LINK: [&str; 4] = ["-mexec-model=reactor", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=32768"];

const WARNINGS: [&str; 2] = ["-Wall", "-Wextra"];

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    let (core, sdk) = (project.between("core.wasm"), &project.sdk);
    let compiler = |name: &str| -> anyhow::Result<Command> {
        let mut command = tools.command(&ZIG)?;
        command.current_dir(&project.folder).arg(name).args(TARGET);
        Ok(command)
    };
    let link = |command: &mut Command| -> anyhow::Result<()> {
        run(command.args(WARNINGS).args(LINK).arg("-I").arg(sdk).arg("-o").arg(&core))?;
        Ok(())
    };
    if project.language == Language::C {
        project.source("router.c")?;
        link(
            compiler("cc")?
                .arg("-std=c11")
                .args(sources(&project.folder, "c")?)
                .args([sdk.join("module.c"), sdk.join("gen/router.c")]),
        )?;
    } else {
        project.source("router.cpp")?;
        // Compiled separately, since C and C++ each need their own `-std`.
        let object = |source: &Path, name: &str| -> anyhow::Result<PathBuf> {
            let object = project.between(name);
            run(compiler("cc")?.args(["-std=c11", "-c"]).arg(source).arg("-o").arg(&object))?;
            Ok(object)
        };
        let objects =
            [object(&sdk.join("c/module.c"), "module.o")?, object(&sdk.join("c/gen/router.c"), "bindings.o")?];
        link(
            compiler("c++")?
                .args(["-std=c++23", "-fno-exceptions", "-fno-rtti", "-fno-c++-static-destructors"])
                .args(sources(&project.folder, "cpp")?)
                .arg(sdk.join("runtime.cpp"))
                .args(objects),
        )?;
    }
    Ok(Built::Core(made(&core)?))
}

/// The project's source files in order, without those of its native tests.
fn sources(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let is_source = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension() == Some(OsStr::new(extension)) && !stem.ends_with("_test")
    };
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_source).collect();
    sources.sort();
    Ok(sources)
}
