//! The end of a connection. A socket that is closed while its client still sends is reset, and the reset takes back
//! what the client has not read yet: so the door says that it is done, and listens for a while (RFC 9112, section 9.6).

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use pingora::protocols::IO;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::door::admission::Admitted;

/// Bytes that are read and thrown away at the most.
pub const MOST_DISCARDED: u64 = 64 * 1024 * 1024;

/// How long what was written may take to leave, where nothing else is waited for.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Closes a connection; with `linger` its client may go on sending for so long. It counts until that is over.
pub fn close<S: IO + 'static>(mut stream: S, linger: Duration, admitted: Admitted) {
    let flushed = Pin::new(&mut stream).poll_flush(&mut Context::from_waker(Waker::noop()));
    let has_tls = stream.get_ssl().is_some();
    if linger.is_zero() && !has_tls && !flushed.is_pending() {
        return;
    }
    // There is none where a whole proxy was dropped: everything ends with it.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let _admitted = admitted;
        let longest = if linger.is_zero() { LAST_BYTES } else { linger };
        // However it ends, the connection does.
        let _ = timeout(longest, last_words(&mut stream, linger)).await;
    });
}

async fn last_words<S: IO>(stream: &mut S, linger: Duration) -> std::io::Result<()> {
    // Pingora's trait has one of the same name.
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

    /// A connection of which its client has written `sent` already, closed with an answer: the client's end, and the
    /// metrics in which it counts.
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
        client.write_all(&vec![b'x'; 1_000_000]).await.expect("somebody reads");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer == "answer" && is_open(&metrics));
        drop(client);
        while is_open(&metrics) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn without_lingering_the_connection_is_gone_at_once() {
        let (mut client, metrics) = closed(b"", Duration::ZERO).await;
        assert!(!is_open(&metrics));
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert_eq!(answer, "answer");
    }
}
