//! Watches module files and the tests beside them, and has what changed loaded, off the threads that serve.
//!
//! A file counts as changed when it was put in its place (a rename, a symlink that points elsewhere) or closed by who
//! wrote it; a file that is still being written is waited for. Whatever the system does not tell of, as on network file
//! systems, is found by looking, about a second later.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;

use crate::config::{Config, TenantConfig};
use crate::release::{Asked, tests_beside};
use crate::server::control::Control;

/// How often it is looked at all files, and at what is due with time.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one content of a file from another, without reading it. None: there is no file.
pub type Mark = Option<(u64, u64, u64, i64, i64)>;

/// The files of a configuration's modules; to be taken before they are loaded.
pub fn marks(config: &Config) -> HashMap<PathBuf, Mark> {
    config.tenants.iter().flat_map(files).map(|path| (path.clone(), mark(&path))).collect()
}

/// What makes a new version of a tenant when it changes.
fn files(tenant: &TenantConfig) -> impl Iterator<Item = PathBuf> {
    tenant.modules.iter().flat_map(|module| [module.path.clone(), tests_beside(&module.path)])
}

/// Starts the thread. It ends when the proxy does.
pub fn start(control: &Arc<Control>, files: Option<HashMap<PathBuf, Mark>>, config: bool) -> std::io::Result<()> {
    let config = control.file().filter(|_| config).map(Path::to_owned);
    let control = Arc::downgrade(control);
    let (sender, events) = channel();
    thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let mut watch = files.map(|at_start| Watch::new(sender, at_start, config));
        run(&control, &events, watch.as_mut());
    })?;
    Ok(())
}

fn run(control: &Weak<Control>, events: &Receiver<Event>, mut watch: Option<&mut Watch>) {
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
        match events.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                let Some(control) = control.upgrade() else { return };
                if let Some(watch) = &mut watch {
                    watch.told(&control, &event);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody tells of files then.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
        }
    }
}

struct Watch {
    /// None: the system can't watch files.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Watched>,
    /// Files that it was not looked at yet, as they were before they were loaded.
    at_start: HashMap<PathBuf, Mark>,
    /// The configuration, and what was loaded of it, if it is watched as well.
    config: Option<(PathBuf, Mark)>,
    /// Tenants whose files wait to be loaded: a change that comes meanwhile is loaded with them.
    pending: Arc<Mutex<BTreeSet<String>>>,
}

struct Watched {
    tenants: Vec<String>,
    /// What was loaded, or is being loaded.
    loaded: Mark,
    /// What was there when it was looked last.
    seen: Mark,
}

impl Watch {
    fn new(sender: Sender<Event>, at_start: HashMap<PathBuf, Mark>, config: Option<PathBuf>) -> Watch {
        let told = move |event: notify::Result<Event>| {
            if let Ok(event) = event {
                // The thread is gone when the proxy is.
                let _ = sender.send(event);
            }
        };
        let watcher = RecommendedWatcher::new(told, notify::Config::default());
        if let Err(error) = &watcher {
            tracing::warn!(%error, "the system does not tell of changed files; they are looked at every second");
        }
        let config = config.map(|path| {
            let now = mark(&path);
            (path, now)
        });
        let (folders, files) = (BTreeSet::new(), BTreeMap::new());
        Watch { watcher: watcher.ok(), folders, files, at_start, config, pending: Arc::default() }
    }

    /// Something happened in a folder.
    fn told(&mut self, control: &Arc<Control>, event: &Event) {
        let done = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
            // A symlink; a file that is created is closed later.
            | EventKind::Create(CreateKind::Other | CreateKind::Any) => true,
            EventKind::Create(_) => event.paths.iter().any(|path| path.is_symlink()),
            _ => false,
        };
        if !done || control.is_frozen() {
            return;
        }
        self.look_at_config(control);
        // What changed may be a symlink on the way to a file: all in that folder, and all that lead through it.
        let mut changed = BTreeSet::new();
        for (path, watched) in &mut self.files {
            let now = mark(path);
            if now != watched.loaded && now.is_some() {
                (watched.loaded, watched.seen) = (now, now);
                changed.extend(watched.tenants.iter().cloned());
            }
        }
        self.load(control, changed);
    }

    /// Looks at all files: the tenants may have changed, and the system may not have told.
    fn look(&mut self, control: &Arc<Control>) {
        if control.is_frozen() {
            return;
        }
        let mut paths: HashMap<PathBuf, Vec<String>> = HashMap::new();
        for (name, tenant) in control.tenants().iter() {
            for path in self::files(&tenant.config) {
                paths.entry(path).or_default().push(name.clone());
            }
        }
        if let Some((path, _)) = &self.config {
            self.watch_folders(&path.clone());
        }
        self.files.retain(|path, _| paths.contains_key(path));
        let mut changed = BTreeSet::new();
        for (path, tenants) in paths {
            let now = mark(&path);
            self.watch_folders(&path);
            match self.files.get_mut(&path) {
                // Without a mark its digest will tell whether it changed since it was loaded.
                None => {
                    let loaded = self.at_start.remove(&path).flatten();
                    self.files.insert(path, Watched { tenants, loaded, seen: now });
                }
                Some(watched) => {
                    watched.tenants = tenants;
                    if now.is_some() && now != watched.loaded && now == watched.seen {
                        watched.loaded = now;
                        changed.extend(watched.tenants.iter().cloned());
                    }
                    watched.seen = now;
                }
            }
        }
        self.load(control, changed);
    }

    fn look_at_config(&mut self, control: &Arc<Control>) {
        let Some((path, loaded)) = &mut self.config else { return };
        let now = mark(path);
        if now.is_none() || now == *loaded {
            return;
        }
        *loaded = now;
        // What comes of it is logged.
        let _ = control.reload();
    }

    /// Has the system tell of a file's folder, and of those of every symlink on the way.
    fn watch_folders(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        /// As many as the kernel follows.
        const LINKS: usize = 40;
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                _ => PathBuf::from("."),
            };
            for folder in [folder.canonicalize().ok(), Some(folder.clone())].into_iter().flatten() {
                if !self.folders.contains(&folder) && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                    self.folders.insert(folder);
                }
            }
            match std::fs::read_link(&path) {
                Ok(target) => path = folder.join(target),
                Err(_) => return,
            }
        }
    }

    fn load(&self, control: &Arc<Control>, changed: BTreeSet<String>) {
        let news: Vec<String> = {
            let mut pending = self.pending.lock();
            changed.into_iter().filter(|name| pending.insert(name.clone())).collect()
        };
        if news.is_empty() {
            return;
        }
        let (control, pending) = (control.clone(), self.pending.clone());
        let spawned = thread::Builder::new().name("release".to_owned()).spawn(move || {
            for name in news {
                pending.lock().remove(&name);
                // Refused ones are logged, and listed by the admin API.
                let _ = control.release_files(&name, Asked::ByWatch);
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "changed modules are not loaded: no thread for it");
        }
    }
}

fn mark(path: &Path) -> Mark {
    let about = std::fs::metadata(path).ok()?;
    Some((
        about.dev(),
        about.ino(),
        about.len(),
        about.mtime().wrapping_mul(1_000_000_000).wrapping_add(about.mtime_nsec()),
        about.ctime(),
    ))
}
