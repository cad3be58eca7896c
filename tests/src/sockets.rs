//! The proxy's ends of connections, found among the sockets of this process, since the proxy runs in it.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};

/// The socket that is connected from `local` to `remote`.
///
/// # Panics
/// If there is none.
pub fn connected(local: SocketAddr, remote: SocketAddr) -> OwnedFd {
    let found = descriptors().find(|socket| ends(socket) == Some((local, remote)));
    found.unwrap_or_else(|| panic!("no socket from {local} to {remote}"))
}

/// Copies of all of this process's descriptors, one by one.
fn descriptors() -> impl Iterator<Item = OwnedFd> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("the list of descriptors");
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(|number: i32| {
        #[expect(unsafe_code, reason = "there is no safe way to name a descriptor that another part of a process owns")]
        // SAFETY: borrowed only to be copied at once. If it was closed meanwhile the copy fails, and if it was reused
        // the copy is of another file, which the search skips.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        borrowed.try_clone_to_owned().ok()
    })
}

fn ends(socket: &OwnedFd) -> Option<(SocketAddr, SocketAddr)> {
    use std::os::fd::AsRawFd as _;
    let descriptor = socket.as_fd().as_raw_fd();
    let local = getsockname::<SockaddrStorage>(descriptor).ok()?;
    let remote = getpeername::<SockaddrStorage>(descriptor).ok()?;
    Some((inet(&local)?, inet(&remote)?))
}

fn inet(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from((address.ip(), address.port()))))
}
