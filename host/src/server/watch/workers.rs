//! A fixed number of threads for work that is identified by a name, such as loading a tenant's modules.
//!
//! A name waits at most once however often it is added, and no two threads work on it at the same time: a file that is
//! saved in a loop occupies only one thread, and a name added while its work runs is run once more afterwards.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

/// Dropping it lets work in progress end, without waiting for it, and starts no more.
pub struct Workers<Name> {
    shared: Arc<Queue<Name>>,
}

struct Queue<Name> {
    work: Mutex<Work<Name>>,
    changed: Condvar,
}

struct Work<Name> {
    /// In the order in which they were added.
    waiting: VecDeque<Name>,
    /// The waiting names again, for fast lookup.
    named: BTreeSet<Name>,
    begun: BTreeSet<Name>,
    over: bool,
}

impl<Name: Ord + Clone + Debug + Send + 'static> Workers<Name> {
    /// Starts `threads` threads, which call `work` with each name.
    pub fn start(
        thread_name: &str,
        threads: usize,
        work: impl Fn(&Name) + Send + Sync + 'static,
    ) -> std::io::Result<Workers<Name>> {
        let none = Work { waiting: VecDeque::new(), named: BTreeSet::new(), begun: BTreeSet::new(), over: false };
        // Created first: if a thread cannot be started, dropping this ends the others.
        let workers = Workers { shared: Arc::new(Queue { work: Mutex::new(none), changed: Condvar::new() }) };
        let work = Arc::new(work);
        for _ in 0..threads {
            let (shared, work) = (workers.shared.clone(), work.clone());
            thread::Builder::new().name(thread_name.to_owned()).spawn(move || shared.run(&*work))?;
        }
        Ok(workers)
    }

    /// Queues a name, unless it is waiting already.
    pub fn add(&self, name: Name) {
        let mut work = self.shared.work.lock();
        if work.named.insert(name.clone()) {
            work.waiting.push_back(name);
            self.shared.changed.notify_one();
        }
    }
}

impl<Name> Drop for Workers<Name> {
    fn drop(&mut self) {
        self.shared.work.lock().over = true;
        self.shared.changed.notify_all();
    }
}

impl<Name: Ord + Clone + Debug> Queue<Name> {
    fn run(&self, work: &impl Fn(&Name)) {
        while let Some(name) = self.next() {
            // A panic must not cost the pool a thread for the rest of the process.
            if catch_unwind(AssertUnwindSafe(|| work(&name))).is_err() {
                tracing::error!(?name, "loading it panicked");
            }
            self.work.lock().begun.remove(&name);
            // The name may have been added again, and skipped by all other threads.
            self.changed.notify_one();
        }
    }

    /// Takes the first name that no thread works on. None: the pool has been dropped.
    fn next(&self) -> Option<Name> {
        let mut work = self.work.lock();
        loop {
            if work.over {
                return None;
            }
            let free = work.waiting.iter().position(|name| !work.begun.contains(name));
            if let Some(name) = free.and_then(|position| work.waiting.remove(position)) {
                work.named.remove(&name);
                work.begun.insert(name.clone());
                return Some(name);
            }
            self.changed.wait(&mut work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// Much longer than any step of these tests takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Two workers that report each name that they start, and whose work the test ends.
    struct ControlledWorkers {
        workers: Option<Workers<&'static str>>,
        started: Receiver<(&'static str, Sender<()>)>,
    }

    fn controlled() -> ControlledWorkers {
        let (sender, started) = channel();
        let workers = Workers::start("test", 2, move |name: &&'static str| {
            let (end, ended) = channel();
            // The test may have ended already.
            let _ = sender.send((*name, end));
            let _ = ended.recv();
            assert_ne!(*name, "panics");
        });
        ControlledWorkers { workers: Some(workers.expect("threads")), started }
    }

    impl ControlledWorkers {
        fn add(&self, names: &[&'static str]) {
            names.iter().for_each(|name| self.workers.as_ref().expect("workers").add(name));
        }

        /// Expects this name to be started next. Dropping the result ends its work.
        #[track_caller]
        fn expect_start(&self, expected: &str) -> Sender<()> {
            let (name, end) = self.started.recv_timeout(PATIENCE).expect("work has started");
            assert_eq!(name, expected);
            end
        }
    }

    #[test]
    fn name_is_queued_once_and_never_processed_concurrently() {
        let controlled = controlled();
        controlled.add(&["a"]);
        let first = controlled.expect_start("a");
        // One thread is free, but leaves `a` waiting while the other one works on it.
        controlled.add(&["a", "a", "b", "a", "c"]);
        let b = controlled.expect_start("b");
        assert!(controlled.started.try_recv().is_err());
        drop(b);
        let c = controlled.expect_start("c");
        drop(first);
        let again = controlled.expect_start("a");
        drop((again, c));
        // Nothing else was waiting.
        controlled.add(&["last"]);
        controlled.expect_start("last");
    }

    #[test]
    fn slow_name_delays_no_other() {
        let controlled = controlled();
        controlled.add(&["slow"]);
        let _slow = controlled.expect_start("slow");
        for name in ["a", "b", "c", "d"] {
            controlled.add(&[name, "slow"]);
            controlled.expect_start(name);
        }
    }

    #[test]
    fn panicking_work_costs_no_thread() {
        let controlled = controlled();
        for _ in 0..4 {
            controlled.add(&["panics"]);
            controlled.expect_start("panics");
        }
        controlled.add(&["a", "b"]);
        let _both = (controlled.expect_start("a"), controlled.expect_start("b"));
    }

    #[test]
    fn threads_end_after_the_work_in_progress() {
        let mut controlled = controlled();
        controlled.add(&["a", "b", "c"]);
        let ends = (controlled.expect_start("a"), controlled.expect_start("b"));
        drop(controlled.workers.take());
        drop(ends);
        // Disconnected: both threads have ended, and `c` was not started.
        let error = controlled.started.recv_timeout(PATIENCE).err();
        assert_eq!(error, Some(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
