//! Signals, and what each asks for.

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By SIGTERM or SIGINT, and by SIGQUIT where no `proxy.upgrade_socket` is configured.
    Stop { signal: &'static str },
    /// By SIGHUP.
    Reload,
    /// By SIGUSR2: start the program anew, to take this one's place.
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

/// Takes over SIGTERM, SIGQUIT, SIGINT, SIGHUP and SIGUSR2; the result waits for the next one.
pub fn orders(runtime: Handle, on_quit: Quit) -> std::io::Result<impl FnMut() -> Order + use<>> {
    let inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut second = signal(SignalKind::user_defined2())?;
    drop(inside);
    Ok(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => Order::Stop { signal: "SIGTERM" },
                _ = quit.recv() => match on_quit {
                    Quit::Stop => Order::Stop { signal: "SIGQUIT" },
                    Quit::HandOver => Order::HandOver,
                },
                _ = interrupt.recv() => Order::Stop { signal: "SIGINT" },
                _ = hang_up.recv() => Order::Reload,
                _ = second.recv() => Order::Upgrade,
            }
        })
    })
}
