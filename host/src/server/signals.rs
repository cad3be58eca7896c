//! Signals, and what each asks for. They are taken over before anything else happens, since a signal that nobody has
//! taken over ends the process.

use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By SIGTERM or SIGINT, and by SIGQUIT where no `proxy.upgrade_socket` is configured.
    Stop { signal: &'static str },
    /// By SIGHUP.
    Reload,
    /// By SIGUSR1.
    ReopenLogs,
    /// By SIGUSR2: start the program again, to take this process's place.
    Upgrade,
    /// By SIGQUIT: the process that takes this one's place is ready for its listeners.
    HandOver,
}

/// What SIGQUIT asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    Stop,
    HandOver,
}

/// Every signal that asks for something. One that came is not lost before it is looked at; several of a kind may count
/// as one.
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
    /// Takes over SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2.
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

    /// Until the proxy is ready a signal to stop calls `stop`, which ends the process; the others wait.
    pub fn until_ready(mut self, stop: fn(&'static str) -> !) -> std::io::Result<Starting> {
        let (ready, is_ready) = oneshot::channel();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let stopped_by = self.runtime.block_on(async {
                tokio::select! {
                    // A proxy that is ready stops as one that is ready does.
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

/// Signals while the proxy is not ready yet.
pub struct Starting {
    thread: JoinHandle<Signals>,
    ready: oneshot::Sender<()>,
}

impl Starting {
    /// From now on orders are taken by whoever has the result; first those that came meanwhile.
    pub fn ready(self) -> std::io::Result<Signals> {
        // Nobody receives it only if a signal to stop came first.
        let _ = self.ready.send(());
        self.thread.join().map_err(|_| std::io::Error::other("the thread that waits for signals has ended"))
    }
}
