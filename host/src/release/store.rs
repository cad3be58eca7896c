//! The state that outlives the process (`proxy.state_dir`): the versions of each tenant, and their modules.
//!
//! A tenant's file carries a checksum, and a module's name is its digest; a file that does not match is never used.
//!
//! Every file is written under a temporary name in its folder, synced, and renamed: at any moment either the old or the
//! new one exists. A module's file exists before a tenant's file refers to it, and is removed once none does.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use pointsman_system::file_access::can_be_folder;
use pointsman_system::read_file::{ReadError, read_at_most};
use pointsman_wasm::module::{Digest, LARGEST_FILE};

use crate::release::state_file;
use crate::versions::SavedState;

/// A folder with modules and the tenants' versions.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Modules that tenants refer to, by tenant name.
    used: Mutex<HashMap<String, HashSet<Digest>>>,
    /// Tenant files that could not be read. While there is one, no module is removed: the file may refer to it.
    unreadable: Mutex<HashSet<PathBuf>>,
}

/// State that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}`: {message}")]
pub struct StoreError {
    path: PathBuf,
    message: String,
}

/// Maximum size of a tenant's file, in bytes; a version takes a few kilobytes of it.
const LARGEST_STATE: u64 = 64 * 1024 * 1024;

/// The extension of an unreadable file that was set aside.
const DAMAGED: &str = "damaged";

impl Store {
    /// Checks that a folder can be opened or created, without changing anything.
    pub fn check(folder: &Path) -> Result<(), StoreError> {
        let store = Store { folder: folder.to_owned(), used: Mutex::default(), unreadable: Mutex::default() };
        for path in [folder.to_owned(), store.modules(), store.tenants()] {
            can_be_folder(&path).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    /// Opens a folder, creating it if it does not exist.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let store = Store { folder: folder.to_owned(), used: Mutex::default(), unreadable: Mutex::default() };
        for below in [store.modules(), store.tenants()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&below);
            made.map_err(|error| failed(&below, error))?;
        }
        let tenants = store.tenants();
        for entry in std::fs::read_dir(&tenants).map_err(|error| failed(&tenants, error))?.flatten() {
            let path = entry.path();
            if has_extension(&path, DAMAGED) {
                tracing::warn!(path = %path.display(), "the state of a tenant that could not be read is there: no module is \
                    removed from proxy.state_dir until you remove that file");
                store.unreadable.lock().insert(path);
            } else if has_extension(&path, "json")
                && let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned())
            {
                match store.saved_state(&name) {
                    Ok(Some(saved)) => drop(store.used.lock().insert(name, saved.modules())),
                    Ok(None) => {}
                    // Reported when its tenant is loaded.
                    Err(_) => drop(store.unreadable.lock().insert(path)),
                }
            }
        }
        Ok(store)
    }

    /// Reads the saved state of a tenant. None: there is none.
    pub fn saved_state(&self, tenant: &str) -> Result<Option<SavedState>, StoreError> {
        let path = self.tenant(tenant);
        match read_at_most(&path, LARGEST_STATE) {
            Ok(file) => state_file::decode(&file).map(Some).map_err(|damage| failed(&path, damage)),
            Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Renames an unreadable tenant file so that nothing overwrites it, and returns the new path.
    pub fn set_aside(&self, tenant: &str) -> Result<PathBuf, StoreError> {
        let path = self.tenant(tenant);
        let aside = set_aside(&path).map_err(|error| failed(&path, error))?;
        let mut unreadable = self.unreadable.lock();
        unreadable.remove(&path);
        unreadable.insert(aside.clone());
        Ok(aside)
    }

    /// Saves the state of a tenant, whose modules have been added before. Removes modules that no tenant refers to any
    /// more.
    pub fn save(&self, tenant: &str, saved: &SavedState) -> Result<(), StoreError> {
        let path = self.tenant(tenant);
        let file = state_file::encode(saved).map_err(|error| failed(&path, error))?;
        write(&path, &file)?;
        self.unreadable.lock().remove(&path);
        let mut used = self.used.lock();
        let before = used.insert(tenant.to_owned(), saved.modules()).unwrap_or_default();
        if !self.unreadable.lock().is_empty() {
            return Ok(());
        }
        let is_used = |digest: &Digest| used.values().any(|modules| modules.contains(digest));
        for digest in before.into_iter().filter(|digest| !is_used(digest)) {
            // A module that stays only takes space: the next start removes it.
            let _ = std::fs::remove_file(self.module(digest));
        }
        Ok(())
    }

    /// Saves a module of a tenant, which refers to it from now on.
    pub fn add(&self, tenant: &str, module: &[u8]) -> Result<(), StoreError> {
        let digest = Digest::of(module);
        self.used.lock().entry(tenant.to_owned()).or_default().insert(digest);
        match self.get(digest) {
            Ok(_) => Ok(()),
            Err(_) => write(&self.module(digest), module),
        }
    }

    /// Reads a module that was added, if it still exists and matches its digest.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.module(digest);
        let bytes = read_at_most(&path, LARGEST_FILE).map_err(|error| failed(&path, error))?;
        match Digest::of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(failed(&path, "it does not match the SHA-256 that is its name: it was damaged or edited")),
        }
    }

    /// Removes modules that no tenant refers to, and the leftovers of interrupted writes. Runs at startup, while no
    /// other write is in progress.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let used: HashSet<PathBuf> = self.used.lock().values().flatten().map(|digest| self.module(*digest)).collect();
        let all_is_known = self.unreadable.lock().is_empty();
        let may_be_used = |path: &Path| used.contains(path) || (!all_is_known && has_extension(path, "wasm"));
        remove_others(&self.modules(), may_be_used)?;
        remove_others(&self.tenants(), |path| has_extension(path, "json") || has_extension(path, DAMAGED))
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

    /// The path of a tenant's file. Tenant names consist of letters, digits, `-`, `_` and `.`.
    fn tenant(&self, name: &str) -> PathBuf {
        self.tenants().join(format!("{name}.json"))
    }
}

/// Renames a file to the first free name of `shop.json.damaged`, `shop.json.2.damaged`, ...: one that was set aside
/// before may refer to other modules.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1_u64;
    loop {
        let aside = match number {
            1 => path.with_added_extension(DAMAGED),
            _ => path.with_added_extension(format!("{number}.{DAMAGED}")),
        };
        match std::fs::symlink_metadata(&aside) {
            Ok(_) => number = number.saturating_add(1),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return std::fs::rename(path, &aside).map(|()| aside);
            }
            Err(error) => return Err(error),
        }
    }
}

fn has_extension(path: &Path, expected: &str) -> bool {
    path.extension().is_some_and(|extension| extension == expected)
}

/// Removes the files of a folder that are not needed.
fn remove_others(folder: &Path, is_needed: impl Fn(&Path) -> bool) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))?.flatten() {
        let path = entry.path();
        if !is_needed(&path) {
            std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
    }
    Ok(())
}

/// Replaces a file atomically and durably.
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
    use crate::api::Origin;
    use crate::versions::{Entry, VersionStatus};

    fn state_of(modules: &[&[u8]]) -> SavedState {
        let entry = Entry {
            number: 3,
            modules: modules.iter().map(|module| Digest::of(module)).collect(),
            origin: Origin::Upload,
            made: Utc::now(),
            status: VersionStatus::RolledBack { reason: "x".to_owned() },
            since: Utc::now(),
            version: None,
        };
        SavedState { last_number: 7, versions: vec![entry], ..SavedState::default() }
    }

    #[test]
    fn saved_state_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        assert!(store.saved_state("shop").expect("readable").is_none());
        store.add("shop", b"one").expect("saved");
        store.save("shop", &state_of(&[b"one"])).expect("saved");
        let store = Store::open(folder.path()).expect("a store");
        let found = store.saved_state("shop").expect("readable").expect("there");
        assert_eq!((found.last_number, found.versions[0].number), (7, 3));
        assert_eq!(found.versions[0].status, VersionStatus::RolledBack { reason: "x".to_owned() });
        assert_eq!(store.get(found.versions[0].modules[0]).expect("saved"), b"one");
    }

    #[test]
    fn module_is_removed_when_no_tenant_refers_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let is_there = |store: &Store, module: &[u8]| store.get(Digest::of(module)).is_ok();
        for tenant in ["a", "b"] {
            store.add(tenant, b"one").expect("saved");
            store.save(tenant, &state_of(&[b"one"])).expect("saved");
        }
        store.add("a", b"two").expect("saved");
        store.save("a", &state_of(&[b"two"])).expect("saved");
        assert!(is_there(&store, b"one") && is_there(&store, b"two"), "the other tenant has it");
        store.add("b", b"two").expect("saved");
        store.save("b", &state_of(&[b"two"])).expect("saved");
        assert!(!is_there(&store, b"one") && is_there(&store, b"two"));

        // An upload that a kill interrupted, and an interrupted write.
        store.add("a", b"three").expect("saved");
        std::fs::write(store.tenants().join(".half"), b"{").expect("written");
        let store = Store::open(folder.path()).expect("a store");
        store.sweep().expect("swept");
        assert!(is_there(&store, b"two") && !is_there(&store, b"three"));
        assert_eq!(std::fs::read_dir(store.tenants()).expect("a folder").count(), 2);
    }

    #[test]
    fn damaged_module_is_refused_until_it_is_added_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        store.add("shop", b"one").expect("saved");
        let digest = Digest::of(b"one");
        std::fs::write(store.module(digest), b"eno").expect("written");
        let error = store.get(digest).expect_err("another module").to_string();
        let path = store.module(digest).display().to_string();
        assert!(error.contains(&path) && error.contains("does not match the SHA-256"), "{error}");
        store.add("shop", b"one").expect("saved");
        assert_eq!(store.get(digest).expect("saved"), b"one");
        std::fs::write(store.tenant("shop"), b"{").expect("written");
        assert!(store.saved_state("shop").is_err());
    }

    #[test]
    fn file_that_was_set_aside_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let set_aside = |content: &str| {
            std::fs::write(store.tenant("shop"), content).expect("written");
            store.set_aside("shop").expect("renamed")
        };
        let paths = ["first", "second", "third"].map(|content| (set_aside(content), content));
        for (path, content) in &paths {
            assert_eq!(std::fs::read_to_string(path).expect("a file"), *content);
        }
        assert!(!store.tenant("shop").exists());

        // A start knows all of them.
        store.add("shop", b"one").expect("kept");
        for (path, _) in paths {
            let store = Store::open(folder.path()).expect("a store");
            store.sweep().expect("swept");
            assert!(store.get(Digest::of(b"one")).is_ok(), "{} may refer to it", path.display());
            std::fs::remove_file(path).expect("removed");
        }
        Store::open(folder.path()).expect("a store").sweep().expect("swept");
        assert!(store.get(Digest::of(b"one")).is_err());
    }

    #[test]
    fn no_module_is_removed_that_an_unreadable_file_may_refer_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        store.add("shop", b"one").expect("saved");
        store.save("shop", &state_of(&[b"one"])).expect("saved");
        let path = store.tenant("shop");
        let mut file = std::fs::read(&path).expect("a file");
        file[40] ^= 1;
        std::fs::write(&path, &file).expect("written");

        let is_there = |store: &Store| store.get(Digest::of(b"one")).is_ok();
        let store = Store::open(folder.path()).expect("a store");
        let error = store.saved_state("shop").expect_err("damaged").to_string();
        assert!(error.contains("shop.json`: it does not match its checksum"), "{error}");
        let aside = store.set_aside("shop").expect("renamed");
        assert!(store.saved_state("shop").expect("readable").is_none());
        store.add("shop", b"two").expect("saved");
        store.save("shop", &state_of(&[b"two"])).expect("saved");
        store.save("shop", &state_of(&[])).expect("saved");
        store.sweep().expect("swept");
        assert!(is_there(&store) && std::fs::read(&aside).expect("a file") == file);

        // Nor does a later start remove the module, until somebody has removed the damaged file.
        let store = Store::open(folder.path()).expect("a store");
        store.sweep().expect("swept");
        assert!(is_there(&store));
        std::fs::remove_file(aside).expect("removed");
        let store = Store::open(folder.path()).expect("a store");
        store.sweep().expect("swept");
        assert!(!is_there(&store));
    }
}
