//! Watches module files and the tests beside them, and has what changed loaded, off the threads that serve.
//!
//! A file counts as changed when it was put in its place (a rename, a symlink that points elsewhere) or closed by who
//! wrote it; a file that is still being written is waited for. Whatever the system does not tell of, as on network file
//! systems, is found by looking, about two seconds later.

mod files;
mod folders;
mod points;
mod told;
mod workers;

pub use files::{Mark, marks};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, Watcher as _};

use crate::release::Asked;
use crate::server::control::Control;
use crate::server::watch::files::{Files, Subject};
use crate::server::watch::folders::Folders;
use crate::server::watch::told::Told;
use crate::server::watch::workers::Workers;

/// How often it is looked at all files, and at what is due with time.
const LOOK: Duration = Duration::from_secs(1);

/// Between two looks at all files where the system lost what it had to tell: whoever changes files faster than it tells
/// does not have us look without a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// Versions that are prepared at the same time. One that is slow to build leaves the other thread to all others, and no
/// number of changes takes more cores than this from what serves.
const RELEASES: usize = 2;

/// Starts the threads. They end when the proxy does.
pub fn start(control: &Arc<Control>, files: Option<HashMap<PathBuf, Mark>>, config: bool) -> std::io::Result<()> {
    let config = control.file().filter(|_| config).map(Path::to_owned);
    let (told, woken) = Told::new();
    let watch = match files {
        Some(at_start) => {
            let weak = Arc::downgrade(control);
            let releases = Workers::start("release", RELEASES, move |subject| load(&weak, subject))?;
            let (told, heard) = (Arc::new(told), Instant::now());
            let hears = told.clone();
            let watcher = RecommendedWatcher::new(move |event| hears.hear(event), notify::Config::default());
            let files = Files::new(told.clone(), Folders::new(watcher), at_start, config);
            let mut watch = Watch { told, files, releases, looked: heard };
            // What changes from now on is told: whoever sees that the proxy serves may change a file at once.
            watch.look(control);
            Some(watch)
        }
        None => None,
    };
    let control = Arc::downgrade(control);
    thread::Builder::new().name("watch".to_owned()).spawn(move || run(&control, &woken, watch))?;
    Ok(())
}

fn run(control: &Weak<Control>, woken: &Receiver<()>, mut watch: Option<Watch>) {
    let mut next_look = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next_look {
            let Some(control) = control.upgrade() else { return };
            control.tick();
            if let Some(watch) = &mut watch {
                watch.look(&control);
            }
            next_look = now + LOOK;
        }
        match woken.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
            Ok(()) => {
                if let Some(watch) = &mut watch
                    && watch.listen() == Next::LookSoon
                {
                    next_look = next_look.min(watch.looked + PAUSE);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody tells of files then.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
        }
    }
}

struct Watch {
    told: Arc<Told>,
    files: Files,
    releases: Workers<Subject>,
    /// When it was looked at all files.
    looked: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    LookSoon,
}

impl Watch {
    /// Takes what the system told, and has loaded what it was about: nothing else, which may be half written.
    fn listen(&mut self) -> Next {
        let news = self.told.take();
        if news.any {
            // Folders may have gone as well, and others come in their places.
            self.files.watch_anew();
        }
        for subject in self.files.told(&news.changes) {
            self.releases.add(subject);
        }
        if news.any { Next::LookSoon } else { Next::Wait }
    }

    /// Looks at all files: the tenants may have changed, and the system may not have told.
    fn look(&mut self, control: &Control) {
        self.looked = Instant::now();
        self.files.set_tenants(&control.tenants());
        for subject in self.files.look() {
            self.releases.add(subject);
        }
    }
}

/// Loads what changed, as it is now: it may have changed again, or be gone, since it was given.
fn load(control: &Weak<Control>, subject: &Subject) {
    // Nothing may change while another process takes this one's place: it waits for the end of that, or of this
    // process.
    let control = loop {
        let Some(control) = control.upgrade() else { return };
        if control.change().is_ok() {
            break control;
        }
        drop(control);
        thread::sleep(LOOK);
    };
    // What comes of either is logged, and listed by the admin API.
    match subject {
        Subject::Tenant(name) => _ = control.release_files(name, Asked::ByWatch),
        Subject::Config => _ = control.reload(),
    }
}
