//! Builds Rust routers: cargo, with rustup's target or Debian's compiler.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use pointsman_wasm::module::Symbols;

use crate::cli::build::project::{Project, ask, run_for_output};
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
    let (debian, is_installed) = (tools.debian_rust(), target_is_installed()?);
    let mut cargo = Command::new("cargo");
    // For `--debug`, where the standard library is built too: a profile with debug information would build it again,
    // which takes minutes. So only the project's own crate gets that; functions of others have names.
    let of_own_crate: &[&str] = match project.symbols {
        Symbols::Keep if !is_installed => &["--", "-Cdebuginfo=line-tables-only", "-Cstrip=none"],
        Symbols::Keep => {
            cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only").env("CARGO_PROFILE_RELEASE_STRIP", "none");
            &[]
        }
        Symbols::Drop => &[],
    };
    cargo
        .current_dir(&project.folder)
        .args(if of_own_crate.is_empty() { &["build"][..] } else { &["rustc", "--lib"] })
        .args(["--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        // A separate target folder: the compiler may be a different one, and two that share a folder rebuild each
        // other's output.
        .args(["--target-dir", "target/module"]);
    if !is_installed {
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
    let options = compiler_options(project, &compiler_of(&cargo))?;
    cargo.arg("--config").arg(options).args(of_own_crate);
    let messages = run_for_output("compiling the crate", &mut cargo)?;
    let module = module_of(&String::from_utf8_lossy(&messages))?;
    Ok(Built::Core(made(Path::new(&module))?))
}

/// The compiler that a cargo command runs.
fn compiler_of(cargo: &Command) -> OsString {
    let chosen = cargo.get_envs().find(|(name, _)| *name == "RUSTC").and_then(|(_, path)| path);
    chosen.map_or_else(|| OsString::from("rustc"), OsStr::to_owned)
}

/// The compiler's options, as a value of cargo's configuration: added to those of the project's `.cargo/config.toml`,
/// and unlike an environment variable not split at white space.
///
/// Paths are in the module because panics name their place. They are the author's (`src/lib.rs`, `../table/src/lib.rs`)
/// or a crate's, and never say where the module was built. Of two prefixes that fit, the later wins.
fn compiler_options(project: &Project, rustc: &OsStr) -> anyhow::Result<String> {
    let sysroot = ask(Command::new(rustc).args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot).trim());
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    let mut options = vec![SMALL_STACK.to_owned()];
    let mut shorten =
        |path: &Path, shown: &str| options.push(format!("--remap-path-prefix={}={shown}", path.display()));
    if let Some(above) = project.folder.parent() {
        shorten(above, "..");
    }
    shorten(&project.folder, ".");
    if let Some(cargo_home) = cargo_home {
        shorten(&cargo_home.join("registry/src"), "registry");
        shorten(&cargo_home.join("git/checkouts"), "git");
    }
    shorten(&sysroot.join("lib/rustlib/src/rust"), "rust");
    Ok(format!("target.{TARGET}.rustflags={}", serde_json::to_string(&options)?))
}

fn target_is_installed() -> anyhow::Result<bool> {
    let folder = ask(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
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
