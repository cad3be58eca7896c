//! Which files are watched, what they were when they were loaded, and what is to be loaded again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pointsman_rules::config::{self, Config, TenantConfig};

use crate::release::tests_beside;
use crate::server::watch::folders::Folders;
use crate::server::watch::points;
use crate::server::watch::told::{Change, Told};
use crate::tenant::Tenant;

/// A file that did not change for so long is whole, if the system does not tell: a little less than a look takes to
/// come again.
const STEADY: Duration = Duration::from_millis(900);

/// How often a way is followed that changes meanwhile, before the next look is waited for.
const FOLLOWED: usize = 3;

/// What tells one content of a file from another, without reading it. None: there is no file.
pub type Mark = Option<(u64, u64, u64, i64, i64)>;

/// The files of a configuration's modules, and its own if it is given; to be taken before they are loaded.
pub fn marks(config: &Config, own: Option<&Path>) -> HashMap<PathBuf, Mark> {
    let own = own.map(config::files).unwrap_or_default();
    config.tenants.iter().flat_map(files_of).chain(own).map(|path| (path.clone(), mark(&path))).collect()
}

/// What makes a new version of a tenant when it changes.
fn files_of(tenant: &TenantConfig) -> impl Iterator<Item = PathBuf> {
    tenant.modules.iter().flat_map(|module| [module.path.clone(), tests_beside(&module.path)])
}

/// What is loaded as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Config,
    /// By its name.
    Tenant(String),
}

pub struct Files {
    told: Arc<Told>,
    folders: Folders,
    files: BTreeMap<PathBuf, File>,
    /// The files of each, and what was loaded of them, or is being loaded.
    subjects: BTreeMap<Subject, BTreeMap<PathBuf, Mark>>,
    /// Files that it was not looked at yet, as they were before they were loaded.
    at_start: HashMap<PathBuf, Mark>,
    /// The configuration, if it is watched as well.
    config: Option<PathBuf>,
    /// Those whose files these are.
    tenants: Weak<BTreeMap<String, Arc<Tenant>>>,
}

struct File {
    subjects: BTreeSet<Subject>,
    /// On what it depends which file this is.
    points: BTreeSet<PathBuf>,
    /// What was there when it was looked last, and since when.
    seen: Mark,
    since: Instant,
    /// Whether that is all that was to be written.
    whole: bool,
}

impl Files {
    pub fn new(told: Arc<Told>, folders: Folders, at_start: HashMap<PathBuf, Mark>, config: Option<PathBuf>) -> Files {
        let (files, subjects) = (BTreeMap::new(), BTreeMap::new());
        Files { told, folders, files, subjects, at_start, config, tenants: Weak::new() }
    }

    /// Watches the files of these tenants, and no others.
    pub fn set_tenants(&mut self, tenants: &Arc<BTreeMap<String, Arc<Tenant>>>) {
        if self.tenants.ptr_eq(&Arc::downgrade(tenants)) {
            return;
        }
        self.tenants = Arc::downgrade(tenants);
        let before: Vec<_> = self.subjects.keys().filter(|subject| **subject != Subject::Config).cloned().collect();
        let mut subjects: BTreeMap<_, BTreeSet<_>> = before.into_iter().map(|gone| (gone, BTreeSet::new())).collect();
        for (name, tenant) in tenants.iter() {
            subjects.insert(Subject::Tenant(name.clone()), files_of(&tenant.config).collect());
        }
        let mut new = BTreeSet::new();
        for (subject, files) in subjects {
            new.extend(self.set(subject, files));
        }
        self.watch(&new);
    }

    /// Has the system tell of all folders anew, from the next look on.
    pub fn watch_anew(&mut self) {
        self.folders.forget(Path::new("/"));
    }

    /// Looks at the files that this may have changed; what is to be loaded for it.
    pub fn told(&mut self, changes: &BTreeMap<PathBuf, Change>) -> Vec<Subject> {
        if changes.is_empty() {
            return Vec::new();
        }
        // It may be a folder, in whose place there is another one.
        changes.keys().for_each(|path| self.folders.forget(path));
        self.list_config();
        let mut concerned: BTreeMap<PathBuf, Change> = BTreeMap::new();
        self.told.index(|index| {
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
            file.look(path);
            file.whole |= *change == Change::Done;
            subjects.extend(file.subjects.iter().cloned());
        }
        // All files of a subject are read: none of them may be half written.
        let others: BTreeSet<_> = subjects.iter().filter_map(|subject| self.subjects.get(subject)).flatten().collect();
        for (path, _) in others {
            if let Some(file) = self.files.get_mut(path) {
                file.look(path);
            }
        }
        self.ready(subjects)
    }

    /// Looks at all files; what is to be loaded, and did not change since the last look.
    pub fn look(&mut self) -> Vec<Subject> {
        self.list_config();
        self.folders.forget_replaced();
        let mut changed = BTreeSet::new();
        for (path, file) in &mut self.files {
            if file.look(path) {
                changed.insert(path.clone());
            } else if file.since.elapsed() >= STEADY {
                file.whole = true;
            }
        }
        self.follow(&changed);
        self.ready(self.subjects.keys().cloned().collect())
    }

    /// Those of which a file changed, and none is half written.
    fn ready(&mut self, subjects: BTreeSet<Subject>) -> Vec<Subject> {
        let files = &self.files;
        let mut found = Vec::new();
        for subject in subjects {
            let Some(loaded) = self.subjects.get_mut(&subject) else { continue };
            let changed = loaded.iter_mut().filter_map(|(path, loaded)| {
                let file = files.get(path)?;
                let is_main = self.config.as_ref() == Some(path);
                // A module that is gone, or the main file, could only be refused; a tenant may go.
                let counts = file.seen.is_some() || subject == Subject::Config && !is_main;
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

    /// The files of the configuration may come and go.
    fn list_config(&mut self) {
        let Some(main) = &self.config else { return };
        let folder = config::folder_of_tenants(main);
        let mut files: BTreeSet<PathBuf> = config::files(main).into_iter().collect();
        // One that is gone stays until that was loaded.
        let known = self.subjects.get(&Subject::Config).into_iter().flatten();
        files.extend(known.filter(|(_, loaded)| loaded.is_some()).map(|(path, _)| path.clone()));
        let tenants = folder.canonicalize().ok();
        let moved = self.told.index(|index| std::mem::replace(&mut index.tenants, tenants.clone()) != tenants);
        let mut new: BTreeSet<_> = self.set(Subject::Config, files).into_iter().collect();
        // The folder itself is none of them, but another one may take its place.
        new.extend((!self.files.contains_key(&folder)).then_some(folder));
        self.watch(&new);
        if moved {
            self.watch_folders();
        }
    }

    /// Has a subject consist of these files; those of them that nobody watches yet.
    fn set(&mut self, subject: Subject, now: BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let before = self.subjects.remove(&subject).unwrap_or_default();
        for gone in before.keys().filter(|path| !now.contains(*path)) {
            let Some(file) = self.files.get_mut(gone) else { continue };
            file.subjects.remove(&subject);
            if file.subjects.is_empty()
                && let Some(file) = self.files.remove(gone)
            {
                self.told.index(|index| index.remove(gone, &file.points));
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
                // Without a mark its digest will tell whether it changed since it was loaded.
                None => self.at_start.remove(&path).flatten(),
            };
            loaded.insert(path, mark);
        }
        if !loaded.is_empty() {
            self.subjects.insert(subject, loaded);
        }
        new
    }

    /// Has the system tell of these from now on.
    fn watch(&mut self, new: &BTreeSet<PathBuf>) {
        for path in new {
            self.files.entry(path.clone()).or_insert_with(|| File::of(None));
        }
        self.follow(new);
        // Only now, that all changes from here on are told.
        for path in new {
            if let Some(file) = self.files.get_mut(path) {
                file.look(path);
            }
        }
    }

    /// Finds out again on what these files depend, and has the system tell of it.
    fn follow(&mut self, paths: &BTreeSet<PathBuf>) {
        for _ in 0..FOLLOWED {
            let mut changed = false;
            for path in paths {
                let Some(file) = self.files.get_mut(path) else { continue };
                let points = points::of(path);
                if points != file.points {
                    self.told.index(|index| {
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
            // What was not told of yet may have changed before it was.
            if !changed {
                return;
            }
        }
    }

    fn watch_folders(&mut self) {
        let wanted = self.told.index(|index| index.folders());
        self.folders.keep(&wanted);
    }
}

impl File {
    fn of(subject: Option<Subject>) -> File {
        let points = BTreeSet::new();
        File { subjects: subject.into_iter().collect(), points, seen: None, since: Instant::now(), whole: false }
    }

    /// Whether it is another one than it was.
    fn look(&mut self, path: &Path) -> bool {
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
