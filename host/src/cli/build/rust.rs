//! Builds Rust routers: cargo, with rustup's target or Debian's compiler.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::{Tools, in_path};
use crate::cli::build::{Built, made};

const TARGET: &str = "wasm32-unknown-unknown";

/// Starts with 128 KiB of memory, instead of 1.1 MiB.
const SMALL_STACK: &str = "-Clink-arg=-zstack-size=65536";

pub fn build(project: &Project, tools: &Tools) -> anyhow::Result<Built> {
    project.source("Cargo.toml")?;
    if in_path("cargo").is_none() {
        bail!("cargo is not in PATH. Get Rust from https://rustup.rs, then: rustup target add {TARGET}");
    }
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&project.folder)
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        // A separate target folder: the compiler may be a different one, and two that share a folder rebuild each
        // other's output.
        .args(["--target-dir", "target/module"])
        // A first build takes minutes, so its author wants to see progress.
        .stderr(Stdio::inherit())
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", SMALL_STACK);
    let debian = tools.debian_rust();
    if !target_is_installed()? {
        if !debian.join("rustc").is_file() {
            bail!(
                "no Rust for {TARGET}. Run: rustup target add {TARGET}. Where rustup can't get it, Debian's packages do: \
                 run `.ci/setup guest` of the Pointsman repository once"
            );
        }
        // This also builds the standard library, which is unstable and needs to be unlocked.
        cargo
            .env("RUSTC", debian.join("rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", debian.join("wasm-ld"))
            .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
    }
    let messages = run(&mut cargo)?;
    let module = module_of(&String::from_utf8_lossy(&messages))?;
    Ok(Built::Core(made(Path::new(&module))?))
}

fn target_is_installed() -> anyhow::Result<bool> {
    let folder = run(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let folder = String::from_utf8_lossy(&folder).trim().to_owned();
    let Ok(mut files) = fs::read_dir(folder) else { return Ok(false) };
    Ok(files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-"))))
}

/// The one `.wasm` file that cargo reports.
fn module_of(messages: &str) -> anyhow::Result<String> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = messages.filter_map(|message| message.get("filenames")?.as_array().cloned()).flatten();
    let mut modules = files.filter_map(|file| file.as_str().map(str::to_owned)).filter(|file| file.ends_with(".wasm"));
    let module =
        modules.next().context("the crate produced no .wasm file: it needs crate-type = [\"cdylib\"] in [lib]")?;
    match modules.next() {
        None => Ok(module),
        Some(second) => {
            bail!("the crate produced more than one .wasm file, {module} and {second}: a project is one module")
        }
    }
}
