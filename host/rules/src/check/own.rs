//! Refuses connections to the proxy's own listeners, TCP and Unix. No grant allows them: a request that comes back gets
//! the same decision and comes back again, and the admin API obeys anyone who can open its socket.
//!
//! A Unix socket has as many paths as there are links to it, so it is identified by its file, not by its path. Files
//! are looked up just before the connection is made. Modules can't create or rename files, so nothing that a tenant
//! does changes where a path leads in between. [`OwnAddresses::is_name_of_own`] covers changes by the operator at that
//! moment: it judges the connection itself.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::check::Forbidden;

/// Prefix of an admin socket's file name before the file gets its final name. The kernel reports a listener under the
/// name that it was bound to, whatever its file is called later, so by this prefix a Pointsman recognizes the socket of
/// any other.
pub const UNNAMED_SOCKET: &str = ".pm-";

/// The addresses of the proxy's own listeners.
#[derive(Debug, Default)]
pub struct OwnAddresses {
    listeners: Vec<SocketAddr>,
    /// The listeners' actual addresses, if they were not known when this value was made.
    found: OnceLock<Vec<SocketAddr>>,
    /// The addresses that this machine had at the start.
    machine: Vec<IpAddr>,
    /// Unix sockets, by the paths of the configuration.
    sockets: Vec<PathBuf>,
    /// The file of the Unix socket on which this process listens; it stays the same when it is renamed. The kernel does
    /// not reuse its inode number while a process listens.
    file: OnceLock<FileId>,
}

/// Why a connection to a Unix socket is refused.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("`{}` {why}", .path.display())]
    Forbidden { path: PathBuf, why: Forbidden },
    #[error("`{}`: {source}", .path.display())]
    Absent { path: PathBuf, source: io::Error },
}

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl OwnAddresses {
    pub fn new(listeners: Vec<SocketAddr>, machine: Vec<IpAddr>) -> OwnAddresses {
        OwnAddresses { listeners, machine, ..OwnAddresses::default() }
    }

    /// Adds Unix sockets, by their paths. They need not exist yet.
    pub fn with_sockets(self, sockets: Vec<PathBuf>) -> OwnAddresses {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        OwnAddresses { sockets: sockets.into_iter().map(absolute).collect(), ..self }
    }

    /// Sets the listeners' actual addresses, since a configuration may leave a port open with 0. Only the first call
    /// has an effect.
    pub fn found(&self, listeners: Vec<SocketAddr>) {
        let _ = self.found.set(listeners);
    }

    /// Remembers the file of the Unix socket on which this process listens, wherever it is moved. Only the first file
    /// is kept.
    pub fn listens_on(&self, path: &Path) {
        if let Ok(file) = FileId::of(path) {
            let _ = self.file.set(file);
        }
    }

    pub(super) fn contains(&self, ip: IpAddr, port: u16) -> bool {
        let is_here = || ip.is_loopback() || self.machine.contains(&ip);
        let listeners = self.found.get().unwrap_or(&self.listeners);
        listeners.iter().filter(|listener| listener.port() == port).any(|listener| {
            let at = listener.ip().to_canonical();
            // A connection to the unspecified address goes to this machine.
            at == ip || ip.is_unspecified() || (at.is_unspecified() && is_here())
        })
    }

    /// Whether a path is that of an own socket as written. Does not follow links.
    pub(super) fn is_path_of_own(&self, path: &Path) -> bool {
        // Paths compare by components: `//` equals `/`.
        self.sockets.iter().any(|own| own == path)
    }

    /// Whether an own socket is bound to this name, as the kernel reports it for a connection that has been made.
    pub fn is_name_of_own(&self, name: &Path) -> bool {
        let unnamed =
            name.file_name().is_some_and(|file| file.as_encoded_bytes().starts_with(UNNAMED_SOCKET.as_bytes()));
        unnamed || std::path::absolute(name).is_ok_and(|name| self.is_path_of_own(&name))
    }

    /// Allows a path unless it leads to an own socket. A path that leads nowhere is refused too, since an own socket
    /// may appear there.
    ///
    /// Costs one `stat`, and one for each own socket.
    pub(super) fn permit_socket(&self, path: &Path) -> Result<(), SocketError> {
        let file = FileId::of(path).map_err(|source| SocketError::Absent { path: path.to_owned(), source })?;
        let is_own = self.file.get() == Some(&file)
            // A process that replaces this one makes new files.
            || self.sockets.iter().any(|own| FileId::of(own).is_ok_and(|own| own == file));
        match is_own {
            true => Err(SocketError::Forbidden { path: path.to_owned(), why: Forbidden::Own }),
            false => Ok(()),
        }
    }
}

impl FileId {
    /// Follows links, as `connect` does.
    fn of(path: &Path) -> io::Result<FileId> {
        let about = std::fs::metadata(path)?;
        Ok(FileId(about.dev(), about.ino()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// A folder with the admin socket `admin.sock`, on which a listener is bound, and another socket, `app.sock`.
    struct Folder {
        folder: TempDir,
        own: OwnAddresses,
        _listening: [UnixListener; 2],
    }

    impl Folder {
        fn new() -> Folder {
            let folder = TempDir::new().expect("a folder");
            let path = |name: &str| folder.path().join(name);
            let listening = ["admin.sock", "app.sock"].map(|name| UnixListener::bind(path(name)).expect("a socket"));
            let own = OwnAddresses::default().with_sockets(vec![path("admin.sock"), path("upgrade.sock")]);
            own.listens_on(&path("admin.sock"));
            Folder { own, _listening: listening, folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        #[track_caller]
        fn refused(&self, path: &Path) {
            let judged = self.own.permit_socket(path);
            let own = matches!(judged, Err(SocketError::Forbidden { why: Forbidden::Own, .. }));
            assert!(own, "{}: {judged:?}", path.display());
        }

        #[track_caller]
        fn passes(&self, path: &Path) {
            assert!(self.own.permit_socket(path).is_ok(), "{}", path.display());
        }
    }

    #[test]
    fn own_socket_is_known_by_every_path() {
        let folder = Folder::new();
        let admin = folder.path("admin.sock");
        fs::create_dir(folder.path("below")).expect("a folder");
        symlink(&admin, folder.path("link")).expect("a link");
        symlink(folder.path("link"), folder.path("link-to-link")).expect("a link");
        symlink(folder.folder.path(), folder.path("below/up")).expect("a link");
        fs::hard_link(&admin, folder.path("hard")).expect("a link");
        for name in [
            "admin.sock",
            "./admin.sock",
            "/admin.sock",
            "below/../admin.sock",
            "link",
            "link-to-link",
            "below/up/link",
            "hard",
        ] {
            folder.refused(Path::new(&format!("{}/{name}", folder.folder.path().display())));
        }
        for root in ["/proc/self/root".to_owned(), format!("/proc/{}/root", std::process::id())] {
            folder.refused(Path::new(&format!("{root}{}", admin.display())));
        }
        let cwd = std::env::current_dir().expect("a folder");
        let up: PathBuf = cwd.components().skip(1).map(|_| "..").collect();
        let by_cwd = Path::new("/proc/self/cwd").join(up).join(admin.strip_prefix("/").expect("absolute"));
        folder.refused(&by_cwd);
    }

    #[test]
    fn own_socket_that_was_renamed_or_made_again_is_known() {
        let folder = Folder::new();
        fs::rename(folder.path("admin.sock"), folder.path("moved")).expect("renamed");
        folder.refused(&folder.path("moved"));
        let _again = UnixListener::bind(folder.path("admin.sock")).expect("a socket");
        folder.refused(&folder.path("admin.sock"));
        folder.refused(&folder.path("moved"));
        // The upgrade socket exists only while a process hands its listeners over.
        assert!(matches!(folder.own.permit_socket(&folder.path("upgrade.sock")), Err(SocketError::Absent { .. })));
        symlink("upgrade.sock", folder.path("early")).expect("a link");
        assert!(matches!(folder.own.permit_socket(&folder.path("early")), Err(SocketError::Absent { .. })));
        let _upgrade = UnixListener::bind(folder.path("upgrade.sock")).expect("a socket");
        folder.refused(&folder.path("upgrade.sock"));
        folder.refused(&folder.path("early"));
    }

    #[test]
    fn other_sockets_pass() {
        let folder = Folder::new();
        symlink("app.sock", folder.path("link")).expect("a link");
        folder.passes(&folder.path("app.sock"));
        folder.passes(&folder.path("link"));
    }

    #[test]
    fn own_socket_is_known_by_the_name_it_was_bound_to() {
        let own = OwnAddresses::default().with_sockets(vec!["/run/p/upgrade.sock".into()]);
        for name in ["/run/p/upgrade.sock", "/run/p/.pm-AbCdEf", ".pm-AbCdEf"] {
            assert!(own.is_name_of_own(Path::new(name)), "{name}");
        }
        for name in ["/run/p/app.sock", "/run/p/pm-AbCdEf", "/run/.pm-x/app.sock", "upgrade.sock"] {
            assert!(!own.is_name_of_own(Path::new(name)), "{name}");
        }
    }
}
