//! Strict reading of HTTP/1.1 messages (RFC 9112).

use tokio::io::{AsyncBufRead, AsyncReadExt as _};

/// The first line of a message, and its fields.
pub struct Head {
    pub line: String,
    fields: Vec<(String, String)>,
}

/// How the body of a message ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A body, as far as it was received.
pub struct Body {
    pub bytes: Vec<u8>,
    pub whole: bool,
}

impl Head {
    /// `Ok(None)`: the connection ended before the first byte.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Head>, String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => bytes.push(byte),
                Err(_) if bytes.is_empty() => return Ok(None),
                Err(error) => return Err(format!("{error} in {:?}", String::from_utf8_lossy(&bytes))),
            }
            if bytes.len() > 100_000 {
                return Err(format!("no head: {:?}", String::from_utf8_lossy(&bytes[..200])));
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| "a head that is no text")?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("no field: {line:?}"))?;
            match name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_graphic()) {
                true => Err(format!("no field: {line:?}")),
                false => Ok((name.to_ascii_lowercase(), value.trim().to_owned())),
            }
        };
        Ok(Some(Head { line, fields: lines.map(field).collect::<Result<_, _>>()? }))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The number of the exchange that the message names.
    pub fn number(&self) -> Option<usize> {
        self.get("x-number")?.parse().ok()
    }

    /// Exactly one of the ways to delimit a body, or none.
    pub fn framing(&self) -> Result<Option<Framing>, String> {
        let ways: Vec<_> = self
            .fields
            .iter()
            .filter(|(name, _)| name == "content-length" || name == "transfer-encoding")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        match ways[..] {
            [] => Ok(None),
            [("transfer-encoding", "chunked")] => Ok(Some(Framing::Chunked)),
            [("content-length", value)] => {
                value.parse().map(|length| Some(Framing::Length(length))).map_err(|_| format!("length {value:?}"))
            }
            _ => Err(format!("framing {ways:?}")),
        }
    }
}

impl Body {
    pub fn empty() -> Body {
        Body { bytes: Vec::new(), whole: true }
    }

    /// Fails if the received bytes are no body of that framing; a body that ends early is incomplete.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin), framing: Framing) -> Result<Body, String> {
        let mut bytes = Vec::new();
        let whole = match framing {
            Framing::Length(length) => fill(stream, &mut bytes, length).await,
            Framing::UntilClose => stream.read_to_end(&mut bytes).await.is_ok(),
            Framing::Chunked => loop {
                let Some(line) = read_line(stream).await? else { break false };
                let size = usize::from_str_radix(&line, 16).map_err(|_| format!("chunk size {line:?}"))?;
                if size == 0 {
                    break skip_trailers(stream).await?;
                }
                if !fill(stream, &mut bytes, size).await {
                    break false;
                }
                match read_line(stream).await? {
                    Some(line) if line.is_empty() => {}
                    Some(line) => return Err(format!("{line:?} after a chunk")),
                    None => break false,
                }
            },
        };
        Ok(Body { bytes, whole })
    }
}

/// Appends `count` bytes; false if the connection ends before.
async fn fill(stream: &mut (impl AsyncBufRead + Unpin), bytes: &mut Vec<u8>, count: usize) -> bool {
    let wanted = bytes.len() + count;
    // A read error also counts as an end.
    let _ = stream.take(count as u64).read_to_end(bytes).await;
    bytes.len() == wanted
}

async fn skip_trailers(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<bool, String> {
    loop {
        match read_line(stream).await? {
            None => return Ok(false),
            Some(line) if line.is_empty() => return Ok(true),
            Some(line) if line.contains(':') => {}
            Some(line) => return Err(format!("trailer {line:?}")),
        }
    }
}

/// A line without its CRLF; `None` if the connection ends before.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => return Ok(None),
        }
        if line.len() > 1_000 {
            return Err(format!("no line: {:?}", String::from_utf8_lossy(&line)));
        }
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map(Some).map_err(|_| "a line that is no text".to_owned())
}
