//! Caches built modules on disk. Their code is run as it is, so the folder and every file in it must belong to this
//! user alone; anything else is refused, never repaired.

use std::collections::hash_map::DefaultHasher;
use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pointsman_system::file_access::can_be_folder;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::artefact::{Artefact, Facts, component_of_file};
use crate::module::{Digest, LoadError};

/// The last bytes of every file. They change with the format of an artefact.
const MAGIC: &[u8; 16] = b"pointsman-mod-6\n";

/// Bytes of SHA-256.
const SUM: usize = 32;

const ENDING: &str = "built";

/// A folder of artefacts. The name of each is a hash of everything that it depends on.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    most_bytes: u64,
    /// Hash of this program's version and of every setting of its engine.
    host: u64,
}

/// The input from which an artefact was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub module: Digest,
    /// Digest of the settings, the limits and the warm-up, if the module's state depends on them.
    pub configured: Option<Digest>,
}

/// Why a folder can't be the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("cannot use it: {0}")]
    Io(#[from] std::io::Error),
    #[error("it is not a folder")]
    NoFolder,
    #[error(
        "it belongs to another user (uid {owner}, this is {user}); compiled code in it would be run: choose another"
    )]
    Owner { owner: u32, user: u32 },
    #[error("others may use it (mode {mode:o}); compiled code in it would be run: chmod 700 it")]
    Mode { mode: u32 },
}

/// Checks that a folder can be the cache, or can be created.
pub fn check(folder: &Path) -> Result<(), CacheError> {
    match std::fs::symlink_metadata(folder) {
        Ok(about) if !about.is_dir() => Err(CacheError::NoFolder),
        Ok(about) => ours(&about),
        Err(_) => Ok(can_be_folder(folder)?),
    }
}

impl Cache {
    /// Opens a folder, or creates it. It may grow to `most_bytes`.
    pub fn open(folder: &Path, most_bytes: u64, engine: &Engine) -> Result<Cache, CacheError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        check(folder)?;
        let mut host = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut host);
        engine.precompile_compatibility_hash().hash(&mut host);
        Ok(Cache { folder: folder.to_owned(), most_bytes, host: host.finish() })
    }

    /// Returns the artefact of a key. A file that is damaged, or not this user's alone, counts as a miss, and is
    /// logged.
    pub fn get(&self, key: &Key) -> Option<Kept> {
        let path = self.path(key);
        match read(&path) {
            Ok(None) => None,
            Ok(Some(kept)) => {
                // The modification time is that of the last use; if it can't be set, the file may be evicted sooner.
                let _ = kept.file.set_modified(SystemTime::now());
                Some(kept)
            }
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "a file of the module cache is refused; the module is built again");
                None
            }
        }
    }

    /// Stores an artefact, and evicts the least recently used ones if all together take too many bytes.
    pub fn put(&self, key: &Key, artefact: &Artefact) -> std::io::Result<Kept> {
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&self.folder)?;
        let (code, facts) = (artefact.code(), artefact.facts.to_bytes());
        let length = u64::try_from(facts.len()).unwrap_or(u64::MAX).to_le_bytes();
        let sum = Sha256::new().chain_update(code).chain_update(&facts).finalize();
        // The code comes first: a file is mapped from its start.
        for part in [code, &facts, &length, &sum, MAGIC] {
            file.write_all(part)?;
        }
        let file = file.persist(self.path(key)).map_err(|error| error.error)?;
        self.sweep()?;
        Ok(Kept { facts: artefact.facts.clone(), file })
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = Sha256::new()
            .chain_update(self.host.to_le_bytes())
            .chain_update(key.module.full())
            .chain_update(key.configured.map(|digest| digest.full()).unwrap_or_default());
        let name: String = name.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension(ENDING)
    }

    fn sweep(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == ENDING) {
                let about = entry.metadata()?;
                files.push((about.modified()?, about.len(), entry.path()));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, size, path) in files {
            if bytes <= self.most_bytes {
                break;
            }
            bytes = bytes.saturating_sub(size);
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// An artefact in a file of the cache.
#[derive(Debug)]
pub struct Kept {
    pub facts: Facts,
    file: File,
}

impl Kept {
    /// The component, with its code mapped from the file: it takes no memory of its own except for pages that are
    /// changed.
    pub fn component(&self, engine: &Engine) -> Result<Component, LoadError> {
        component_of_file(engine, &self.file)
    }
}

/// Reads and checks a file. None: there is no such file.
fn read(path: &Path) -> Result<Option<Kept>, String> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".to_owned());
    }
    ours(&about).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let facts = || {
        let (content, sum) = bytes.strip_suffix(MAGIC)?.split_last_chunk::<SUM>()?;
        let (content, length) = content.split_last_chunk()?;
        if Sha256::digest(content).as_slice() != sum {
            return None;
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        Facts::from_bytes(content.get(content.len().checked_sub(length)?..)?)
    };
    let facts = facts().ok_or_else(|| "it is damaged".to_owned())?;
    Ok(Some(Kept { facts, file }))
}

fn ours(about: &std::fs::Metadata) -> Result<(), CacheError> {
    let (owner, user) = (about.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(CacheError::Owner { owner, user });
    }
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(CacheError::Mode { mode });
    }
    Ok(())
}
