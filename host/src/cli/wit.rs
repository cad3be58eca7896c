//! `pointsman wit`: writes the contract with modules, for toolchains that have no SDK and for registries.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pointsman_wasm::abi::v0_1::{WIT, encoded_wit};

use crate::cli::{Outcome, print};

pub const EXAMPLES: &str = "\
Examples:
  pointsman wit wit                  the package's files, in the folder wit
  pointsman wit --wasm router.wasm   the package as one file, which registries take: wkg publish router.wasm";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder for the files
    #[arg(value_name = "FOLDER", required_unless_present = "wasm")]
    folder: Option<PathBuf>,
    /// Write the package as one WebAssembly file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Overwrite files that differ
    #[arg(long)]
    force: bool,
}

pub fn wit(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    if let Some(folder) = &arguments.folder {
        files.extend(WIT.map(|(name, text)| (folder.join(name), text.as_bytes().to_vec())));
    }
    match &arguments.wasm {
        Some(file) if file.as_os_str() == "-" => std::io::stdout().lock().write_all(&encoded_wit()?)?,
        Some(file) => files.push((file.clone(), encoded_wit()?)),
        None => {}
    }
    let mut missing = Vec::new();
    for (path, bytes) in &files {
        match state(path, bytes)? {
            State::Same => {}
            State::Differs if !arguments.force => {
                bail!("{} exists and differs: --force overwrites it", path.display())
            }
            State::Differs | State::Absent => missing.push((path, bytes)),
        }
    }
    for (path, bytes) in missing {
        write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        print::line(path.display());
    }
    Ok(Outcome::Success)
}

enum State {
    Absent,
    Same,
    Differs,
}

fn state(path: &Path, bytes: &[u8]) -> anyhow::Result<State> {
    match fs::read(path) {
        Ok(present) if present == bytes => Ok(State::Same),
        Ok(_) => Ok(State::Differs),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::Absent),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}
