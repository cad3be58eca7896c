//! An HTTP proxy that opens tunnels and records its requests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinHandle;

/// A CONNECT proxy on loopback.
pub struct ConnectProxy {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    accept: JoinHandle<()>,
}

/// How a proxy responds.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Opens the tunnel to this address, whatever name was requested.
    Open(SocketAddr),
    /// The same, with the first bytes of the upstream in the same packet as the response.
    OpenTogether(SocketAddr),
    /// Sends this and closes the connection.
    Respond(&'static str),
    /// Sends nothing.
    Silent,
}

impl ConnectProxy {
    pub async fn tcp(behaviour: Behaviour) -> ConnectProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = requests.clone();
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, behaviour, recorded.clone()));
            }
        });
        ConnectProxy { address, requests, accept }
    }

    pub fn unix(path: &Path, behaviour: Behaviour) -> ConnectProxy {
        let listener = UnixListener::bind(path).expect("a socket");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = requests.clone();
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, behaviour, recorded.clone()));
            }
        });
        ConnectProxy { address: format!("unix:{}", path.display()), requests, accept }
    }

    /// The address, in the form that a module uses.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The heads of the requests received.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("records").clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    behaviour: Behaviour,
    requests: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    requests.lock().expect("records").push(String::from_utf8_lossy(&head).into_owned());
    match behaviour {
        Behaviour::Open(target) => {
            let mut upstream = TcpStream::connect(target).await?;
            client.write_all(OPEN).await?;
            tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        }
        Behaviour::OpenTogether(target) => {
            let mut upstream = TcpStream::connect(target).await?;
            let mut together = OPEN.to_vec();
            upstream.read_buf(&mut together).await?;
            client.write_all(&together).await?;
            tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        }
        Behaviour::Respond(answer) => client.write_all(answer.as_bytes()).await?,
        Behaviour::Silent => {
            client.read_u8().await?;
        }
    }
    Ok(())
}
