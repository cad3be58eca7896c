//! Raw HTTP/1, where every byte counts.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Everything received until the connection ends. A reset also counts as an end.
pub async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// A head, including its empty line; less if the connection ends before.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The head of a response, and its body by `content-length`.
///
/// # Panics
/// If the body has no length, or the connection ends before it does.
pub async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> (String, String) {
    let head = read_head(stream).await;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or_else(|| panic!("a length in {head:?}"))];
    stream.read_exact(&mut body).await.expect("the whole body");
    (head, String::from_utf8_lossy(&body).into_owned())
}
