//! Traffic of every kind, which checks each answer: a request that fails ends the program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use pointsman_tests::client::{Client, get};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::site::Site;
use crate::upstream::{CHUNK, CHUNKS};

/// Kinds of connections; each has the same number of clients.
pub const KINDS: [&str; 4] = [
    "over HTTP/1.1, on connections that are kept",
    "over HTTP/1.1, each on a connection of its own",
    "over HTTP/2, on connections that are kept",
    "over HTTP/2, each on a connection of its own",
];
const CLIENTS_OF_A_KIND: usize = 16;
const DOWNLOADS: usize = 16;
pub const WEBSOCKETS: usize = 16;

/// One in this number of requests is decided twice.
const RETRIED: usize = 8;

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    requests: [AtomicUsize; KINDS.len()],
    retried: AtomicUsize,
    downloads: AtomicUsize,
    messages: AtomicUsize,
}

pub struct Load {
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
}

/// Counts of successful operations.
pub struct Done {
    pub requests: [usize; KINDS.len()],
    pub retried: usize,
    pub downloads: usize,
    pub messages: usize,
}

impl Load {
    pub fn start(site: &Site) -> Load {
        let counts = Arc::new(Counts::default());
        let mut tasks = Vec::new();
        for kind in 0..KINDS.len() {
            tasks.extend((0..CLIENTS_OF_A_KIND).map(|_| tokio::spawn(requests(site.address, kind, counts.clone()))));
        }
        tasks.extend((0..DOWNLOADS).map(|_| tokio::spawn(downloads(site.address, counts.clone()))));
        tasks.extend((0..WEBSOCKETS).map(|_| tokio::spawn(websocket(site.address, counts.clone()))));
        Load { counts, tasks }
    }

    /// Waits until this number of requests has been answered.
    pub async fn reach(&self, requests: usize) {
        while self.counts.requests.iter().map(|count| count.load(Ordering::Relaxed)).sum::<usize>() < requests {
            assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a client failed: see above");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub async fn end(self) -> Done {
        self.counts.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no client failed");
        }
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let Counts { requests, retried, downloads, messages, .. } = &*self.counts;
        Done {
            requests: requests.each_ref().map(of),
            retried: of(retried),
            downloads: of(downloads),
            messages: of(messages),
        }
    }
}

async fn connect(address: SocketAddr, kind: usize) -> Client {
    if kind < 2 { Client::http1(address).await } else { Client::http2(address).await }
}

async fn requests(address: SocketAddr, kind: usize, counts: Arc<Counts>) {
    let mut client = connect(address, kind).await;
    let mut number = 0;
    while !counts.stop.load(Ordering::Relaxed) {
        if kind % 2 == 1 {
            client = connect(address, kind).await;
        }
        number += 1;
        let twice = number % RETRIED == 0;
        ask(&mut client, if twice { "/retry" } else { "/" }).await;
        counts.requests[kind].fetch_add(1, Ordering::Relaxed);
        counts.retried.fetch_add(usize::from(twice), Ordering::Relaxed);
        if twice && kind < 2 {
            // Pingora closes the client's connection after a failed attempt, and announces it.
            client = connect(address, kind).await;
        }
    }
}

/// The version that decided a request, as the upstream received it.
async fn ask(client: &mut Client, path: &str) -> String {
    let request = get(&format!("http://bench.test{path}")).body(Full::default()).expect("a request");
    let reply = client.send(request).await.unwrap_or_else(|error| panic!("{path} failed: {error:?}"));
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    assert!(reply.body.starts_with('v') && reply.body.len() == 9, "{path}: {}", reply.body);
    assert_eq!(reply.header("x-version"), Some(reply.body.as_str()), "{path}");
    reply.body
}

async fn downloads(address: SocketAddr, counts: Arc<Counts>) {
    while !counts.stop.load(Ordering::Relaxed) {
        let reply = Client::http1(address).await.get("http://bench.test/download").await;
        assert_eq!((reply.status, reply.body.len()), (200, CHUNK * CHUNKS), "a download");
        counts.downloads.fetch_add(1, Ordering::Relaxed);
    }
}

async fn websocket(address: SocketAddr, counts: Arc<Counts>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /websocket HTTP/1.1\r\nhost: bench.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    while !counts.stop.load(Ordering::Relaxed) {
        stream.write_all(b"hello").await.expect("the WebSocket is open");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.expect("the WebSocket is open");
        assert_eq!(&echo, b"hello");
        counts.messages.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One client that sends request after request, on one connection.
pub struct Probe {
    client: Client,
}

/// The same, in its own task.
pub struct Asking {
    times: Arc<std::sync::Mutex<Vec<Duration>>>,
    task: JoinHandle<()>,
}

impl Probe {
    pub async fn new(site: &Site) -> Probe {
        Probe { client: Client::http1(site.address).await }
    }

    /// The version that decides now.
    pub async fn version(&mut self) -> String {
        ask(&mut self.client, "/").await
    }

    pub async fn status(&mut self) -> u16 {
        self.client.get("http://bench.test/").await.status
    }

    pub async fn ask(&mut self, requests: usize) {
        for _ in 0..requests {
            assert_eq!(self.status().await, 200);
        }
    }

    /// Sends a request every 2 ms, whatever the response.
    pub fn keep_asking(mut self) -> Asking {
        let times = Arc::new(std::sync::Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let times = times.clone();
            async move {
                loop {
                    let begin = Instant::now();
                    self.ask(1).await;
                    times.lock().expect("times").push(begin.elapsed());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        Asking { times, task }
    }
}

impl Asking {
    /// The latencies of the requests since the last call of this function.
    pub fn times(&self) -> Vec<Duration> {
        assert!(!self.task.is_finished(), "the client failed: see above");
        std::mem::take(&mut *self.times.lock().expect("times"))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}
