//! What outlives the process (`proxy.state_dir`): which version served each tenant last, and the modules of that version.
//!
//! Every file is written beside its place, synced, and moved into it: at any moment there is the old one or the new one.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::module::{Digest, LARGEST_FILE};

/// A folder of modules and of what served last.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// What served a tenant last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub number: u64,
    /// Digests of its modules, in their order.
    pub modules: Vec<String>,
    /// Digests of the files that the configuration named when this version went live. If they are others at the next
    /// start, those are newer.
    pub files: Vec<String>,
}

/// State that can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}`: {message}")]
pub struct StoreError {
    path: PathBuf,
    message: String,
}

impl Store {
    /// Opens a folder, or makes it.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let store = Store { folder: folder.to_owned() };
        for below in [store.modules(), store.tenants()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&below);
            made.map_err(|error| failed(&below, error))?;
        }
        Ok(store)
    }

    /// What served a tenant last. None: nothing is known of it.
    pub fn kept(&self, tenant: &str) -> Result<Option<Kept>, StoreError> {
        let path = self.tenant(tenant);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(&path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Notes what serves a tenant from now on. Its modules have been added before.
    pub fn keep(&self, tenant: &str, kept: &Kept) -> Result<(), StoreError> {
        let path = self.tenant(tenant);
        let text = serde_json::to_vec_pretty(kept).map_err(|error| failed(&path, error))?;
        write(&path, &text)
    }

    /// Keeps a module.
    pub fn add(&self, module: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(module);
        let digest_text = digest.full();
        if self.get(&digest_text).is_none() {
            write(&self.module(&digest_text), module)?;
        }
        Ok(digest)
    }

    /// A module that was added. None: it is not there, or damaged.
    pub fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.module(digest);
        let about = std::fs::metadata(&path).ok()?;
        if about.len() > LARGEST_FILE {
            return None;
        }
        std::fs::read(path).ok().filter(|bytes| Digest::of(bytes).full() == digest)
    }

    /// Removes the modules that nothing refers to: no tenant's last version, and none of these.
    pub fn sweep(&self, in_use: &[Digest]) -> Result<(), StoreError> {
        let (tenants, modules) = (self.tenants(), self.modules());
        let mut used: Vec<String> = in_use.iter().map(Digest::full).collect();
        for entry in std::fs::read_dir(&tenants).map_err(|error| failed(&tenants, error))?.flatten() {
            let kept = std::fs::read(entry.path()).ok().and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
            used.extend(kept.into_iter().flat_map(|kept| kept.modules));
        }
        for entry in std::fs::read_dir(&modules).map_err(|error| failed(&modules, error))?.flatten() {
            let path = entry.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // Or what a write left that was cut off; before the start no other is under way.
            if !used.contains(&name) {
                std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
            }
        }
        Ok(())
    }

    fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }

    fn tenants(&self) -> PathBuf {
        self.folder.join("tenants")
    }

    fn module(&self, digest: &str) -> PathBuf {
        self.modules().join(format!("{digest}.wasm"))
    }

    /// Names of tenants are letters, digits, `-`, `_` and `.`.
    fn tenant(&self, name: &str) -> PathBuf {
        self.tenants().join(format!("{name}.json"))
    }
}

/// Replaces a file at once, and for good.
fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || {
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error: std::io::Error| failed(path, error))
}

fn failed(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError { path: path.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        assert_eq!(store.kept("shop").expect("readable"), None);
        let (one, two) = (store.add(b"one").expect("kept"), store.add(b"two").expect("kept"));
        let kept = Kept { number: 3, modules: vec![one.full()], files: vec![two.full()] };
        store.keep("shop", &kept).expect("kept");
        assert_eq!(Store::open(folder.path()).expect("a store").kept("shop").expect("readable"), Some(kept));
        store.sweep(&[]).expect("swept");
        assert_eq!((store.get(&one.full()), store.get(&two.full())), (Some(b"one".to_vec()), None));
    }

    #[test]
    fn damaged_module_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let digest = store.add(b"one").expect("kept");
        std::fs::write(store.module(&digest.full()), b"eno").expect("written");
        assert_eq!(store.get(&digest.full()), None);
        store.add(b"one").expect("kept");
        assert_eq!(store.get(&digest.full()), Some(b"one".to_vec()));
        std::fs::write(store.tenant("shop"), b"{").expect("written");
        assert!(store.kept("shop").is_err());
    }
}
