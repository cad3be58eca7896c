//! Checks whether paths could be used as intended, without changing anything.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use pointsman_rules::check::UNNAMED_SOCKET;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Whether a file can be appended to, or created.
pub fn can_append(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => Err(Errno::ISDIR.into()),
        Ok(_) => access(path, Access::WRITE_OK),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            access(folder(path), Access::WRITE_OK | Access::EXEC_OK)
        }
        Err(error) => Err(error),
    }
}

/// Whether a folder exists and can be read, or can be created with its parents.
pub fn can_be_folder(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => access(path, Access::READ_OK | Access::EXEC_OK),
        Ok(_) => Err(Errno::NOTDIR.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A dangling symlink is in the way of a folder.
            if std::fs::symlink_metadata(path).is_ok() {
                return Err(Errno::EXIST.into());
            }
            let above = folder(path);
            match std::fs::metadata(above) {
                Ok(about) if about.is_dir() => access(above, Access::WRITE_OK | Access::EXEC_OK),
                _ => can_be_folder(above),
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether a Unix socket could listen there, if no other process does.
pub fn can_listen(path: &Path) -> io::Result<()> {
    /// Bytes of the longest path of a Unix socket, without the 0 at its end.
    const LONGEST: usize = 107;
    let folder = folder(path);
    let bytes = |path: &Path| path.as_os_str().len();
    // The socket listens under a name like this one before it gets its own.
    let longest = bytes(path).max(bytes(&folder.join(format!("{UNNAMED_SOCKET}123456"))));
    if longest > LONGEST {
        return Err(io::Error::other(format!("its path may have {LONGEST} bytes at most, as for every Unix socket")));
    }
    match std::fs::symlink_metadata(path) {
        Ok(about) if !about.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match std::fs::metadata(folder)?.is_dir() {
        true => access(folder, Access::WRITE_OK | Access::EXEC_OK),
        false => Err(Errno::NOTDIR.into()),
    }
}

/// Checks access as the effective user of this process, who need not be the one who started it.
fn access(path: &Path, access: Access) -> io::Result<()> {
    match accessat(CWD, path, access, AtFlags::EACCESS) {
        // A kernel before 5.8, or a sandbox, can't check this: the error will show when the path is used.
        Ok(()) | Err(Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The folder that a path is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[track_caller]
    fn check(found: io::Result<()>, expected: Result<(), &str>) {
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    const NONE: &str = "No such file or directory (os error 2)";
    const NO_FOLDER: &str = "Not a directory (os error 20)";

    #[test]
    fn paths_are_checked_as_they_would_be_used_and_nothing_is_created() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "").expect("written");
        std::fs::create_dir(path("folder")).expect("a folder");
        symlink(path("nowhere"), path("dangling")).expect("a symlink");
        let socket = UnixListener::bind(path("socket")).expect("a socket");
        let list = || {
            let mut names: Vec<_> =
                std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
            names.sort();
            names
        };
        let before = list();

        check(can_append(&path("file")), Ok(()));
        check(can_append(&path("new")), Ok(()));
        check(can_append(&path("folder")), Err("Is a directory (os error 21)"));
        check(can_append(&path("none/new")), Err(NONE));
        check(can_append(&path("file/new")), Err(NO_FOLDER));

        check(can_be_folder(&path("folder")), Ok(()));
        check(can_be_folder(&path("new/below/it")), Ok(()));
        check(can_be_folder(&path("file")), Err(NO_FOLDER));
        check(can_be_folder(&path("file/below/it")), Err(NO_FOLDER));
        check(can_be_folder(&path("dangling")), Err("File exists (os error 17)"));

        check(can_listen(&path("new")), Ok(()));
        check(can_listen(&path("socket")), Ok(()));
        check(can_listen(&path("file")), Err("there is a file of that name"));
        check(can_listen(&path("none/new")), Err(NONE));
        check(can_listen(&path("file/new")), Err(NO_FOLDER));
        let too_long = "its path may have 107 bytes at most, as for every Unix socket";
        check(can_listen(&path(&"x".repeat(108))), Err(too_long));
        check(can_listen(Path::new(&format!("/{}/x", "x".repeat(100)))), Err(too_long));
        // Before it gets its name, it has a longer one.
        check(can_listen(Path::new(&format!("/{}/x", "x".repeat(96)))), Err(too_long));
        check(can_listen(Path::new(&format!("/{}/x", "x".repeat(95)))), Err(NONE));
        assert_eq!(list(), before);
        drop(socket);
    }
}
