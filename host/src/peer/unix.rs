//! Connects to Unix sockets, and refuses those on which this proxy itself listens.
//!
//! `check` has inspected the file behind the path; this inspects the listener that the connection reached, so that a
//! file replaced in between makes no difference.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::ext::connect_uds;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::{Error, ErrorType, OrErr as _, Result};
use pointsman_rules::check::{Forbidden, OwnAddresses, SocketError};

/// Connects to one path.
#[derive(Debug)]
pub struct UnixConnector {
    pub path: PathBuf,
    pub timeout: Duration,
    pub own: Arc<OwnAddresses>,
}

#[async_trait]
impl Connect for UnixConnector {
    async fn connect(&self, _address: &SocketAddr) -> Result<Stream> {
        let connecting = tokio::time::timeout(self.timeout, connect_uds(&self.path)).await;
        let stream = connecting.or_err(ErrorType::ConnectTimedout, "connecting to a Unix socket")??;
        let listener = stream.peer_addr().or_err(ErrorType::ConnectError, "asking who listens")?;
        if listener.as_pathname().is_some_and(|name| self.own.is_name_of_own(name)) {
            let own = SocketError::Forbidden { path: self.path.clone(), why: Forbidden::Own };
            return Err(Error::because(ErrorType::ConnectNoRoute, "connecting to a Unix socket", own));
        }
        Ok(stream.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use pointsman_rules::check::UNNAMED_SOCKET;

    use super::*;

    #[tokio::test]
    async fn connection_to_an_own_listener_is_refused_whatever_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let unnamed = format!("{UNNAMED_SOCKET}AbCdEf");
        let _listening = [&*unnamed, "upgrade.sock", "app.sock"].map(|name| UnixListener::bind(path(name)));
        std::fs::rename(path(&unnamed), path("admin.sock")).expect("renamed");
        std::fs::hard_link(path("upgrade.sock"), path("hard")).expect("a link");
        let own = Arc::new(OwnAddresses::default().with_sockets(vec![path("upgrade.sock")]));
        let connect = async |name: &str| {
            let connector = UnixConnector { path: path(name), timeout: Duration::from_secs(5), own: own.clone() };
            let address = SocketAddr::Unix(std::os::unix::net::SocketAddr::from_pathname("/").expect("an address"));
            connector.connect(&address).await.map(|_| ()).map_err(|error| error.etype().clone())
        };
        assert_eq!(connect("admin.sock").await, Err(ErrorType::ConnectNoRoute));
        assert_eq!(connect("hard").await, Err(ErrorType::ConnectNoRoute));
        assert_eq!(connect("app.sock").await, Ok(()));
        assert_eq!(connect("absent").await, Err(ErrorType::ConnectError));
    }
}
