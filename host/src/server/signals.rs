//! Signals, and the action that each requests. Handlers are installed before anything else happens, since an unhandled
//! signal ends the process.

use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The action that a signal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// SIGTERM or SIGINT; also SIGQUIT if no `proxy.upgrade_socket` is configured.
    Stop { signal: &'static str },
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    ReopenLogs,
    /// SIGUSR2: start the program again, to take this process's place.
    Upgrade,
    /// SIGQUIT: the process that takes this one's place is ready to receive its listeners.
    HandOver,
}

/// The action that SIGQUIT requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    Stop,
    HandOver,
}

/// All handled signals. A signal is not lost before it is read; several of a kind may count as one.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    quit: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    /// Installs handlers for SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2.
    pub fn take_over() -> std::io::Result<Signals> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let (terminate, quit, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::quit())?, signal(SignalKind::interrupt())?);
        let (hang_up, user1, user2) =
            (signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
        drop(inside);
        Ok(Signals { runtime, terminate, quit, interrupt, hang_up, user1, user2 })
    }

    /// Until the proxy is ready, a signal to stop calls `stop`, which ends the process; other signals stay pending.
    pub fn until_ready(mut self, stop: fn(&'static str) -> !) -> std::io::Result<Starting> {
        let (ready, is_ready) = oneshot::channel();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let stopped_by = self.runtime.block_on(async {
                tokio::select! {
                    // Once the proxy is ready, it stops the regular way.
                    biased;
                    _ = is_ready => None,
                    _ = self.terminate.recv() => Some("SIGTERM"),
                    _ = self.quit.recv() => Some("SIGQUIT"),
                    _ = self.interrupt.recv() => Some("SIGINT"),
                }
            });
            if let Some(signal) = stopped_by {
                stop(signal);
            }
            self
        })?;
        Ok(Starting { thread, ready })
    }

    /// Waits for the next order.
    pub fn next(&mut self, on_quit: Quit) -> Order {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => Order::Stop { signal: "SIGTERM" },
                _ = self.quit.recv() => match on_quit {
                    Quit::Stop => Order::Stop { signal: "SIGQUIT" },
                    Quit::HandOver => Order::HandOver,
                },
                _ = self.interrupt.recv() => Order::Stop { signal: "SIGINT" },
                _ = self.hang_up.recv() => Order::Reload,
                _ = self.user1.recv() => Order::ReopenLogs,
                _ = self.user2.recv() => Order::Upgrade,
            }
        })
    }
}

/// Signal handling before the proxy is ready.
pub struct Starting {
    thread: JoinHandle<Signals>,
    ready: oneshot::Sender<()>,
}

impl Starting {
    /// Returns the signals for the main loop, which gets those that arrived meanwhile first.
    pub fn ready(self) -> std::io::Result<Signals> {
        // The receiver is gone only if a signal to stop came first.
        let _ = self.ready.send(());
        self.thread.join().map_err(|_| std::io::Error::other("the thread that waits for signals has ended"))
    }
}
