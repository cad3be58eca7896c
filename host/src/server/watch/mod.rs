//! Watches module files and the tests next to them, and loads the changed ones, off the threads that serve.
//!
//! A file counts as changed when it was moved into place (a rename, a symlink that points elsewhere) or closed by its
//! writer; a file that is still being written is left alone until then. A scan about two seconds later finds changes
//! that the system does not report, as on network file systems.

mod files;
mod folders;
mod points;
mod event_queue;
mod workers;

pub use files::{Mark, marks};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, Watcher as _};

use crate::control::Control;
use crate::server::watch::event_queue::EventQueue;
use crate::server::watch::files::{Files, WatchTarget};
use crate::server::watch::folders::Folders;
use crate::server::watch::workers::Workers;
use crate::versions::CheckTrigger;

/// Interval between scans of all files, and between checks for work that is due by time.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum pause between two scans when the system lost events, so that files that change faster than the system can
/// report do not cause scans without a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// Targets that are loaded at the same time. A slow build leaves the other thread to all other targets, and no number
/// of changes takes more cores than this from live traffic.
const RELEASES: usize = 2;

/// Starts the threads. They end with the proxy.
pub fn start(control: &Arc<Control>, files: Option<HashMap<PathBuf, Mark>>, config: bool) -> std::io::Result<()> {
    let config = control.file().filter(|_| config).map(Path::to_owned);
    let (queue, woken) = EventQueue::new();
    let watch = match files {
        Some(at_start) => {
            let weak = Arc::downgrade(control);
            let releases = Workers::start("release", RELEASES, move |subject| load(&weak, subject))?;
            let (queue, started) = (Arc::new(queue), Instant::now());
            let sender = queue.clone();
            let watcher = RecommendedWatcher::new(move |event| sender.push(event), notify::Config::default());
            let files = Files::new(queue.clone(), Folders::new(watcher), at_start, config);
            let mut watch = Watch { queue, files, releases, scanned: started };
            // Events are collected from now on, since whoever sees that the proxy serves may change a file at once.
            watch.scan(control);
            Some(watch)
        }
        None => None,
    };
    let control = Arc::downgrade(control);
    thread::Builder::new().name("watch".to_owned()).spawn(move || run(&control, &woken, watch))?;
    Ok(())
}

fn run(control: &Weak<Control>, woken: &Receiver<()>, mut watch: Option<Watch>) {
    let mut next_scan = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next_scan {
            let Some(control) = control.upgrade() else { return };
            control.tick();
            if let Some(watch) = &mut watch {
                watch.scan(&control);
            }
            next_scan = now + SCAN_INTERVAL;
        }
        match woken.recv_timeout(next_scan.saturating_duration_since(Instant::now())) {
            Ok(()) => {
                if let Some(watch) = &mut watch
                    && watch.take_events() == Next::ScanSoon
                {
                    next_scan = next_scan.min(watch.scanned + PAUSE);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Nothing sends file events in this case.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(SCAN_INTERVAL),
        }
    }
}

struct Watch {
    queue: Arc<EventQueue>,
    files: Files,
    releases: Workers<WatchTarget>,
    /// When the last scan began.
    scanned: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    ScanSoon,
}

impl Watch {
    /// Takes the queued events and loads only the targets that they concern: any other file may be half written.
    fn take_events(&mut self) -> Next {
        let events = self.queue.take();
        if events.any {
            // Folders may have been removed as well, and replaced by others.
            self.files.watch_again();
        }
        for subject in self.files.check_changed(&events.changes) {
            self.releases.add(subject);
        }
        if events.any { Next::ScanSoon } else { Next::Wait }
    }

    /// Scans all files: the tenants may have changed, and the system may have missed a change.
    fn scan(&mut self, control: &Control) {
        self.scanned = Instant::now();
        self.files.set_tenants(&control.tenants());
        for subject in self.files.scan() {
            self.releases.add(subject);
        }
    }
}

/// Loads a target in its current state: it may have changed again, or be gone, since it was queued.
fn load(control: &Weak<Control>, subject: &WatchTarget) {
    // Nothing may change while another process takes this one's place: this waits for that, or this process, to end.
    let control = loop {
        let Some(control) = control.upgrade() else { return };
        if control.change().is_ok() {
            break control;
        }
        drop(control);
        thread::sleep(SCAN_INTERVAL);
    };
    // The results of both are logged, and the admin API lists them.
    match subject {
        WatchTarget::Tenant(name) => _ = control.release_files(name, CheckTrigger::Watch),
        WatchTarget::Config => _ = control.reload(),
    }
}
