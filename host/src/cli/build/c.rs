//! Builds C and C++ routers: Zig's compiler, which brings the C and C++ libraries for Wasm.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use pointsman_wasm::module::Symbols;

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::Tools;
use crate::cli::build::zig::ZIG;
use crate::cli::build::{Built, made};
use crate::sdk::Language;

/// `-Oz` defines NDEBUG, but an author's assertions are to hold in production too.
const TARGET: [&str; 4] = ["-target", "wasm32-wasi", "-Oz", "-UNDEBUG"];

/// A module is a library, not a program; a stack of 32 KiB keeps its memory at 64 KiB.
const LINK: [&str; 3] = ["-mexec-model=reactor", "-Wl,--no-entry", "-Wl,-z,stack-size=32768"];

const WARNINGS: [&str; 2] = ["-Wall", "-Wextra"];

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    let (core, sdk) = (project.between("core.wasm"), &project.sdk);
    let compiler = |name: &str| -> anyhow::Result<Command> {
        let mut command = tools.command(&ZIG)?;
        command
            .current_dir(&project.folder)
            .arg(name)
            .args(TARGET)
            .args((project.symbols == Symbols::Keep).then_some("-g"));
        // `__FILE__`, as in a failed assertion, is the author's path and not one of the machine that built the module.
        for (folder, shown) in [(sdk, "pointsman"), (&project.folder, ".")] {
            command.arg(format!("-ffile-prefix-map={}={shown}", folder.display()));
        }
        Ok(command)
    };
    // Compiled separately, since C and C++ each need their own `-std`, and since the linker is to see the SDK's own
    // `abort` before the C library's.
    let (sdk_c, entry, extension) = match project.language {
        Language::C => (sdk.clone(), "router.c", "c"),
        _ => (sdk.join("c"), "router.cpp", "cpp"),
    };
    project.source(entry)?;
    let object = |source: &str, name: &str| -> anyhow::Result<PathBuf> {
        let object = project.between(name);
        let mut cc = compiler("cc")?;
        cc.args(["-std=c11", "-c"]).arg(sdk_c.join(source)).arg("-o").arg(&object);
        run(&format!("compiling {source} of the SDK"), &mut cc)?;
        Ok(object)
    };
    let objects = [object("module.c", "module.o")?, object("gen/router.c", "bindings.o")?];
    let sources = sources(&project.folder, extension)?;
    let mut link = if project.language == Language::C {
        let mut cc = compiler("cc")?;
        cc.args(objects).arg("-std=c11").args(&sources);
        cc
    } else {
        let mut cpp = compiler("c++")?;
        cpp.args(objects)
            .args(["-std=c++23", "-fno-exceptions", "-fno-rtti", "-fno-c++-static-destructors"])
            .args(&sources)
            .arg(sdk.join("runtime.cpp"));
        cpp
    };
    match project.symbols {
        Symbols::Drop => link.arg("-Wl,--strip-all"),
        // Undefined behaviour of the author's code traps where it happens: a null pointer is an address like any other.
        Symbols::Keep => link.args(["-fsanitize=undefined", "-fsanitize-trap=undefined"]),
    };
    link.args(WARNINGS).args(LINK).arg("-I").arg(sdk).arg("-o").arg(&core);
    let names: Vec<_> = sources.iter().map(|name| name.to_string_lossy()).collect();
    if tools.is_first_use_of_zig() {
        eprintln!("the first time, Zig also compiles the language's library: up to a minute");
    }
    run(&format!("compiling {}", names.join(", ")), &mut link)?;
    Ok(Built::Core(made(&core)?))
}

/// The names of the project's source files in order, without those of its native tests.
fn sources(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let is_source = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension() == Some(OsStr::new(extension)) && !stem.ends_with("_test")
    };
    let names = entries.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let mut sources: Vec<PathBuf> = names.filter(is_source).collect();
    sources.sort();
    Ok(sources)
}
