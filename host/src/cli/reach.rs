//! Connects to a running proxy's admin API: over its Unix socket, or over TCP with a token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use pointsman_rules::config::{self, AdminConfig};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Connection timeout. A live host accepts well within it, even on the other side of the world.
const CONNECT: Duration = Duration::from_secs(10);

/// The address of the API.
#[derive(Debug)]
pub enum Reach {
    Socket(PathBuf),
    Address(SocketAddr, String),
}

impl Reach {
    pub fn with_token(address: SocketAddr, file: &Path) -> anyhow::Result<Reach> {
        let token = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        Ok(Reach::Address(address, token.trim().to_owned()))
    }

    /// The address in a configuration's `[admin]`. The rest of the file may be invalid.
    pub fn of_config(file: &Path) -> anyhow::Result<Reach> {
        let admin = match config::load_admin(file) {
            Ok(admin) => admin,
            Err(errors) => bail!("{errors}\nso the API cannot be found; pass its path with --socket PATH"),
        };
        match admin {
            Some(AdminConfig { socket: Some(socket), .. }) => Ok(Reach::Socket(socket)),
            Some(AdminConfig { address: Some(address), token_file: Some(token), .. }) if address.port() == 0 => bail!(
                "{}: admin.address has port 0, any free one: see the proxy's log, and say it with `--address IP:PORT \
                 --token-file {}`",
                file.display(),
                token.display()
            ),
            Some(AdminConfig { address: Some(address), token_file: Some(file), .. }) => {
                Reach::with_token(address, &file)
            }
            Some(_) => bail!("{}: [admin] has neither `socket` nor `token_file`: there is no API", file.display()),
            None => bail!("{}: there is no [admin], so the proxy has no API: add the table", file.display()),
        }
    }

    /// Sends a request to the API. `longest` limits the time from the connection to the end of the answer.
    pub async fn ask(
        self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        longest: Duration,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder().method(method).uri(path);
        match self {
            Reach::Socket(socket) => {
                let whom = socket.display().to_string();
                let stream = connected(&whom, longest, UnixStream::connect(&socket)).await?;
                // It has no meaning on a Unix socket, but HTTP requires it.
                let request = request.header(header::HOST, "localhost");
                send(stream, request.body(Full::new(body.into()))?, longest).await
            }
            Reach::Address(address, token) => {
                let stream = connected(&address.to_string(), longest, TcpStream::connect(address)).await?;
                let request = request.header(header::HOST, address.to_string());
                let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                send(stream, request.body(Full::new(body.into()))?, longest).await
            }
        }
    }
}

async fn connected<S>(
    whom: &str,
    longest: Duration,
    connecting: impl Future<Output = std::io::Result<S>>,
) -> anyhow::Result<S> {
    let longest = longest.min(CONNECT);
    let stream = timeout(longest, connecting).await;
    let stream =
        stream.with_context(|| format!("cannot reach the proxy at `{whom}` within {} s", longest.as_secs()))?;
    stream.with_context(|| format!("cannot reach the proxy at `{whom}`"))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    longest: Duration,
) -> anyhow::Result<(StatusCode, Value)> {
    let answered = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.context("the proxy did not answer")?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the proxy did not answer to the end")?.to_bytes();
        let answer =
            serde_json::from_slice(&body).with_context(|| format!("not the admin API: it answered {status}"))?;
        Ok((status, answer))
    };
    match timeout(longest, answered).await {
        Ok(answer) => answer,
        Err(_) => bail!(
            "the proxy did not answer within {} s (--timeout); it may still do what it was asked: look with \
             `pointsman admin show TENANT`",
            longest.as_secs()
        ),
    }
}
