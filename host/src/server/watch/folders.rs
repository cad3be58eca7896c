//! The folders that the system watches.
//!
//! The system watches the folder that a path led to when it was registered. When that folder is deleted or replaced,
//! the new one must be registered again. The watch on the folder above reports most replacements; a scan finds the
//! rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// Device, inode and creation time. Tells a folder from its replacement: an inode alone is soon reused.
type Identity = (u64, u64, Option<SystemTime>);

pub struct Folders {
    /// None: the system cannot watch files.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    /// Whether a warning about a folder that cannot be watched was logged.
    warned: bool,
    /// Whether exactly the wanted folders are watched.
    pub complete: bool,
}

impl Folders {
    pub fn new(watcher: notify::Result<RecommendedWatcher>) -> Folders {
        if let Err(error) = &watcher {
            tracing::warn!(%error, "the system cannot report changed files: they are checked every second");
        }
        Folders { watcher: watcher.ok(), watched: BTreeMap::new(), warned: false, complete: false }
    }

    /// Watches these folders and no others. The paths contain no symlinks, so that no folder is watched under two
    /// names: the system would report its events under only one of them.
    pub fn keep(&mut self, wanted: &BTreeSet<PathBuf>) {
        self.complete = true;
        let Some(watcher) = &mut self.watcher else { return };
        self.watched.retain(|folder, _| {
            let keep = wanted.contains(folder);
            if !keep {
                // The watch may have ended with its folder.
                let _ = watcher.unwatch(folder);
            }
            keep
        });
        for folder in wanted {
            if self.watched.contains_key(folder) {
                continue;
            }
            // Taken before the watch starts: the next scan detects a folder that is replaced after this.
            let identity = identity(folder);
            match (watcher.watch(folder, RecursiveMode::NonRecursive), identity) {
                (Ok(()), Some(identity)) => drop(self.watched.insert(folder.clone(), identity)),
                // The folder appeared or vanished at this moment.
                (_, None) => self.complete = false,
                (Err(error), Some(_)) => {
                    self.complete = false;
                    if !std::mem::replace(&mut self.warned, true) {
                        let folder = folder.display();
                        tracing::warn!(
                            %folder,
                            %error,
                            "the system cannot report changes in this folder: it is checked every second"
                        );
                    }
                }
            }
        }
    }

    /// Drops the watches on a folder and everything in it, so that they are registered again.
    pub fn forget(&mut self, path: &Path) {
        let from = self.watched.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        let lost = from.map(|(folder, _)| folder).take_while(|folder| folder.starts_with(path));
        for folder in lost.cloned().collect::<Vec<_>>() {
            self.watched.remove(&folder);
            self.complete = false;
            if let Some(watcher) = &mut self.watcher {
                let _ = watcher.unwatch(&folder);
            }
        }
    }

    /// Drops the watches on folders that were replaced or removed.
    pub fn forget_replaced(&mut self) {
        let replaced: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(folder, known)| identity(folder).as_ref() != Some(*known))
            .map(|(folder, _)| folder.clone())
            .collect();
        replaced.iter().for_each(|folder| self.forget(folder));
    }
}

fn identity(folder: &Path) -> Option<Identity> {
    let about = std::fs::metadata(folder).ok()?;
    Some((about.dev(), about.ino(), about.created().ok()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use notify::Event;

    use super::*;

    fn folders() -> (Folders, Receiver<Event>) {
        let (sender, events) = channel();
        let forward = move |event: notify::Result<Event>| {
            let _ = sender.send(event.expect("an event"));
        };
        (Folders::new(RecommendedWatcher::new(forward, notify::Config::default())), events)
    }

    /// Waits for an event about this path.
    #[track_caller]
    fn expect_event(events: &Receiver<Event>, path: &Path) {
        while !events
            .recv_timeout(Duration::from_secs(20))
            .expect("an event")
            .paths
            .iter()
            .any(|event_path| event_path == path)
        {}
    }

    #[test]
    fn folder_that_replaces_another_is_watched() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().canonicalize().expect("its path").join("mods");
        let (mut folders, events) = folders();
        let wanted = BTreeSet::from([folder.clone()]);
        for round in 0..8 {
            std::fs::create_dir(&folder).expect("a folder");
            folders.forget_replaced();
            folders.keep(&wanted);
            let file = folder.join(format!("{round}"));
            std::fs::write(&file, "").expect("written");
            expect_event(&events, &file);
            if round % 2 == 0 {
                std::fs::remove_dir_all(&folder).expect("removed");
            } else {
                std::fs::rename(&folder, root.path().join(format!("old-{round}"))).expect("moved");
            }
        }
    }

    #[test]
    fn unwanted_folder_is_not_watched() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let path = |folder: &tempfile::TempDir| folder.path().canonicalize().expect("its path");
        let (mut folders, events) = folders();
        folders.keep(&BTreeSet::from([path(&one), path(&two)]));
        folders.keep(&BTreeSet::from([path(&two)]));
        std::fs::write(path(&one).join("a"), "").expect("written");
        std::fs::write(path(&two).join("b"), "").expect("written");
        let event = events.recv_timeout(Duration::from_secs(20)).expect("an event");
        assert_eq!(event.paths, [path(&two).join("b")], "nothing of the other one came first");
    }
}
