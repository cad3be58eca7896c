//! The proxy's ends of connections, found among the sockets of this process, since the proxy runs in it.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};
use pointsman_native::descriptors::of_this_process;

/// The socket that is connected from `local` to `remote`.
///
/// # Panics
/// If there is none.
pub fn connected(local: SocketAddr, remote: SocketAddr) -> OwnedFd {
    let found =
        of_this_process().expect("the list of descriptors").find(|socket| ends(socket) == Some((local, remote)));
    found.unwrap_or_else(|| panic!("no socket from {local} to {remote}"))
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
