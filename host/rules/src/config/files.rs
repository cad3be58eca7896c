//! Finds and loads the files of a configuration: the main file, and the tenants' files in the folder next to it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::problem::{Findings, Place};
use crate::config::read::{self, Files, Text};
use crate::config::{AdminConfig, Config, ConfigErrors};

/// Folder next to the main file; each `.toml` in it has one tenant or more.
const TENANTS: &str = "tenants.d";

/// The folder of tenants next to the main file; it may not exist.
pub fn folder_of_tenants(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join(TENANTS)
}

/// The files that `load` would read at this moment.
pub fn files(main: &Path) -> Vec<PathBuf> {
    let tenants = tenant_files(&folder_of_tenants(main)).ok().flatten().unwrap_or_default();
    std::iter::once(main.to_owned()).chain(tenants).collect()
}

/// Reads a configuration: the main file, and the tenants' files next to it.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let main = text(path)?;
    let (mut tenants, mut unreadable) = (None, Vec::new());
    if let Some(paths) = tenant_files(&folder_of_tenants(path))? {
        let texts = paths.iter().filter_map(|path| text(path).map_err(|errors| unreadable.push(errors)).ok());
        tenants = Some(texts.collect());
    }
    let config = read::files(&Files { main, tenants });
    match unreadable.into_iter().reduce(ConfigErrors::and) {
        None => config,
        Some(unreadable) => Err(match config {
            Ok(_) => unreadable,
            Err(found) => found.and(unreadable),
        }),
    }
}

/// Reads the address of the admin API and nothing else: an operator who must roll back has no time to repair the rest
/// of the file.
pub fn load_admin(path: &Path) -> Result<Option<AdminConfig>, ConfigErrors> {
    read::admin_of(&text(path)?)
}

/// The files of a folder, sorted by name; None if there is no such folder. Files that are hidden or do not end in
/// `.toml` are skipped: editors and package managers keep their own files there.
fn tenant_files(folder: &Path) -> Result<Option<Vec<PathBuf>>, ConfigErrors> {
    let unreadable = |error: std::io::Error| ConfigErrors::whole(folder, format!("cannot be read: {error}"));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if is_of_tenants(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(Some(paths))
}

/// Whether a file in the folder of tenants is read.
pub fn is_of_tenants(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

fn text(path: &Path) -> Result<Text, ConfigErrors> {
    let bytes = fs::read(path).map_err(|error| ConfigErrors::whole(path, format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map(|text| Text { path: path.to_owned(), text }).map_err(|error| {
        let bytes = error.into_bytes();
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let findings = Findings::new([(path, valid)]);
        let column = read::column(valid, valid.len());
        findings
            .add(&Place::of_file(0, valid.len()), format!("is not UTF-8 at column {column}: save the file as UTF-8"));
        findings.into_errors()
    })
}
