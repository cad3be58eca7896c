//! The upstream: accepts what RFC 9112 allows, compares each body with its exchange, and answers as planned.

use pointsman_tests::Upstream;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::Faults;
use super::message::{Body, Framing, Head};
use super::plan::{Exchange, Plans, ResponseBody, ResponseEnd, content};

pub async fn start(plans: Plans, faults: Faults) -> Upstream {
    Upstream::raw(move |stream, _| {
        let (plans, faults) = (plans.clone(), faults.clone());
        async move {
            if let Err(what) = serve(stream, &plans).await {
                faults.add(format!("at the upstream: {what}"));
            }
        }
    })
    .await
}

async fn serve(stream: TcpStream, plans: &Plans) -> Result<(), String> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut surplus = false;
    while let Some(head) = Head::read(&mut reader).await? {
        if surplus {
            return Err(format!("{:?} on a connection with a response that nobody asked for", head.line));
        }
        let number = head.number().ok_or_else(|| format!("no number in {:?}", head.line))?;
        let exchange = plans.get(number).ok_or_else(|| format!("unknown number {number}"))?;
        if head.line != format!("{} /{number} HTTP/1.1", exchange.method) {
            return Err(format!("{:?} for {exchange:?}", head.line));
        }
        let framing = head.framing()?.unwrap_or(Framing::Length(0));
        if exchange.early {
            // The proxy may be gone: bytes that it sends after that are checked anyway.
            let _ = answer(&mut writer, number, &exchange).await;
        }
        let body = Body::read(&mut reader, framing).await?;
        check(&body, number, &exchange)?;
        if !body.whole {
            return Ok(());
        }
        if !exchange.early && answer(&mut writer, number, &exchange).await.is_err() {
            return Ok(());
        }
        match exchange.response_end {
            _ if exchange.response == ResponseBody::UntilClose => return Ok(()),
            ResponseEnd::Close | ResponseEnd::Cut => return Ok(()),
            ResponseEnd::Surplus => surplus = true,
            ResponseEnd::Whole => {}
        }
    }
    Ok(())
}

fn check(body: &Body, number: usize, exchange: &Exchange) -> Result<(), String> {
    let expected = content(number, exchange.request_bytes());
    if !expected.starts_with(&body.bytes) {
        return Err(format!("other bytes in the body of {number}: {:?}", String::from_utf8_lossy(&body.bytes)));
    }
    let is_all = body.bytes.len() == expected.len();
    match body.whole {
        true if !is_all => Err(format!("{number} ends as if it were whole: {exchange:?}")),
        false if !exchange.is_aborted() && !exchange.early => Err(format!("{number} is not whole: {exchange:?}")),
        _ => Ok(()),
    }
}

async fn answer(writer: &mut (impl AsyncWrite + Unpin), number: usize, exchange: &Exchange) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for _ in 0..exchange.interims {
        bytes.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    }
    let status = exchange.status();
    let framing = match exchange.response {
        ResponseBody::Sized | ResponseBody::NotModified => format!("content-length: {}\r\n", exchange.size),
        ResponseBody::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        ResponseBody::UntilClose | ResponseBody::NoContent => String::new(),
    };
    let closes = exchange.response == ResponseBody::UntilClose
        || exchange.response_end == ResponseEnd::Close
        || (exchange.response_end == ResponseEnd::Cut && !exchange.is_cut());
    let closing = if closes { "connection: close\r\n" } else { "" };
    bytes.extend_from_slice(format!("HTTP/1.1 {status} X\r\nx-number: {number}\r\n{framing}{closing}\r\n").as_bytes());
    if exchange.response_has_body() {
        let body = content(number, exchange.size);
        let sent = if exchange.is_cut() { &body[..body.len() / 2] } else { &body[..] };
        match exchange.response {
            ResponseBody::Chunked => {
                for chunk in sent.chunks(7_000) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                if !exchange.is_cut() {
                    bytes.extend_from_slice(b"0\r\n\r\n");
                }
            }
            _ => bytes.extend_from_slice(sent),
        }
    }
    if exchange.response_end == ResponseEnd::Surplus && exchange.response != ResponseBody::UntilClose {
        bytes.extend_from_slice(b"HTTP/1.1 200 X\r\nx-number: 999999999\r\ncontent-length: 5\r\n\r\nother");
    }
    writer.write_all(&bytes).await
}
