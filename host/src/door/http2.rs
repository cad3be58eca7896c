//! One client's HTTP/2 connection: its streams, and the timeouts and bounds that they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pingora::apps::HttpServerApp;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, default_h2_options, handshake};
use pingora::protocols::{
    Digest, GetProxyDigest as _, GetSocketDigest as _, GetTimingDigest as _, IO, Ssl as _, Stream,
};
use pingora::server::ShutdownWatch;
use pointsman_rules::config::Http2Config;
use pointsman_rules::quota::{Count, CountGuard};
use pointsman_rules::request::AnswerForm;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::door::clock::Clock;
use crate::door::connection::{CONNECTION, Connection};
use crate::door::listener::Listener;
use crate::door::report::{CloseReason, Reporter};
use crate::door::stream::DoorStream;

/// Malformed requests, which the HTTP/2 library refuses, before the connection is closed. Pingora's own bound.
const MOST_MALFORMED: usize = 32;

/// Longest time from GOAWAY to the end of a connection that has no requests.
const LAST_FRAMES: Duration = Duration::from_secs(5);

/// Streams that may begin before the client has been seen reading.
const UNPROVEN: usize = 8;

/// Unread bytes of responses on one connection above which its further requests wait. Chosen: a few times the buffer of
/// one stream.
const MOST_WAITING: u64 = 1024 * 1024;

/// How long a request waits for an earlier stream to end, as proof that the client reads, before it may begin without
/// that proof. Only while no more than `MOST_WAITING` is unread.
const PROOF: Duration = Duration::from_millis(100);

/// The state that the streams of a connection share.
#[derive(Debug)]
pub struct Streams {
    reporter: Arc<Reporter>,
    active: Count,
    answered: AtomicUsize,
    /// Streams whose response may be under way.
    begun: Count,
    /// Start of the current interval of length `PROOF`, and the streams that began without proof since then.
    unproven: Mutex<(Instant, usize)>,
    /// Bytes of responses that were received from upstreams.
    passed: AtomicU64,
    /// Notifies waiting requests that a stream has ended.
    ended: Notify,
    start: Instant,
    /// Milliseconds from the start to the end of the last stream.
    last_end: AtomicU64,
}

/// An active stream. Counts until this is dropped.
struct Active(Arc<Connection>);

impl Streams {
    pub fn new(reporter: Arc<Reporter>) -> Streams {
        Streams {
            reporter,
            active: Count::default(),
            answered: AtomicUsize::new(0),
            begun: Count::default(),
            unproven: Mutex::new((Instant::now(), 0)),
            passed: AtomicU64::new(0),
            ended: Notify::new(),
            start: Instant::now(),
            last_end: AtomicU64::new(0),
        }
    }

    /// A piece of a response is on its way to the client.
    pub fn pass(&self, bytes: usize) {
        self.passed.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes of responses that the client has not read yet. Slightly too low, because framing counts as read.
    fn waiting(&self) -> u64 {
        self.passed.load(Ordering::Relaxed).saturating_sub(self.reporter.written_so_far())
    }

    /// Waits until this connection may have one more response under way. A client that reads never waits long; one that
    /// does not read takes up the buffers of a few streams and no more. None: the client did not read for `longest`.
    pub async fn begin(&self, longest: Duration) -> Option<CountGuard> {
        let start = Instant::now();
        loop {
            let ended = self.ended.notified();
            if self.waiting() <= MOST_WAITING {
                let free = UNPROVEN.saturating_add(self.answered.load(Ordering::Relaxed).saturating_mul(4));
                let begun = self.begun.enter(free);
                if begun.is_some() {
                    return begun;
                }
                if start.elapsed() >= PROOF && self.may_go_unproven() {
                    return self.begun.enter(usize::MAX);
                }
            }
            if start.elapsed() >= longest {
                return None;
            }
            // Checks again when a stream ends, and at least once per interval.
            let _ = timeout(PROOF, ended).await;
        }
    }

    /// Lets a few streams begin without proof in each interval: earlier streams may all be waiting for their upstream,
    /// or for events.
    fn may_go_unproven(&self) -> bool {
        let mut unproven = self.unproven.lock();
        let (since, count) = &mut *unproven;
        if since.elapsed() >= PROOF {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count <= UNPROVEN
    }

    /// Whether the connection has more active streams than a client may have that was never seen reading.
    pub fn is_busy(&self) -> bool {
        self.active.now() > UNPROVEN
    }

    fn idle_since(&self) -> Instant {
        self.start + Duration::from_millis(self.last_end.load(Ordering::Relaxed))
    }
}

impl Active {
    fn new(connection: Arc<Connection>) -> Active {
        if let Some(streams) = connection.streams() {
            streams.active.add();
        }
        Active(connection)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let Some(streams) = self.0.streams() else { return };
        let elapsed = u64::try_from(streams.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        streams.last_end.store(elapsed, Ordering::Relaxed);
        streams.active.remove();
        streams.answered.fetch_add(1, Ordering::Relaxed);
        streams.ended.notify_waiters();
    }
}

/// The HTTP/2 settings of a listener's connections.
pub fn options(listener: &Listener) -> H2Options {
    let Http2Config { max_streams, send_buffer_bytes, stream_window_bytes, connection_window_bytes } =
        listener.config.http2;
    // Pingora applies its own limits only if no options are given, so start from them.
    let mut options = default_h2_options();
    options
        .max_header_list_size(u32::try_from(listener.config.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(max_streams)
        .max_send_buffer_size(send_buffer_bytes)
        .initial_window_size(stream_window_bytes)
        .initial_connection_window_size(connection_window_bytes);
    options
}

/// Serves the requests of a connection, each in its own task, until one side closes it.
pub async fn serve<A, S>(
    app: &Arc<A>,
    options: H2Options,
    stream: DoorStream<S>,
    connection: Arc<Connection>,
    reporter: &Reporter,
    shutdown: &ShutdownWatch,
) where
    A: HttpServerApp + Send + Sync + 'static,
    S: IO + 'static,
{
    let Some(streams) = connection.streams() else { return };
    let listener = connection.listener.clone();
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    let stream: Stream = Box::new(stream);
    let mut frames = match timeout(listener.config.first_byte_timeout, handshake(stream, Some(options))).await {
        Ok(Ok(frames)) => frames,
        Ok(Err(_)) => return reporter.closed(CloseReason::Protocol),
        Err(_) => return reporter.closed(CloseReason::Silent),
    };
    let mut shutdown_signal = shutdown.clone();
    let mut clock = Clock::default();
    let mut ending = false;
    let (mut requests, mut malformed) = (0_u64, 0_usize);
    // The first request has as much time as a first head in HTTP/1.
    let mut due = Instant::now() + listener.config.first_byte_timeout + listener.config.head_timeout;
    let oldest = streams.start + listener.config.max_age;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = shutdown_signal.changed(), if !ending => {
                frames.graceful_shutdown();
                ending = true;
                due = due.min(Instant::now() + LAST_FRAMES);
                continue;
            }
            accepted = HttpSession::from_h2_conn(&mut frames, digest.clone()) => accepted,
            () = clock.over(if ending { due } else { due.min(oldest) }) => {
                let now = Instant::now();
                let is_idle = streams.active.now() == 0;
                let idle_until = streams.idle_since() + listener.config.keepalive_timeout;
                if is_idle && ending {
                    return;
                }
                if is_idle && requests == 0 && now >= due {
                    return reporter.closed(CloseReason::Silent);
                }
                if !ending && (now >= oldest || (is_idle && now >= idle_until)) {
                    frames.graceful_shutdown();
                    ending = true;
                    if is_idle {
                        reporter.closed(CloseReason::Idle);
                    }
                }
                due = match (ending, is_idle) {
                    (true, _) => now + LAST_FRAMES,
                    (false, true) => idle_until,
                    (false, false) => now + listener.config.keepalive_timeout,
                };
                continue;
            }
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                requests = requests.saturating_add(1);
                if requests >= listener.config.max_requests && !ending {
                    frames.graceful_shutdown();
                    (ending, due) = (true, Instant::now() + LAST_FRAMES);
                } else if requests == 1 {
                    due = Instant::now() + listener.config.keepalive_timeout;
                }
                begin(app, session, &connection, reporter, shutdown);
            }
            Ok(Some(H2Accept::Rejected)) => {
                malformed = malformed.saturating_add(1);
                reporter.refused_stream(400, "bad-request", "malformed request: target, authority or content-length");
                if malformed >= MOST_MALFORMED {
                    return reporter.closed(CloseReason::Protocol);
                }
            }
            Ok(None) => return,
            // h2 has sent GOAWAY to a client that broke the protocol; in any other case the client is gone.
            Err(_) => return,
        }
    }
}

fn begin<A>(
    app: &Arc<A>,
    mut session: HttpSession,
    connection: &Arc<Connection>,
    reporter: &Reporter,
    shutdown: &ShutdownWatch,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let most = usize::try_from(connection.listener.config.http2.max_streams).unwrap_or(usize::MAX);
    let active = Active::new(connection.clone());
    // h2 no longer counts streams that the client has cancelled, but they stay active until the proxy has noticed.
    if connection.streams().is_some_and(|streams| streams.active.now() > most.saturating_mul(2)) {
        reporter.refused_stream(0, "too-many-streams", "more cancelled streams than listener.h2_max_streams");
        return session.shutdown_with_reason(h2::Reason::REFUSED_STREAM);
    }
    if session.req_header().method == http::Method::CONNECT {
        reporter.refused_stream(
            405,
            "connect-method",
            "CONNECT is not supported: this proxy opens no tunnels for clients",
        );
        return refuse_connect(&mut session, connection.listener.answers);
    }
    let mut session = ServerSession::new_http2(session);
    session.set_write_timeout(Some(connection.listener.config.send_timeout));
    let (app, shutdown, connection) = (app.clone(), shutdown.clone(), connection.clone());
    tokio::spawn(CONNECTION.scope(connection, async move {
        let _active = active;
        app.process_new_http(session, &shutdown).await;
    }));
}

fn refuse_connect(session: &mut HttpSession, answers: AnswerForm) {
    let mut answer = || {
        let mut head = ResponseHeader::build(http::StatusCode::METHOD_NOT_ALLOWED, Some(2))?;
        if answers == AnswerForm::Code {
            head.insert_header("pointsman-error", "connect-method")?;
        }
        session.write_response_header(Box::new(head), true)
    };
    // A client that is gone needs no answer.
    let _: pingora::Result<()> = answer();
}
