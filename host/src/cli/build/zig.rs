//! Builds Zig routers: the SDK's module calls the project's.

use pointsman_wasm::module::Symbols;

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::{Oldest, Registry, Tool, Tools, Version};
use crate::cli::build::{Built, made};

/// The compiler for Zig, C and C++.
pub const ZIG: Tool = Tool {
    program: "zig",
    from: Registry::Pip,
    packages: &["ziglang==0.17.1"],
    oldest: Some(Oldest { version: Version(0, 17), argument: "version" }),
    home: "https://ziglang.org/download",
};

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    let (router, sdk, core) = (project.source("router.zig")?, project.sdk.join("src"), project.between("core.wasm"));
    let module = |name: &str, path: &std::path::Path| format!("-M{name}={}", path.display());
    let mut zig = tools.command(&ZIG)?;
    zig.current_dir(&project.folder)
        .args(["build-exe", "-target", "wasm32-freestanding", "-O", "safe", "-fno-entry", "-rdynamic"])
        .arg(match project.symbols {
            Symbols::Drop => "-fstrip",
            Symbols::Keep => "-fno-strip",
        })
        .args(["--stack", "65536"])
        .arg(format!("-femit-bin={}", core.display()))
        // Each `--dep` applies to the `-M` module that follows it.
        .args(["--dep", "router", "--dep", "pointsman", &module("root", &sdk.join("module.zig"))])
        .args(["--dep", "pointsman", &module("router", &router)])
        .arg(module("pointsman", &sdk.join("pointsman.zig")));
    run("compiling router.zig", &mut zig)?;
    Ok(Built::Core(made(&core)?))
}
