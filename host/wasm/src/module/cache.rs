//! Caches built modules on disk, in a folder of this user's alone.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use pointsman_native::artefacts::{FolderError, OwnFolder, SealedFile};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::artefact::{Artefact, Facts, not_compiled};
use crate::module::{Digest, LoadError};

/// A folder of artefacts. The name of each is a hash of everything that it depends on.
#[derive(Debug)]
pub struct Cache {
    folder: OwnFolder,
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

/// An artefact in a file of the cache.
#[derive(Debug)]
pub struct CachedArtefact {
    pub facts: Facts,
    file: SealedFile,
}

impl Cache {
    /// Opens a folder, or creates it. It may grow to `most_bytes`.
    pub fn open(folder: &Path, most_bytes: u64, engine: &Engine) -> Result<Cache, FolderError> {
        let folder = OwnFolder::open(folder)?;
        let mut host = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut host);
        if cfg!(debug_assertions) {
            // During development the code changes, and the version does not.
            let program = std::env::current_exe().and_then(std::fs::metadata);
            program.and_then(|about| Ok((about.len(), about.modified()?))).ok().hash(&mut host);
        }
        engine.precompile_compatibility_hash().hash(&mut host);
        Ok(Cache { folder, most_bytes, host: host.finish() })
    }

    /// Returns the artefact of a key. A file that is damaged, or not this user's alone, counts as a miss, and is
    /// logged.
    pub fn get(&self, key: &Key) -> Option<CachedArtefact> {
        let key = self.key(key);
        let why = match self.folder.read(&key) {
            Ok(None) => return None,
            Ok(Some(file)) => match Facts::from_bytes(file.facts()) {
                Some(facts) => {
                    file.touch();
                    return Some(CachedArtefact { facts, file });
                }
                None => "it is damaged".to_owned(),
            },
            Err(why) => why,
        };
        let path = self.folder.file(&key);
        tracing::warn!(path = %path.display(), why, "a file of the module cache is refused; the module is built again");
        None
    }

    /// Stores an artefact, and evicts the least recently used ones if all together take too many bytes.
    pub fn put(&self, key: &Key, artefact: &Artefact) -> std::io::Result<CachedArtefact> {
        let file = self.folder.write(&self.key(key), &artefact.code, &artefact.facts.to_bytes())?;
        self.folder.shrink(self.most_bytes)?;
        Ok(CachedArtefact { facts: artefact.facts.clone(), file })
    }

    fn key(&self, key: &Key) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.host.to_le_bytes())
            .chain_update(key.module.full())
            .chain_update(key.configured.map(|digest| digest.full()).unwrap_or_default())
            .finalize()
            .into()
    }
}

impl CachedArtefact {
    /// The component, with its code mapped from the file.
    pub fn component(&self, engine: &Engine) -> Result<Component, LoadError> {
        self.file.component(engine).map_err(not_compiled)
    }
}
