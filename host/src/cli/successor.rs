//! Starts the process that takes this one's place: on SIGUSR2, one at a time.

use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use pointsman_rules::text::chain;

use crate::control::Control;
use crate::server::Server;

/// Why no successor was started.
#[derive(Debug, thiserror::Error)]
enum SuccessorError {
    #[error(
        "this process was started without `proxy.upgrade_socket`, which is needed to hand over its listeners: configure \
         it, and restart once"
    )]
    NoSocket,
    #[error("this is process 1, and everything in its container ends with it: start a new container instead")]
    FirstProcess,
    #[error("the successor that was started before is still loading")]
    Loading,
    #[error("this process is already stopping")]
    Ending,
    #[error("cannot start a thread for it")]
    Thread { source: std::io::Error },
}

/// Starts successors of this process.
pub struct Successors {
    control: Arc<Control>,
    now: Arc<Mutex<Now>>,
    can_hand_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    Alone,
    /// A successor is reading the configuration and the state, or is about to.
    Loading,
    Ending,
}

impl Successors {
    pub fn of(server: &Server) -> Successors {
        Successors {
            control: server.control().clone(),
            now: Arc::new(Mutex::new(Now::Alone)),
            can_hand_over: server.can_hand_over(),
        }
    }

    /// Starts this program again, as it is on disk now, to take this process's place. Until it has done so or ended, no
    /// version changes.
    pub fn start(&self) {
        if let Err(refused) = self.try_start() {
            tracing::error!(error = chain(&refused), "upgrade: refused; this process continues");
        }
    }

    /// Marks this process as ending, regardless of any successor.
    pub fn end(&self) {
        *self.now.lock() = Now::Ending;
    }

    fn try_start(&self) -> Result<(), SuccessorError> {
        if !self.can_hand_over {
            return Err(SuccessorError::NoSocket);
        }
        if std::process::id() == 1 {
            return Err(SuccessorError::FirstProcess);
        }
        let mut now = self.now.lock();
        match *now {
            Now::Alone => {}
            Now::Loading => return Err(SuccessorError::Loading),
            Now::Ending => return Err(SuccessorError::Ending),
        }
        let (control, shared) = (self.control.clone(), self.now.clone());
        control.freeze(true);
        let spawned = thread::Builder::new().name("successor".to_owned()).spawn(move || {
            control.settle();
            let ended = run();
            let mut now = shared.lock();
            let continues = *now == Now::Loading;
            if continues {
                *now = Now::Alone;
                control.freeze(false);
            }
            let what_now = if continues { "this process continues" } else { "this process ends as well" };
            match ended {
                Ok(status) => tracing::error!(%status, "upgrade: the successor ended; {what_now}"),
                Err(error) => tracing::error!(%error, "upgrade: the successor cannot be started; {what_now}"),
            }
        });
        match spawned {
            Ok(_) => {
                *now = Now::Loading;
                Ok(())
            }
            Err(source) => {
                self.control.freeze(false);
                Err(SuccessorError::Thread { source })
            }
        }
    }
}

/// Runs this program with its own arguments, except those that said whose place to take.
fn run() -> std::io::Result<ExitStatus> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "pointsman".into());
    let mut own = Vec::new();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--upgrade" {
            arguments.next();
        } else if !text.starts_with("--upgrade=") {
            own.push(argument);
        }
    }
    let pid = std::process::id().to_string();
    let mut successor = Command::new(&program).args(own).args(["--upgrade", &pid]).spawn()?;
    tracing::info!(pid = successor.id(), "upgrade: the successor is loading");
    successor.wait()
}
