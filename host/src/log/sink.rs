//! The output of log lines: requests append to a buffer, and a dedicated thread writes it in batches. A line costs its
//! request a copy and no system call; the writer thread wakes once for each batch.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Takes lines from any thread without ever blocking it: a line that finds no room is lost and counted. Dropping the
/// sink writes the lines that are left.
#[derive(Debug)]
pub struct Sink(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    lines: Mutex<Lines>,
    /// Signalled when there are lines to write, or the lines are to be written at once.
    added: Condvar,
    /// Signalled when all lines are written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    lost: u64,
    /// A caller waits until all lines are written.
    urgent: bool,
    /// Reopen the target once the current lines have been written.
    reopen: bool,
    closed: bool,
    /// A batch has been taken but not written yet.
    under_way: bool,
}

/// Maximum number of bytes that wait for a slow disk.
const MOST: usize = 16 * 1024 * 1024;

/// How long a batch gathers, and the size in bytes that ends it early.
const GATHER: Duration = Duration::from_millis(20);
const BATCH: usize = 64 * 1024;

impl Sink {
    /// Writes to `target` until [`reopen`](Sink::reopen), then to what `again` opens. `again` runs on the writer
    /// thread, so it may be slow.
    pub fn new<W: io::Write + Send + 'static>(
        target: W,
        again: impl FnMut() -> io::Result<W> + Send + 'static,
    ) -> io::Result<Sink> {
        let queue = Arc::new(Queue { lines: Mutex::default(), added: Condvar::new(), written: Condvar::new() });
        let shared = queue.clone();
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || shared.write_all(target, again))?;
        Ok(Sink(queue))
    }

    /// Reopens the target. Lines from before this call go to the old target; once the new one is open, all lines go to
    /// that.
    pub fn reopen(&self) {
        self.0.lines.lock().reopen = true;
        self.0.added.notify_one();
    }

    /// Adds a line, which must include its line break.
    pub fn push(&self, line: &[u8]) {
        let mut lines = self.0.lines.lock();
        if lines.bytes.len().saturating_add(line.len()) > MOST {
            lines.lost = lines.lost.saturating_add(1);
            return;
        }
        let before = lines.bytes.len();
        lines.bytes.extend_from_slice(line);
        let wakes = before == 0 || (before < BATCH && lines.bytes.len() >= BATCH);
        drop(lines);
        if wakes {
            self.0.added.notify_one();
        }
    }

    /// Waits until all lines are written, for at most `longest`.
    pub fn flush(&self, longest: Duration) {
        let end = Instant::now() + longest;
        let mut lines = self.0.lines.lock();
        while !lines.bytes.is_empty() || lines.under_way || lines.reopen {
            lines.urgent = true;
            self.0.added.notify_one();
            if self.0.written.wait_until(&mut lines, end).timed_out() {
                return;
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.lines.lock().closed = true;
        self.0.added.notify_one();
    }
}

impl Queue {
    /// Writes until the sink is dropped and all lines are written.
    fn write_all<W: io::Write>(&self, mut target: W, mut again: impl FnMut() -> io::Result<W>) {
        let mut batch = Vec::new();
        loop {
            let mut lines = self.lines.lock();
            while lines.bytes.is_empty() && !lines.closed && !lines.reopen {
                self.added.wait(&mut lines);
            }
            let end = Instant::now() + GATHER;
            while lines.bytes.len() < BATCH && !lines.closed && !lines.urgent && !lines.reopen {
                if self.added.wait_until(&mut lines, end).timed_out() {
                    break;
                }
            }
            std::mem::swap(&mut lines.bytes, &mut batch);
            let (lost, reopen, closed) =
                (std::mem::take(&mut lines.lost), std::mem::take(&mut lines.reopen), lines.closed);
            lines.under_way = true;
            drop(lines);
            let result = target.write_all(&batch).and_then(|()| target.flush());
            batch.clear();
            if lost > 0 {
                tracing::warn!(lost, "the access log is too slow: lines are lost");
            }
            if let Err(error) = result {
                tracing::warn!(%error, "cannot write the access log");
            }
            if reopen {
                match again() {
                    Ok(new) => {
                        target = new;
                        tracing::info!("the access log is reopened");
                    }
                    Err(error) => {
                        tracing::error!(
                            %error,
                            "the access log cannot be reopened; its lines still go to the previous file"
                        );
                    }
                }
            }
            let mut lines = self.lines.lock();
            lines.under_way = false;
            if lines.bytes.is_empty() {
                lines.urgent = false;
                self.written.notify_all();
                if closed {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A target that writes only when the test lets it.
    struct Gate {
        open: Receiver<()>,
        out: Arc<Mutex<Vec<u8>>>,
    }

    impl io::Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.open.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.out.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (Sink, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let ((opener, open), out) = (sync_channel(100), Arc::default());
        let again = || Err(io::ErrorKind::Unsupported.into());
        let sink = Sink::new(Gate { open, out: Arc::clone(&out) }, again).expect("a thread");
        (sink, opener, out)
    }

    #[test]
    fn lines_are_written_in_order_and_a_flush_waits_for_them() {
        let (sink, opener, out) = gated();
        for _ in 0..10 {
            opener.send(()).expect("a writer");
        }
        for number in 0..1_000 {
            sink.push(format!("{number}\n").as_bytes());
        }
        sink.flush(Duration::from_secs(60));
        let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&out.lock()), expected);
    }

    #[test]
    fn lines_after_a_reopening_go_to_the_new_target_and_none_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let open = {
            let path = path.clone();
            move || std::fs::OpenOptions::new().create(true).append(true).open(&path)
        };
        let sink = Sink::new(open().expect("a file"), open).expect("a thread");
        let wait = || sink.flush(Duration::from_secs(60));
        sink.push(b"1\n");
        let old = folder.path().join("access.log.1");
        std::fs::rename(&path, &old).expect("renamed");
        sink.push(b"2\n");
        sink.reopen();
        wait();
        sink.push(b"3\n");
        wait();
        let read = |path| std::fs::read_to_string(path).expect("a file");
        assert_eq!((read(&old), read(&path)), ("1\n2\n".to_owned(), "3\n".to_owned()));

        // If the file cannot be reopened, the old one gets the lines.
        let away = folder.path().join("away.log");
        std::fs::rename(&path, &away).expect("renamed");
        std::fs::create_dir(&path).expect("a folder in its place");
        sink.reopen();
        sink.push(b"4\n");
        wait();
        sink.push(b"5\n");
        wait();
        assert_eq!(read(&away), "3\n4\n5\n");
    }

    #[test]
    fn hanging_disk_blocks_no_caller() {
        let (sink, _opener, out) = gated();
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..100 {
            sink.push(&line);
        }
        assert!(sink.0.lines.lock().bytes.len() <= MOST);
        assert!(sink.0.lines.lock().lost > 0 && out.lock().is_empty());
        sink.flush(Duration::from_millis(1));
    }

    #[test]
    fn buffered_lines_are_written_at_shutdown() {
        let (sink, opener, out) = gated();
        sink.push(b"last\n");
        drop(sink);
        opener.send(()).expect("a writer");
        // The writer drops its end when it has finished.
        while opener.send(()).is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(*out.lock(), b"last\n");
    }
}
