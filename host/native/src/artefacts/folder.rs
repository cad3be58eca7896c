//! Compiled code in files of a folder. It is run as it is, so the folder and every file in it must belong to this user
//! alone; anything else is refused, never repaired. A file is mapped, so it is replaced or removed, never written to.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pointsman_system::file_access::can_be_folder;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artefacts::CompiledCode;

/// The last bytes of every file. They change with the format of a file, and of the facts in it.
const MAGIC: &[u8; 16] = b"pointsman-mod-6\n";

/// Bytes of SHA-256.
const SUM: usize = 32;

const ENDING: &str = "built";

/// A folder of this user's alone.
#[derive(Debug)]
pub struct OwnFolder {
    path: PathBuf,
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
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

/// A file of an [`OwnFolder`], which matches its checksum.
#[derive(Debug)]
pub struct SealedFile {
    facts: Vec<u8>,
    file: File,
}

impl OwnFolder {
    /// Checks that a folder can be used, or can be created.
    pub fn check(path: &Path) -> Result<(), FolderError> {
        match std::fs::symlink_metadata(path) {
            Ok(about) if !about.is_dir() => Err(FolderError::NoFolder),
            Ok(about) => ours(&about),
            Err(_) => Ok(can_be_folder(path)?),
        }
    }

    /// Opens a folder, or creates it.
    pub fn open(path: &Path) -> Result<OwnFolder, FolderError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        OwnFolder::check(path)?;
        Ok(OwnFolder { path: path.to_owned() })
    }

    /// The path of the file with this key.
    pub fn file(&self, key: &[u8; 32]) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.path.join(name).with_extension(ENDING)
    }

    /// Opens and checks the file with this key. None: there is none. The error says why a file is refused.
    pub fn read(&self, key: &[u8; 32]) -> Result<Option<SealedFile>, String> {
        read(&self.file(key))
    }

    /// Writes code, and facts about it, to the file with this key, in place of any other.
    pub fn write(&self, key: &[u8; 32], code: &CompiledCode, facts: &[u8]) -> std::io::Result<SealedFile> {
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&self.path)?;
        let length = u64::try_from(facts.len()).unwrap_or(u64::MAX).to_le_bytes();
        let sum = Sha256::new().chain_update(&code.bytes).chain_update(facts).chain_update(length).finalize();
        // The code comes first: a file is mapped from its start.
        for part in [&code.bytes, facts, &length, &sum, MAGIC] {
            file.write_all(part)?;
        }
        let file = file.persist(self.file(key)).map_err(|error| error.error)?;
        Ok(SealedFile { facts: facts.to_owned(), file })
    }

    /// Removes the least recently used files if all together have more bytes.
    pub fn shrink(&self, most_bytes: u64) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == ENDING) {
                let about = entry.metadata()?;
                files.push((about.modified()?, about.len(), entry.path()));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, size, path) in files {
            if bytes <= most_bytes {
                break;
            }
            bytes = bytes.saturating_sub(size);
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl SealedFile {
    /// The facts that were written with the code.
    pub fn facts(&self) -> &[u8] {
        &self.facts
    }

    /// Marks it as used now. The modification time is that of the last use; if it can't be set, the file may be evicted
    /// sooner.
    pub fn touch(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }

    /// Loads the component, with its code mapped from the file: it takes no memory of its own except for pages that are
    /// changed. Fails if the engine's settings differ from those that it was compiled for.
    pub fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // By its descriptor: its name may lead to another file by now.
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        // SAFETY: The file was checked, or written from a `CompiledCode`; only this user can write to it, and this
        // program never does.
        #[expect(unsafe_code, reason = "Wasmtime trusts what it serialized")]
        unsafe {
            Component::deserialize_file(engine, path)
        }
    }
}

fn read(path: &Path) -> Result<Option<SealedFile>, String> {
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
    let facts = facts(&bytes).ok_or_else(|| "it is damaged".to_owned())?;
    Ok(Some(SealedFile { facts, file }))
}

/// The facts in a file's bytes. None: they do not match their checksum.
fn facts(bytes: &[u8]) -> Option<Vec<u8>> {
    let (content, sum) = bytes.strip_suffix(MAGIC)?.split_last_chunk::<SUM>()?;
    if Sha256::digest(content).as_slice() != sum {
        return None;
    }
    let (content, length) = content.split_last_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    Some(content.get(content.len().checked_sub(length)?..)?.to_owned())
}

fn ours(about: &Metadata) -> Result<(), FolderError> {
    let (owner, user) = (about.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(FolderError::Owner { owner, user });
    }
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FolderError::Mode { mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    /// A folder whose file has some code.
    fn folder() -> (tempfile::TempDir, OwnFolder) {
        let folder = tempfile::tempdir().expect("a folder");
        let own = OwnFolder::open(&folder.path().join("built")).expect("ours");
        own.write(&KEY, &CompiledCode { bytes: b"code".to_vec() }, b"facts").expect("written");
        (folder, own)
    }

    #[test]
    fn written_file_is_read_again() {
        let (_folder, own) = folder();
        let file = own.read(&KEY).expect("not refused").expect("there");
        assert_eq!(file.facts(), b"facts");
        assert!(own.read(&[8; 32]).expect("not refused").is_none());
    }

    #[test]
    fn file_that_others_may_use_is_refused() {
        let (_folder, own) = folder();
        for mode in [0o604, 0o620, 0o700 | 0o010] {
            set_permissions(own.file(&KEY), Permissions::from_mode(mode)).expect("a mode");
            let why = own.read(&KEY).expect_err("others may use it");
            assert!(why.contains(&format!("mode {mode:o}")), "{why}");
        }
    }

    #[test]
    fn file_with_any_changed_byte_is_refused() {
        let (_folder, own) = folder();
        let whole = std::fs::read(own.file(&KEY)).expect("a file");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(own.file(&KEY), bytes).expect("written");
            assert_eq!(own.read(&KEY).expect_err("changed"), "it is damaged", "byte {at}");
        }
    }
}
