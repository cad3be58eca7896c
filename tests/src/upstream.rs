//! Fake upstreams that record what they receive. A panic in one fails the test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use openssl::nid::Nid;
use openssl::ssl::{NameType, Ssl, SslAcceptor};
use openssl::x509::X509NameRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_openssl::SslStream;

use crate::certs::{Authority, Leaf};

/// A request as an upstream received it.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The number of the upstream's connection; the first is 1.
    pub connection: usize,
    pub peer: SocketAddr,
    pub sni: Option<String>,
    pub alpn: Option<String>,
    /// The issuer's and the client's own common name, if the client presented a certificate.
    pub client: Option<(String, String)>,
}

impl ReceivedRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }
}

/// An upstream's response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn ok(body: impl Into<Bytes>) -> Answer {
        Answer { status: StatusCode::OK, headers: Vec::new(), body: body.into() }
    }

    pub fn status(status: u16) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: Vec::new(), body: Bytes::new() }
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Handler = Arc<dyn Fn(&ReceivedRequest) -> Answer + Send + Sync>;

/// An upstream to be started.
pub struct Builder {
    handler: Handler,
    tls: Option<SslAcceptor>,
    ip: IpAddr,
}

/// An upstream that listens on its own loopback port.
pub struct Upstream {
    address: SocketAddr,
    records: Arc<Records>,
    accept: JoinHandle<()>,
}

#[derive(Default)]
struct Records {
    requests: Mutex<Vec<ReceivedRequest>>,
    connections: AtomicUsize,
    closed: AtomicUsize,
    panicked: Mutex<bool>,
    /// The number of requests received, and how many must have arrived before any is answered.
    arrived: watch::Sender<usize>,
    held_until: AtomicUsize,
}

impl Upstream {
    /// An HTTP upstream, HTTP/1.1 and HTTP/2 by prior knowledge, that answers 200 with this body.
    pub fn answering(body: &'static str) -> Builder {
        Upstream::with(move |_| Answer::ok(body))
    }

    /// An HTTP upstream whose handler computes the responses.
    pub fn with(handler: impl Fn(&ReceivedRequest) -> Answer + Send + Sync + 'static) -> Builder {
        Builder { handler: Arc::new(handler), tls: None, ip: LOOPBACK }
    }

    /// A port that refuses connections and that no other test gets: it stays bound until the process ends.
    pub fn closed_port() -> SocketAddr {
        let socket = TcpSocket::new_v4().expect("a socket");
        // `Builder::at` may still listen there.
        socket.set_reuseaddr(true).expect("a socket option");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = socket.local_addr().expect("an address");
        std::mem::forget(socket);
        address
    }

    /// An upstream that handles each connection with this function.
    pub async fn raw<F>(behave: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static) -> Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let behave = Arc::new(behave);
        serve(SocketAddr::new(LOOPBACK, 0), move |stream, number, _, _| {
            let behave = behave.clone();
            async move { behave(stream, number).await }
        })
        .await
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.records.requests.lock().expect("records").clone()
    }

    /// The only request received.
    #[track_caller]
    pub fn only_request(&self) -> ReceivedRequest {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "requests at the upstream: {requests:?}");
        requests.remove(0)
    }

    /// The next `count` requests are answered when the last of them has arrived.
    pub fn hold(&self, count: usize) {
        self.records.held_until.store(*self.records.arrived.borrow() + count, Ordering::SeqCst);
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.connections() - self.records.closed.load(Ordering::SeqCst)
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.records.connections.load(Ordering::SeqCst)
    }
}

impl Builder {
    /// Listens on IPv6.
    pub fn ipv6(mut self) -> Builder {
        self.ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
        self
    }

    /// Speaks TLS with this certificate and offers these protocols, in order of preference.
    pub fn tls(mut self, leaf: &Leaf, alpn: &[&str]) -> Builder {
        self.tls = Some(leaf.acceptor(alpn));
        self
    }

    /// Speaks HTTP/1.1 over TLS, with clients whose certificates one of these authorities has signed.
    pub fn mutual_tls(mut self, leaf: &Leaf, clients: &[&Authority]) -> Builder {
        self.tls = Some(leaf.acceptor_for(clients, true, &["http/1.1"]));
        self
    }

    /// Speaks TLS, and requests a certificate signed by one of these authorities without requiring it.
    pub fn asking_tls(mut self, leaf: &Leaf, clients: &[&Authority], alpn: &[&str]) -> Builder {
        self.tls = Some(leaf.acceptor_for(clients, false, alpn));
        self
    }

    pub async fn start(self) -> Upstream {
        let any = SocketAddr::new(self.ip, 0);
        self.at(any).await
    }

    /// Starts on an address that is known to be free.
    pub async fn at(self, address: SocketAddr) -> Upstream {
        let (handler, tls) = (self.handler, self.tls);
        serve(address, move |stream, connection, peer, records| {
            let (handler, tls) = (handler.clone(), tls.clone());
            async move {
                let wire = Wire { handler, records, connection, peer, sni: None, alpn: None, client: None };
                match tls {
                    None => wire.http(stream).await,
                    Some(acceptor) => wire.https(stream, &acceptor).await,
                }
            }
        })
        .await
    }
}

async fn serve<F>(
    address: SocketAddr,
    behave: impl Fn(TcpStream, usize, SocketAddr, Arc<Records>) -> F + Send + Sync + 'static,
) -> Upstream
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(address).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let records = Arc::new(Records::default());
    let accept = tokio::spawn({
        let records = records.clone();
        async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let number = records.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let served = tokio::spawn(behave(stream, number, peer, records.clone()));
                let records = records.clone();
                tokio::spawn(async move {
                    if served.await.is_err_and(|error| error.is_panic()) {
                        *records.panicked.lock().expect("records") = true;
                    }
                    records.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        }
    });
    Upstream { address, records, accept }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accept.abort();
        let panicked = *self.records.panicked.lock().expect("records");
        assert!(std::thread::panicking() || !panicked, "a fake upstream panicked");
    }
}

/// One connection of an HTTP upstream.
#[derive(Clone)]
struct Wire {
    handler: Handler,
    records: Arc<Records>,
    connection: usize,
    peer: SocketAddr,
    sni: Option<String>,
    alpn: Option<String>,
    client: Option<(String, String)>,
}

impl Wire {
    async fn https(mut self, stream: TcpStream, acceptor: &SslAcceptor) {
        let ssl = Ssl::new(acceptor.context()).expect("a TLS session");
        let mut stream = SslStream::new(ssl, stream).expect("a TLS stream");
        // A client that rejects the certificate closes the connection: the test asserts that on the other side.
        if std::pin::Pin::new(&mut stream).accept().await.is_err() {
            return;
        }
        self.sni = stream.ssl().servername(NameType::HOST_NAME).map(str::to_owned);
        self.alpn = stream.ssl().selected_alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        self.client = stream
            .ssl()
            .peer_certificate()
            .map(|certificate| (common_name(certificate.issuer_name()), common_name(certificate.subject_name())));
        self.http(stream).await;
    }

    async fn http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = hyper::service::service_fn(move |request| self.clone().answer(request));
        // Connections end in many ways in tests, none of which concerns this side.
        let _ = auto::Builder::new(TokioExecutor::new())
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let received = ReceivedRequest {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body,
            connection: self.connection,
            peer: self.peer,
            sni: self.sni,
            alpn: self.alpn,
            client: self.client,
        };
        self.records.requests.lock().expect("records").push(received.clone());
        self.records.arrived.send_modify(|arrived| *arrived += 1);
        let (mut arrived, held_until) = (self.records.arrived.subscribe(), &self.records.held_until);
        // Ends with the upstream itself.
        let _ = arrived.wait_for(|arrived| *arrived >= held_until.load(Ordering::SeqCst)).await;
        let answer = (self.handler)(&received);
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        for (name, value) in answer.headers {
            response.headers_mut().append(name, value.parse().expect("a header value"));
        }
        Ok(response)
    }
}

fn common_name(name: &X509NameRef) -> String {
    let entry = name.entries_by_nid(Nid::COMMONNAME).next().expect("a common name");
    entry.data().to_string().expect("text")
}
