//! Reads files that others supply, without blocking, and never more bytes than are allowed.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has `size` bytes, or more.
    #[error("it has {size} bytes")]
    TooLarge { size: u64 },
}

/// Reads all of a regular file of at most `most` bytes.
///
/// A path may lead anywhere: to a FIFO, which would block, or to a device that has a length of 0 and no end. So the
/// check is of the file that was opened, and does not trust its length.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    // Does not wait for a writer of a FIFO; regular files are read as usual.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(ReadError::Io(io::Error::other("not a regular file")));
    }
    if about.len() > most {
        return Err(ReadError::TooLarge { size: about.len() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    // The file may grow meanwhile.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > most { Err(ReadError::TooLarge { size }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[track_caller]
    fn check(path: &Path, expected: Result<&[u8], &str>) {
        let found = read_at_most(path, 4).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(|error| &**error), expected);
    }

    #[test]
    fn only_regular_files_of_the_allowed_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("four"), "four").expect("written");
        std::fs::write(path("large"), "large").expect("written");
        symlink("/dev/zero", path("zero")).expect("a symlink");
        symlink("/proc/self/status", path("status")).expect("a symlink");
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        check(&path("four"), Ok(b"four"));
        check(&path("large"), Err("it has 5 bytes"));
        check(&path("zero"), Err("not a regular file"));
        check(&path("fifo"), Err("not a regular file"));
        check(folder.path(), Err("not a regular file"));
        // Its length is 0 until it is read.
        check(&path("status"), Err("it has 5 bytes"));
    }
}
