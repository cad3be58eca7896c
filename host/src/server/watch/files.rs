//! Which files are watched, their state when they were loaded, and which targets to load again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pointsman_rules::config::{self, Config, TenantConfig};

use crate::release::tests_beside;
use crate::server::watch::event_queue::{Change, EventQueue};
use crate::server::watch::folders::Folders;
use crate::server::watch::points;
use crate::tenant::Tenant;

/// Without an event, a file counts as complete once it has not changed for this long: slightly less than the interval
/// between two scans.
const STEADY: Duration = Duration::from_millis(900);

/// How often to resolve a path again that changes meanwhile, before leaving it to the next scan.
const FOLLOWED: usize = 3;

/// Device, inode, size, modification and change time: tells one content of a file from another without reading it.
/// None: there is no file.
pub type Mark = Option<(u64, u64, u64, i64, i64)>;

/// The state of a configuration's module files, and of its own files if `own` is given. Taken before they are loaded.
pub fn marks(config: &Config, own: Option<&Path>) -> HashMap<PathBuf, Mark> {
    let own = own.map(config::files).unwrap_or_default();
    config.tenants.iter().flat_map(files_of).chain(own).map(|path| (path.clone(), mark(&path))).collect()
}

/// The files that make a new version of a tenant when they change.
fn files_of(tenant: &TenantConfig) -> impl Iterator<Item = PathBuf> {
    tenant.modules.iter().flat_map(|module| [module.path.clone(), tests_beside(&module.path)])
}

/// A unit that is loaded as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchTarget {
    Config,
    /// A tenant, by name.
    Tenant(String),
}

pub struct Files {
    queue: Arc<EventQueue>,
    folders: Folders,
    files: BTreeMap<PathBuf, File>,
    /// The files of each target, and the state in which each was loaded or is being loaded.
    subjects: BTreeMap<WatchTarget, BTreeMap<PathBuf, Mark>>,
    /// The state before loading of files that no scan has reached yet.
    at_start: HashMap<PathBuf, Mark>,
    /// The main configuration file, if the configuration is watched too.
    config: Option<PathBuf>,
    /// The tenants that the watched files belong to.
    tenants: Weak<BTreeMap<String, Arc<Tenant>>>,
}

struct File {
    subjects: BTreeSet<WatchTarget>,
    /// The paths that determine which file this is.
    points: BTreeSet<PathBuf>,
    /// The state at the last check, and when it was first seen.
    seen: Mark,
    since: Instant,
    /// Whether the file is completely written.
    whole: bool,
}

impl Files {
    pub fn new(
        queue: Arc<EventQueue>,
        folders: Folders,
        at_start: HashMap<PathBuf, Mark>,
        config: Option<PathBuf>,
    ) -> Files {
        let (files, subjects) = (BTreeMap::new(), BTreeMap::new());
        Files { queue, folders, files, subjects, at_start, config, tenants: Weak::new() }
    }

    /// Watches the files of these tenants and no others.
    pub fn set_tenants(&mut self, tenants: &Arc<BTreeMap<String, Arc<Tenant>>>) {
        if self.tenants.ptr_eq(&Arc::downgrade(tenants)) {
            return;
        }
        self.tenants = Arc::downgrade(tenants);
        let before: Vec<_> = self.subjects.keys().filter(|subject| **subject != WatchTarget::Config).cloned().collect();
        let mut subjects: BTreeMap<_, BTreeSet<_>> = before.into_iter().map(|gone| (gone, BTreeSet::new())).collect();
        for (name, tenant) in tenants.iter() {
            subjects.insert(WatchTarget::Tenant(name.clone()), files_of(&tenant.config).collect());
        }
        let mut new = BTreeSet::new();
        for (subject, files) in subjects {
            new.extend(self.set(subject, files));
        }
        self.watch(&new);
    }

    /// Registers all folders again at the next scan.
    pub fn watch_again(&mut self) {
        self.folders.forget(Path::new("/"));
    }

    /// Checks the files that these events may concern, and returns the targets to load.
    pub fn check_changed(&mut self, changes: &BTreeMap<PathBuf, Change>) -> Vec<WatchTarget> {
        if changes.is_empty() {
            return Vec::new();
        }
        // The path may be a folder that another one has replaced.
        changes.keys().for_each(|path| self.folders.forget(path));
        self.list_config();
        let mut concerned: BTreeMap<PathBuf, Change> = BTreeMap::new();
        self.queue.index(|index| {
            for (path, change) in changes {
                for file in index.concerned(path) {
                    let known = concerned.entry(file.clone()).or_insert(*change);
                    *known = (*known).max(*change);
                }
            }
        });
        self.follow(&concerned.keys().cloned().collect());
        let mut subjects = BTreeSet::new();
        for (path, change) in &concerned {
            let Some(file) = self.files.get_mut(path) else { continue };
            file.refresh(path);
            file.whole |= *change == Change::Done;
            subjects.extend(file.subjects.iter().cloned());
        }
        // All files of a target are loaded together: none of them may be half written.
        let others: BTreeSet<_> = subjects.iter().filter_map(|subject| self.subjects.get(subject)).flatten().collect();
        for (path, _) in others {
            if let Some(file) = self.files.get_mut(path) {
                file.refresh(path);
            }
        }
        self.ready(subjects)
    }

    /// Checks all files, and returns the targets to load: those that changed, but not since the previous scan.
    pub fn scan(&mut self) -> Vec<WatchTarget> {
        self.list_config();
        self.folders.forget_replaced();
        let mut changed = BTreeSet::new();
        for (path, file) in &mut self.files {
            if file.refresh(path) {
                changed.insert(path.clone());
            } else if file.since.elapsed() >= STEADY {
                file.whole = true;
            }
        }
        self.follow(&changed);
        self.ready(self.subjects.keys().cloned().collect())
    }

    /// The targets of which a file changed and no file is half written.
    fn ready(&mut self, subjects: BTreeSet<WatchTarget>) -> Vec<WatchTarget> {
        let files = &self.files;
        let mut found = Vec::new();
        for subject in subjects {
            let Some(loaded) = self.subjects.get_mut(&subject) else { continue };
            let changed = loaded.iter_mut().filter_map(|(path, loaded)| {
                let file = files.get(path)?;
                let is_main = self.config.as_ref() == Some(path);
                // A missing module or main file could only be refused; a tenant's file may be removed.
                let counts = file.seen.is_some() || subject == WatchTarget::Config && !is_main;
                (counts && file.seen != *loaded).then_some((loaded, file))
            });
            let changed: Vec<_> = changed.collect();
            if !changed.is_empty() && changed.iter().all(|(_, file)| file.whole) {
                for (loaded, file) in changed {
                    *loaded = file.seen;
                }
                found.push(subject);
            }
        }
        found
    }

    /// Updates the list of the configuration's files, which may come and go.
    fn list_config(&mut self) {
        let Some(main) = &self.config else { return };
        let folder = config::folder_of_tenants(main);
        let mut files: BTreeSet<PathBuf> = config::files(main).into_iter().collect();
        // A file that is gone stays listed until its removal has been loaded.
        let known = self.subjects.get(&WatchTarget::Config).into_iter().flatten();
        files.extend(known.filter(|(_, loaded)| loaded.is_some()).map(|(path, _)| path.clone()));
        let tenants = folder.canonicalize().ok();
        let moved = self.queue.index(|index| std::mem::replace(&mut index.tenants, tenants.clone()) != tenants);
        let mut new: BTreeSet<_> = self.set(WatchTarget::Config, files).into_iter().collect();
        // The folder itself is not one of the files, but another one may replace it.
        new.extend((!self.files.contains_key(&folder)).then_some(folder));
        self.watch(&new);
        if moved {
            self.watch_folders();
        }
    }

    /// Sets the files of a target, and returns those that were not watched before.
    fn set(&mut self, subject: WatchTarget, now: BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let before = self.subjects.remove(&subject).unwrap_or_default();
        for gone in before.keys().filter(|path| !now.contains(*path)) {
            let Some(file) = self.files.get_mut(gone) else { continue };
            file.subjects.remove(&subject);
            if file.subjects.is_empty()
                && let Some(file) = self.files.remove(gone)
            {
                self.queue.index(|index| index.remove(gone, &file.points));
                self.folders.complete = false;
            }
        }
        let (mut loaded, mut new) = (BTreeMap::new(), Vec::new());
        for path in now {
            match self.files.get_mut(&path) {
                Some(file) => drop(file.subjects.insert(subject.clone())),
                None => {
                    self.files.insert(path.clone(), File::of(Some(subject.clone())));
                    new.push(path.clone());
                }
            }
            let mark = match before.get(&path) {
                Some(loaded) => *loaded,
                // Without a state from before loading, the digest shows whether the file changed since it was loaded.
                None => self.at_start.remove(&path).flatten(),
            };
            loaded.insert(path, mark);
        }
        if !loaded.is_empty() {
            self.subjects.insert(subject, loaded);
        }
        new
    }

    /// Starts watching these files.
    fn watch(&mut self, new: &BTreeSet<PathBuf>) {
        for path in new {
            self.files.entry(path.clone()).or_insert_with(|| File::of(None));
        }
        self.follow(new);
        // Checked only now that all further changes are reported.
        for path in new {
            if let Some(file) = self.files.get_mut(path) {
                file.refresh(path);
            }
        }
    }

    /// Resolves these paths again, and watches the paths that they depend on.
    fn follow(&mut self, paths: &BTreeSet<PathBuf>) {
        for _ in 0..FOLLOWED {
            let mut changed = false;
            for path in paths {
                let Some(file) = self.files.get_mut(path) else { continue };
                let points = points::of(path);
                if points != file.points {
                    self.queue.index(|index| {
                        index.remove(path, &file.points);
                        index.add(path, &points);
                    });
                    file.points = points;
                    changed = true;
                }
            }
            if changed || !self.folders.complete {
                self.watch_folders();
            }
            // A path may have changed before it was watched, so resolve it once more.
            if !changed {
                return;
            }
        }
    }

    fn watch_folders(&mut self) {
        let wanted = self.queue.index(|index| index.folders());
        self.folders.keep(&wanted);
    }
}

impl File {
    fn of(subject: Option<WatchTarget>) -> File {
        let points = BTreeSet::new();
        File { subjects: subject.into_iter().collect(), points, seen: None, since: Instant::now(), whole: false }
    }

    /// Updates the state of the file, and returns whether it changed.
    fn refresh(&mut self, path: &Path) -> bool {
        let now = mark(path);
        let changed = now != self.seen;
        if changed {
            (self.seen, self.since, self.whole) = (now, Instant::now(), false);
        }
        changed
    }
}

fn mark(path: &Path) -> Mark {
    let about = std::fs::metadata(path).ok()?;
    let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
    Some((
        about.dev(),
        about.ino(),
        about.len(),
        nanoseconds(about.mtime(), about.mtime_nsec()),
        nanoseconds(about.ctime(), about.ctime_nsec()),
    ))
}
