//! Embeds the files of `guest-sdk` in the program: writes the list that `src/sdk.rs` includes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files that tools leave in a source folder, and files that only this repository uses.
const LEFT_OUT: [&str; 8] = [
    "node_modules",
    "target",
    "__pycache__",
    ".zig-cache",
    "zig-out",
    "package-lock.json",
    "build-guest",
    ".mypy_cache",
];

fn main() -> io::Result<()> {
    let host = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let repository = host.parent().unwrap_or(&host);
    let mut list = String::from("&[\n");
    let folder = repository.join("guest-sdk");
    println!("cargo:rerun-if-changed={}", folder.display());
    for file in files(&folder)? {
        let name = file.strip_prefix(repository).unwrap_or(&file);
        list += &format!("({name:?}, include_bytes!({file:?})),\n");
    }
    list += "]\n";
    fs::write(Path::new(&variable("OUT_DIR")?).join("sdk.rs"), list)
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(io::Error::other)
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        match () {
            // Skips an SDK's own tests. Those of a project template are kept.
            () if ["test", "tests"].contains(&&*name) && !entry.iter().any(|part| part == "template") => {}
            () if LEFT_OUT.contains(&&*name) || name == "router.wasm" || name.ends_with(".pyc") => {}
            () if entry.is_dir() => files.extend(self::files(&entry)?),
            () => files.push(entry),
        }
    }
    Ok(files)
}
