//! Closes a client's connection, with a lingering close where the client may still send. Closing a socket whose client
//! still sends resets the connection, and the reset discards response bytes that the client has not read yet: so the
//! door half-closes the connection and reads on for a while (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use pingora::protocols::IO;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::door::admission::AdmissionGuard;

/// Bytes that are read and discarded, at most.
pub const MOST_DISCARDED: u64 = 64 * 1024 * 1024;

/// Longest time for written bytes to leave when the connection does not linger.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Closes a connection. The client may go on sending for the time `linger`. The connection counts as open until it is
/// closed.
pub fn close<S: IO + 'static>(mut stream: S, linger: Duration, admitted: AdmissionGuard) {
    let flushed = Pin::new(&mut stream).poll_flush(&mut Context::from_waker(Waker::noop()));
    let has_tls = stream.get_ssl().is_some();
    if linger.is_zero() && !has_tls && !flushed.is_pending() {
        return;
    }
    // There is no runtime if the whole proxy was dropped: the connection ends with it.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let _admitted = admitted;
        let longest = if linger.is_zero() { LAST_BYTES } else { linger };
        // The connection ends whatever the result.
        let _ = timeout(longest, last_words(&mut stream, linger)).await;
    });
}

async fn last_words<S: IO>(stream: &mut S, linger: Duration) -> std::io::Result<()> {
    // Pingora's `Shutdown` trait has a method of the same name.
    AsyncWriteExt::shutdown(stream).await?;
    if linger.is_zero() {
        return Ok(());
    }
    let mut discarded = 0_u64;
    let mut room = vec![0; 16 * 1024];
    while discarded < MOST_DISCARDED {
        match stream.read(&mut room).await? {
            0 => break,
            read => discarded = discarded.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use tokio::net::UnixStream;

    use super::*;
    use crate::door::admission::{Admission, Slots};
    use crate::door::wire::{Reads, Socket, Wire};
    use crate::metrics::Metrics;

    /// Closes a connection with an answer after its client has written `sent`. Returns the client's end, and the
    /// metrics that count the connection.
    async fn closed(sent: &[u8], linger: Duration) -> (UnixStream, Metrics) {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let metrics = Metrics::new().expect("metrics");
        let admission = Admission::new(Slots::new(1), 1, 1, Vec::new(), Arc::new(metrics.listener("web")));
        let admitted = admission.enter(None::<IpAddr>).expect("room");
        theirs.write_all(sent).await.expect("sent");
        let mut wire = Wire::new(Socket::Unix(ours), None, Reads::Direct);
        wire.write_all(b"answer").await.expect("gathered");
        close(wire, linger, admitted);
        (theirs, metrics)
    }

    fn is_open(metrics: &Metrics) -> bool {
        !metrics.text().expect("text").contains("pointsman_connections{listener=\"web\"} 0\n")
    }

    #[tokio::test]
    async fn client_that_still_sends_reads_its_answer() {
        let (mut client, metrics) = closed(b"a body that nobody reads", Duration::from_secs(60)).await;
        client.write_all(&vec![b'x'; 1_000_000]).await.expect("the peer reads");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer == "answer" && is_open(&metrics));
        drop(client);
        while is_open(&metrics) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn connection_without_lingering_is_closed_at_once() {
        let (mut client, metrics) = closed(b"", Duration::ZERO).await;
        assert!(!is_open(&metrics));
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert_eq!(answer, "answer");
    }
}
