//! What outlives the process (`proxy.state_dir`): the versions of each tenant, and their modules.
//!
//! Every file is written beside its place, synced, and moved into it: at any moment there is the old one or the new one.
//! A module's file is there before a tenant's file refers to it, and goes when none does any more.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::module::{Digest, LARGEST_FILE};
use crate::release::files::Files;
use crate::release::{Entry, Standing, Trial};

/// A folder of modules and of the tenants' versions.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Modules that tenants refer to, by the tenant's name.
    used: Mutex<HashMap<String, HashSet<Digest>>>,
}

/// What is kept of a tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The number of the newest version that there ever was.
    pub last_number: u64,
    /// By number.
    pub versions: Vec<Entry>,
    /// The files that passed last. If they are others at the next start, those are newer.
    pub files: Files,
    /// Of the version that is on trial.
    pub trial: Option<Trial>,
    /// The version that decides where the live one fails, while that is new.
    pub probation_after: Option<u64>,
    pub drained: bool,
}

impl Kept {
    pub fn live(&self) -> Option<&Entry> {
        self.versions.iter().find(|entry| entry.standing == Standing::Live)
    }

    /// The version that is on trial.
    pub fn candidate(&self) -> Option<(&Entry, Trial)> {
        self.versions.iter().find(|entry| entry.standing == Standing::Candidate).zip(self.trial)
    }

    pub fn previous(&self) -> Option<&Entry> {
        self.versions.iter().find(|entry| Some(entry.number) == self.probation_after)
    }

    fn modules(&self) -> HashSet<Digest> {
        self.versions.iter().flat_map(|entry| entry.modules.iter().copied()).collect()
    }
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
        let store = Store { folder: folder.to_owned(), used: Mutex::default() };
        for below in [store.modules(), store.tenants()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&below);
            made.map_err(|error| failed(&below, error))?;
        }
        let tenants = store.tenants();
        for entry in std::fs::read_dir(&tenants).map_err(|error| failed(&tenants, error))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned())
                // What can't be read is told when its tenant is loaded.
                && let Ok(Some(kept)) = store.kept(&name)
            {
                store.used.lock().insert(name, kept.modules());
            }
        }
        Ok(store)
    }

    /// What is kept of a tenant. None: nothing is known of it.
    pub fn kept(&self, tenant: &str) -> Result<Option<Kept>, StoreError> {
        let path = self.tenant(tenant);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(&path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Notes what is to be known of a tenant. Its modules have been added before; those that no tenant refers to any more
    /// are removed.
    pub fn keep(&self, tenant: &str, kept: &Kept) -> Result<(), StoreError> {
        let path = self.tenant(tenant);
        let text = serde_json::to_vec_pretty(kept).map_err(|error| failed(&path, error))?;
        write(&path, &text)?;
        let mut used = self.used.lock();
        let before = used.insert(tenant.to_owned(), kept.modules()).unwrap_or_default();
        let is_used = |digest: &Digest| used.values().any(|modules| modules.contains(digest));
        for digest in before.into_iter().filter(|digest| !is_used(digest)) {
            // One that stays takes room, no more: the next start removes it.
            let _ = std::fs::remove_file(self.module(digest));
        }
        Ok(())
    }

    /// Keeps a module of a tenant, which refers to it from now on.
    pub fn add(&self, tenant: &str, module: &[u8]) -> Result<(), StoreError> {
        let digest = Digest::of(module);
        self.used.lock().entry(tenant.to_owned()).or_default().insert(digest);
        match self.get(digest) {
            Some(_) => Ok(()),
            None => write(&self.module(digest), module),
        }
    }

    /// A module that was added. None: it is not there, or damaged.
    pub fn get(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.module(digest);
        let about = std::fs::metadata(&path).ok()?;
        if about.len() > LARGEST_FILE {
            return None;
        }
        std::fs::read(path).ok().filter(|bytes| Digest::of(bytes) == digest)
    }

    /// Removes the modules that no tenant refers to, and what writes left that were cut off; before the start no other
    /// is under way.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let used: HashSet<PathBuf> = self.used.lock().values().flatten().map(|digest| self.module(*digest)).collect();
        remove_others(&self.modules(), |path| used.contains(path))?;
        remove_others(&self.tenants(), |path| path.extension().is_some_and(|extension| extension == "json"))
    }

    fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }

    fn tenants(&self) -> PathBuf {
        self.folder.join("tenants")
    }

    fn module(&self, digest: Digest) -> PathBuf {
        self.modules().join(format!("{}.wasm", digest.full()))
    }

    /// Names of tenants are letters, digits, `-`, `_` and `.`.
    fn tenant(&self, name: &str) -> PathBuf {
        self.tenants().join(format!("{name}.json"))
    }
}

/// Removes what is in a folder and need not be.
fn remove_others(folder: &Path, is_needed: impl Fn(&Path) -> bool) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))?.flatten() {
        let path = entry.path();
        if !is_needed(&path) {
            std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
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
    use chrono::Utc;

    use super::*;
    use crate::release::Origin;

    fn kept(modules: &[&[u8]]) -> Kept {
        let entry = Entry {
            number: 3,
            modules: modules.iter().map(|module| Digest::of(module)).collect(),
            origin: Origin::Upload,
            made: Utc::now(),
            standing: Standing::RolledBack { because: "x".to_owned() },
            since: Utc::now(),
            version: None,
        };
        Kept { last_number: 7, versions: vec![entry], ..Kept::default() }
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        assert!(store.kept("shop").expect("readable").is_none());
        store.add("shop", b"one").expect("kept");
        store.keep("shop", &kept(&[b"one"])).expect("kept");
        let store = Store::open(folder.path()).expect("a store");
        let found = store.kept("shop").expect("readable").expect("there");
        assert_eq!((found.last_number, found.versions[0].number), (7, 3));
        assert_eq!(found.versions[0].standing, Standing::RolledBack { because: "x".to_owned() });
        assert_eq!(store.get(found.versions[0].modules[0]), Some(b"one".to_vec()));
    }

    #[test]
    fn module_goes_when_no_tenant_refers_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let is_there = |store: &Store, module: &[u8]| store.get(Digest::of(module)).is_some();
        for tenant in ["a", "b"] {
            store.add(tenant, b"one").expect("kept");
            store.keep(tenant, &kept(&[b"one"])).expect("kept");
        }
        store.add("a", b"two").expect("kept");
        store.keep("a", &kept(&[b"two"])).expect("kept");
        assert!(is_there(&store, b"one") && is_there(&store, b"two"), "the other tenant has it");
        store.add("b", b"two").expect("kept");
        store.keep("b", &kept(&[b"two"])).expect("kept");
        assert!(!is_there(&store, b"one") && is_there(&store, b"two"));

        // An upload that a kill cut off, and a write.
        store.add("a", b"three").expect("kept");
        std::fs::write(store.tenants().join(".half"), b"{").expect("written");
        let store = Store::open(folder.path()).expect("a store");
        store.sweep().expect("swept");
        assert!(is_there(&store, b"two") && !is_there(&store, b"three"));
        assert_eq!(std::fs::read_dir(store.tenants()).expect("a folder").count(), 2);
    }

    #[test]
    fn damaged_module_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        store.add("shop", b"one").expect("kept");
        let digest = Digest::of(b"one");
        std::fs::write(store.module(digest), b"eno").expect("written");
        assert_eq!(store.get(digest), None);
        store.add("shop", b"one").expect("kept");
        assert_eq!(store.get(digest), Some(b"one".to_vec()));
        std::fs::write(store.tenant("shop"), b"{").expect("written");
        assert!(store.kept("shop").is_err());
    }
}
