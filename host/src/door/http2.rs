//! Serves one client's HTTP/2 connection within the timeouts and bounds that its streams share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora::apps::HttpServerApp;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, default_h2_options, handshake};
use pingora::protocols::{
    Digest, GetProxyDigest as _, GetSocketDigest as _, GetTimingDigest as _, IO, Ssl as _, Stream,
};
use pingora::server::ShutdownWatch;
use pointsman_rules::config::Http2Config;
use pointsman_rules::request::AnswerForm;
use tokio::time::timeout;

use crate::door::clock::Clock;
use crate::door::connection::{CONNECTION, Connection};
use crate::door::http2_streams::Streams;
use crate::door::listener::Listener;
use crate::door::report::{CloseReason, Reporter};
use crate::door::stream::DoorStream;

/// Malformed requests, which the HTTP/2 library refuses, before the connection is closed. Pingora's own bound.
const MOST_MALFORMED: usize = 32;

/// Longest time from GOAWAY to the end of a connection that has no requests.
const LAST_FRAMES: Duration = Duration::from_secs(5);

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
    let oldest = streams.start() + listener.config.max_age;
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
                let is_idle = streams.active() == 0;
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
                begin(app, session, &connection, streams, reporter, shutdown);
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
    streams: &Arc<Streams>,
    reporter: &Reporter,
    shutdown: &ShutdownWatch,
) where
    A: HttpServerApp + Send + Sync + 'static,
{
    let most = usize::try_from(connection.listener.config.http2.max_streams).unwrap_or(usize::MAX);
    let active = streams.open();
    // h2 no longer counts streams that the client has cancelled, but they stay active until the proxy has noticed.
    if streams.active() > most.saturating_mul(2) {
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
