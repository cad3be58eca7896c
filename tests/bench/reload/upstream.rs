//! An upstream that returns the version of the module that sent a request, and serves downloads and echoing WebSockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Full, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Interval;

/// A download: chunks of this size, with these pauses between them.
pub const CHUNK: usize = 16 * 1024;
pub const CHUNKS: usize = 40;
const PAUSE: Duration = Duration::from_millis(50);

type Body = BoxBody<Bytes, Infallible>;

pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Responses are small: none waits for another.
            stream.set_nodelay(true).expect("a socket option");
            tokio::spawn(async move {
                // Connections end when the proxy does.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection_with_upgrades(TokioIo::new(stream), hyper::service::service_fn(answer))
                    .await;
            });
        }
    });
    address
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let version = request.headers().get("x-version").cloned();
    let mut response = match request.uri().path() {
        "/download" => Response::new(Download { sent: 0, pause: tokio::time::interval(PAUSE) }.boxed()),
        "/websocket" => echo(request),
        _ => {
            let version = version.as_ref().map(|version| Bytes::copy_from_slice(version.as_bytes()));
            Response::new(Full::new(version.unwrap_or_default()).boxed())
        }
    };
    if let Some(version) = version {
        response.headers_mut().insert("x-version", version);
    }
    Ok(response)
}

/// Chunk after chunk, slowly.
struct Download {
    sent: usize,
    pause: Interval,
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent == CHUNKS {
            return Poll::Ready(None);
        }
        std::task::ready!(self.pause.poll_tick(context));
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; CHUNK])))))
    }
}

fn echo(request: Request<Incoming>) -> Response<Body> {
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await.expect("an upgrade"));
        let mut buffer = [0; 64];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    response
}
