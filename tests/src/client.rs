//! A client with one connection, HTTP/1.1 or HTTP/2, with or without TLS.

use std::convert::Infallible;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509Ref;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }

    /// The proxy's own failure code. None: the response is the upstream's, or a module's.
    pub fn code(&self) -> Option<&str> {
        self.header("pointsman-error")
    }
}

/// A connection to a proxy.
pub enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub async fn http1(address: SocketAddr) -> Client {
        Client::http1_over(TcpStream::connect(address).await.expect("a connection")).await
    }

    /// HTTP/2 by prior knowledge.
    pub async fn http2(address: SocketAddr) -> Client {
        Client::http2_over(TcpStream::connect(address).await.expect("a connection")).await
    }

    /// TLS, with the HTTP version chosen by ALPN. The certificate is not checked: the tests here are not about it.
    pub async fn tls(address: SocketAddr, sni: &str, alpn: &[&str]) -> Client {
        let stream = tls_stream(address, sni, alpn).await;
        match stream.ssl().selected_alpn_protocol() {
            Some(b"h2") => Client::http2_over(stream).await,
            _ => Client::http1_over(stream).await,
        }
    }

    async fn http1_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("an HTTP/1 connection");
        tokio::spawn(connection.with_upgrades());
        Client::Http1(sender)
    }

    async fn http2_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("an HTTP/2 connection");
        tokio::spawn(connection);
        Client::Http2(sender)
    }

    /// Sends a request and reads the whole response. The URI's authority becomes `host` or `:authority`.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, hyper::Error> {
        let response = match self {
            Client::Http1(sender) => {
                // The end of the last response may still be on its way through hyper.
                sender.ready().await?;
                sender.send_request(origin_form(request)).await?
            }
            Client::Http2(sender) => sender.send_request(request).await?,
        };
        read(response).await
    }

    /// A GET request to the tenant `lab`, whose module follows this order.
    pub async fn order(&mut self, order: impl Display) -> Reply {
        let request = get("http://lab.test/").header("pointsman-lab", order.to_string());
        self.send(request.body(Full::default()).expect("a request")).await.expect("a response")
    }

    pub async fn get(&mut self, url: &str) -> Reply {
        self.send(get(url).body(Full::default()).expect("a request")).await.expect("a response")
    }
}

/// The certificates that a listener presents on a new connection, the leaf first, as the names of their issuers.
pub async fn shown_certificates(address: SocketAddr) -> Vec<String> {
    let stream = tls_stream(address, "any.test", &[]).await;
    let chain = stream.ssl().peer_cert_chain().expect("certificates");
    let issuer = |certificate: &X509Ref| {
        let name = certificate.issuer_name().entries_by_nid(Nid::COMMONNAME).next().expect("a name");
        name.data().to_string().expect("text")
    };
    chain.iter().map(issuer).collect()
}

/// A TLS connection, after its handshake.
pub async fn tls_stream(address: SocketAddr, sni: &str, alpn: &[&str]) -> tokio_openssl::SslStream<TcpStream> {
    let mut builder = SslConnector::builder(SslMethod::tls()).expect("a connector");
    builder.set_verify(SslVerifyMode::NONE);
    let wire: Vec<u8> = alpn
        .iter()
        .flat_map(|name| std::iter::once(u8::try_from(name.len()).expect("short")).chain(name.bytes()))
        .collect();
    if !wire.is_empty() {
        builder.set_alpn_protos(&wire).expect("protocols");
    }
    let ssl = builder.build().configure().expect("settings").into_ssl(sni).expect("a TLS session");
    let stream = TcpStream::connect(address).await.expect("a connection");
    let mut stream = tokio_openssl::SslStream::new(ssl, stream).expect("a TLS stream");
    std::pin::Pin::new(&mut stream).connect().await.expect("a TLS handshake");
    stream
}

/// Sends HTTP/2 requests whose bodies are supplied piece by piece.
pub struct Uploader(http2::SendRequest<Pieces>);

/// The sending half of such a request's body. Dropping it ends the body.
pub struct Upload(mpsc::Sender<Bytes>);

/// The receiving half.
pub struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// An HTTP/2 connection by prior knowledge for such requests, and the task that drives it.
pub async fn http2_with_body(address: SocketAddr) -> (Uploader, JoinHandle<()>) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("an HTTP/2 connection");
    // It ends in many ways, none of which concerns this side.
    (Uploader(sender), tokio::spawn(async move { drop(connection.await) }))
}

impl Uploader {
    /// Starts a POST request of unknown length. Its response arrives later.
    pub async fn post(&self, url: &str) -> (Upload, JoinHandle<Result<Reply, hyper::Error>>) {
        self.begin(Request::post(url)).await
    }

    /// The same with `expect: 100-continue`.
    pub async fn post_expecting(&self, url: &str) -> (Upload, JoinHandle<Result<Reply, hyper::Error>>) {
        self.begin(Request::post(url).header("expect", "100-continue")).await
    }

    async fn begin(&self, request: http::request::Builder) -> (Upload, JoinHandle<Result<Reply, hyper::Error>>) {
        let (sender, body) = mpsc::channel(8);
        let request = request.body(Pieces(body)).expect("a request");
        let mut connection = self.0.clone();
        connection.ready().await.expect("an open connection");
        let response = connection.send_request(request);
        (Upload(sender), tokio::spawn(async move { read(response.await?).await }))
    }
}

impl Upload {
    pub async fn send(&self, piece: &'static str) {
        self.0.send(Bytes::from_static(piece.as_bytes())).await.expect("the request takes it");
    }
}

/// A GET request, open for headers.
pub fn get(url: &str) -> http::request::Builder {
    Request::get(url)
}

async fn read(response: http::Response<Incoming>) -> Result<Reply, hyper::Error> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Reply {
        status: head.status.as_u16(),
        version: head.version,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// HTTP/1.1 sends the authority as `host`, not in the target.
fn origin_form(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    if let Some(authority) = request.uri().authority().cloned() {
        let host = authority.as_str().parse().expect("a host");
        request.headers_mut().entry(http::header::HOST).or_insert(host);
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        *request.uri_mut() = target.parse().expect("a target");
    }
    request
}
