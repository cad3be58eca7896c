//! The clients: HTTP/1 written by the test itself, HTTP/2 by the h2 crate.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncBufRead, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::Faults;
use super::message::{Body, Framing, Head};
use super::plan::{Conversation, Exchange, Plans, Protocol, RequestBody, RequestEnd, content};

/// A final response.
struct Reply {
    status: u16,
    /// The exchange that its upstream answered; none if the proxy answered itself.
    number: Option<usize>,
    body: Body,
    /// No other response follows on the connection.
    closes: bool,
    /// Its body ends with the connection, so that whether it is complete is unknown.
    until_close: bool,
    shown: String,
}

pub async fn converse(proxy: SocketAddr, plans: Plans, faults: Faults, conversation: Conversation) {
    let exchanges: Vec<(usize, Exchange)> =
        conversation.exchanges.into_iter().map(|exchange| (plans.add(&exchange), exchange)).collect();
    let stream = TcpStream::connect(proxy).await.expect("a connection");
    let ended = match conversation.protocol {
        Protocol::Http2 => http2(stream, exchanges, &faults).await,
        protocol => http1(stream, protocol, &exchanges).await,
    };
    if let Err(what) = ended {
        faults.add(format!("{:?}: {what}", conversation.protocol));
    }
}

/// Whether the exchange allows a response.
fn verify(number: usize, exchange: &Exchange, reply: &Reply) -> Result<(), String> {
    let expected = content(number, exchange.response_bytes());
    let wrong = |what: &str| Err(format!("{number}: {what}: {} for {exchange:?}", reply.shown));
    match reply.number {
        Some(other) if other != number => return wrong("another one's response"),
        Some(_) if !expected.starts_with(&reply.body.bytes) => return wrong("other bytes"),
        _ => {}
    }
    let seems_whole = reply.number.is_some() && reply.body.whole && !reply.until_close;
    if seems_whole && reply.body.bytes.len() < expected.len() {
        return wrong("a cut body as a whole one");
    }
    let is_clean = !exchange.is_aborted() && !exchange.is_cut();
    match is_clean && (reply.number.is_none() || reply.status != exchange.status() || !reply.body.whole) {
        true => wrong("not its response"),
        false => Ok(()),
    }
}

// --- HTTP/1 ---

async fn http1(stream: TcpStream, protocol: Protocol, exchanges: &[(usize, Exchange)]) -> Result<(), String> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let in_turns = !matches!(protocol, Protocol::Pipelined | Protocol::HalfClosed);
    let mut unanswered = Vec::new();
    for (number, exchange) in exchanges {
        // The proxy may close after a response; then the rest is not sent.
        if writer.write_all(&request(*number, exchange, protocol)).await.is_err() {
            break;
        }
        if exchange.is_aborted() {
            break;
        }
        unanswered.push((*number, exchange));
        if in_turns && (!replies(&mut reader, &mut unanswered).await? || protocol == Protocol::Http10) {
            return Ok(());
        }
    }
    if protocol == Protocol::HalfClosed && !exchanges.iter().any(|(_, exchange)| exchange.is_aborted()) {
        // The proxy may have closed already: the responses decide.
        let _ = writer.shutdown().await;
    }
    replies(&mut reader, &mut unanswered).await.map(drop)
}

/// Reads the responses that are due; false if no other can follow on the connection.
async fn replies(
    reader: &mut (impl AsyncBufRead + Unpin),
    unanswered: &mut Vec<(usize, &Exchange)>,
) -> Result<bool, String> {
    for (number, exchange) in unanswered.drain(..) {
        let Some(reply) = read_reply(reader, exchange).await? else {
            return Err(format!("{number}: no response for {exchange:?}"));
        };
        verify(number, exchange, &reply)?;
        if reply.closes || !reply.body.whole {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read_reply(reader: &mut (impl AsyncBufRead + Unpin), exchange: &Exchange) -> Result<Option<Reply>, String> {
    loop {
        let Some(head) = Head::read(reader).await? else { return Ok(None) };
        let status = head.line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no status line: {:?}", head.line))?;
        if status < 200 {
            continue;
        }
        let has_body = exchange.method != "HEAD" && status != 204 && status != 304;
        let framing = match has_body {
            true => head.framing()?.unwrap_or(Framing::UntilClose),
            false => Framing::Length(0),
        };
        let until_close = framing == Framing::UntilClose;
        let body = Body::read(reader, framing).await?;
        let closes = head.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        return Ok(Some(Reply { status, number: head.number(), body, closes, until_close, shown: head.line }));
    }
}

fn request(number: usize, exchange: &Exchange, protocol: Protocol) -> Vec<u8> {
    let (version, is_old) = match protocol {
        Protocol::Http10 => ("1.0", true),
        _ => ("1.1", false),
    };
    let total = exchange.request_bytes();
    let framing = match exchange.request {
        RequestBody::None => String::new(),
        RequestBody::Unsized if !is_old => "transfer-encoding: chunked\r\n".to_owned(),
        RequestBody::Sized | RequestBody::Unsized => format!("content-length: {total}\r\n"),
    };
    let method = exchange.method;
    let head = format!("{method} /{number} HTTP/{version}\r\nhost: shop.test\r\nx-number: {number}\r\n{framing}\r\n");
    let mut bytes = head.into_bytes();
    let head_bytes = bytes.len();
    let body = content(number, total);
    if framing.starts_with("transfer") {
        let mut rest = &body[..];
        for size in exchange.pieces.iter().filter(|size| **size > 0) {
            let (piece, left) = rest.split_at(*size);
            rest = left;
            bytes.extend_from_slice(format!("{size:X}\r\n").as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(match exchange.request_end {
            RequestEnd::Trailers => b"0\r\nx-end: 1\r\n\r\n",
            _ => b"0\r\n\r\n".as_slice(),
        });
    } else {
        bytes.extend_from_slice(&body);
    }
    if exchange.is_aborted() {
        bytes.truncate(head_bytes + (bytes.len() - head_bytes) / 2);
    }
    bytes
}

// --- HTTP/2 ---

async fn http2(stream: TcpStream, exchanges: Vec<(usize, Exchange)>, faults: &Faults) -> Result<(), String> {
    let (client, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(async move { drop(connection.await) });
    let mut streams = tokio::task::JoinSet::new();
    for (number, exchange) in exchanges {
        let (client, faults) = (client.clone(), faults.clone());
        streams.spawn(async move {
            if let Err(what) = stream_of(client, number, &exchange).await {
                faults.add(format!("Http2: {what}"));
            }
        });
    }
    streams.join_all().await;
    connection.abort();
    Ok(())
}

async fn stream_of(client: h2::client::SendRequest<Bytes>, number: usize, exchange: &Exchange) -> Result<(), String> {
    let failed = |error: h2::Error| format!("{number}: {error} for {exchange:?}");
    let mut client = client.ready().await.map_err(failed)?;
    let total = exchange.request_bytes();
    let url = format!("http://shop.test/{number}");
    let mut request = Request::builder().method(exchange.method).uri(url).header("x-number", number);
    if exchange.request == RequestBody::Sized {
        request = request.header("content-length", total);
    }
    let request = request.body(()).expect("a request");
    let ends_with_head = exchange.request == RequestBody::None && exchange.request_end != RequestEnd::EmptyFrame;
    let (response, mut sender) = client.send_request(request, ends_with_head).map_err(failed)?;
    if exchange.is_aborted() {
        let _ = sender.send_data(Bytes::from(content(number, total / 2)), false);
        sender.send_reset(h2::Reason::CANCEL);
        return Ok(());
    }
    if !ends_with_head {
        send_body(&mut sender, number, exchange);
    }
    let Ok(response) = response.await else {
        // A response that was cut in its first bytes may be a reset stream.
        return if exchange.is_cut() { Ok(()) } else { Err(format!("{number}: no response for {exchange:?}")) };
    };
    let (head, mut incoming) = response.into_parts();
    let mut body = Body::empty();
    while let Some(piece) = incoming.data().await {
        let Ok(piece) = piece else {
            body.whole = false;
            break;
        };
        // A stream that has ended has no window.
        let _ = incoming.flow_control().release_capacity(piece.len());
        body.bytes.extend_from_slice(&piece);
    }
    let named = head.headers.get("x-number").and_then(|value| value.to_str().ok()?.parse().ok());
    let (status, shown) = (head.status.as_u16(), format!("{head:?}"));
    verify(number, exchange, &Reply { status, number: named, body, closes: false, until_close: false, shown })
}

/// Ignores errors of a stream that the proxy has reset: the response decides.
fn send_body(sender: &mut h2::SendStream<Bytes>, number: usize, exchange: &Exchange) {
    let mut rest = Bytes::from(content(number, exchange.request_bytes()));
    let pieces = if exchange.request == RequestBody::None { &[][..] } else { &exchange.pieces[..] };
    let is_last_with_data = exchange.request_end == RequestEnd::Whole;
    for (index, size) in pieces.iter().enumerate() {
        let ends = is_last_with_data && index + 1 == pieces.len();
        let _ = sender.send_data(rest.split_to(*size), ends);
    }
    match exchange.request_end {
        RequestEnd::Trailers => {
            let trailers = [(http::HeaderName::from_static("x-end"), http::HeaderValue::from_static("1"))];
            let _ = sender.send_trailers(trailers.into_iter().collect());
        }
        _ if is_last_with_data && !pieces.is_empty() => {}
        _ => {
            let _ = sender.send_data(Bytes::new(), true);
        }
    }
}
