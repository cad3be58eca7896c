//! What the system tells of files, until the thread that watches them has taken it.
//!
//! It tells more than anybody asked for, and as fast as who writes files likes. What is kept is bounded: the paths on
//! which a watched file depends, each once.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use notify::Event;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use parking_lot::Mutex;

use crate::server::watch::points::Index;

/// Paths that are kept. More than this at once, and all files are looked at.
const MOST: usize = 4_096;

/// What happened at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is gone, or a folder that may be filled now.
    Begun,
    /// What is there now is whole: it was put there at once, or closed by who wrote it.
    Done,
}

/// Since it was asked last.
#[derive(Debug, Default)]
pub struct News {
    pub changes: BTreeMap<PathBuf, Change>,
    /// Something was lost: any file may have changed.
    pub any: bool,
}

pub struct Told {
    state: Mutex<State>,
    wake: SyncSender<()>,
}

#[derive(Default)]
struct State {
    /// What is of interest.
    index: Index,
    news: News,
}

impl Told {
    /// With what wakes the thread that is to take what was told.
    pub fn new() -> (Told, Receiver<()>) {
        // One is enough: who is woken takes all that there is.
        let (wake, woken) = sync_channel(1);
        (Told { state: Mutex::default(), wake }, woken)
    }

    /// What was told, and is not told again.
    pub fn take(&self) -> News {
        std::mem::take(&mut self.state.lock().news)
    }

    /// Changes what is of interest, or asks for it.
    pub fn index<R>(&self, work: impl FnOnce(&mut Index) -> R) -> R {
        work(&mut self.state.lock().index)
    }

    /// Called for each event, on a thread that must not wait: what it does not take soon, the system loses.
    pub fn hear(&self, event: notify::Result<Event>) {
        // An error, or the system's own queue was full.
        let Some(event) = event.ok().filter(|event| !event.need_rescan()) else {
            self.state.lock().news.any = true;
            self.wake();
            return;
        };
        for path in &event.paths {
            let of_interest = self.state.lock().index.is_of_interest(path);
            if let Some(change) = of_interest.then(|| change(event.kind, path)).flatten() {
                self.state.lock().note(path, change);
                self.wake();
            }
        }
    }

    fn wake(&self) {
        // Full, it is about to be woken; disconnected, it is gone.
        let _ = self.wake.try_send(());
    }
}

impl State {
    fn note(&mut self, path: &Path, change: Change) {
        let News { changes, any } = &mut self.news;
        if let Some(noted) = changes.get_mut(path) {
            *noted = (*noted).max(change);
        } else if changes.len() < MOST {
            changes.insert(path.to_owned(), change);
        } else {
            *any = true;
        }
    }
}

/// What an event says of a path. None: nothing, or another one will.
fn change(kind: EventKind, path: &Path) -> Option<Change> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Change::Done),
        // Both ends are told one by one as well.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Change::Begun),
        EventKind::Modify(ModifyKind::Name(_)) => Some(Change::Done),
        EventKind::Create(_) => {
            let about = std::fs::symlink_metadata(path).ok()?;
            match about.is_dir() {
                true => Some(Change::Begun),
                // A file that is created is closed later; one that has another name already may never be.
                false => (about.is_symlink() || about.nlink() > 1).then_some(Change::Done),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use notify::event::{CreateKind, DataChange, Flag, RemoveKind};

    use super::*;

    /// Of interest: the file `/mods/a`, and tenants in `/tenants.d`.
    fn told() -> (Told, Receiver<()>) {
        let (told, woken) = Told::new();
        let points = BTreeSet::from(["/mods".into(), "/mods/a".into()]);
        told.index(|index| {
            index.add(Path::new("a"), &points);
            index.tenants = Some("/tenants.d".into());
        });
        (told, woken)
    }

    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(path.into()))
    }

    #[track_caller]
    fn check(kind: EventKind, path: &str, expected: Option<Change>) {
        let (told, woken) = told();
        told.hear(event(kind, path));
        let news = told.take();
        assert_eq!(news.changes.get(Path::new(path)).copied(), expected, "{kind:?} {path}");
        assert_eq!((news.changes.len(), news.any), (usize::from(expected.is_some()), false));
        assert_eq!(woken.try_recv().is_ok(), expected.is_some());
    }

    #[test]
    fn only_what_may_change_a_file_is_kept() {
        let renamed = |mode| EventKind::Modify(ModifyKind::Name(mode));
        check(CLOSED, "/mods/a", Some(Change::Done));
        check(CLOSED, "/mods/b", None);
        check(CLOSED, "/mods/a.new", None);
        check(CLOSED, "/other/a", None);
        check(renamed(RenameMode::To), "/mods/a", Some(Change::Done));
        check(renamed(RenameMode::To), "/mods", Some(Change::Done));
        check(renamed(RenameMode::From), "/mods", Some(Change::Begun));
        check(renamed(RenameMode::Both), "/mods/a", None);
        check(EventKind::Remove(RemoveKind::Any), "/mods", Some(Change::Begun));
        check(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/mods/a", None);
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/mods/a", None);
        // It is not there.
        check(EventKind::Create(CreateKind::File), "/mods/a", None);
        check(CLOSED, "/tenants.d/new.toml", Some(Change::Done));
        check(CLOSED, "/tenants.d/new.toml~", None);
        check(CLOSED, "/tenants.d/.new.toml", None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (told, woken) = told();
        for _ in 0..100_000 {
            told.hear(event(CLOSED, "/mods/a"));
            told.hear(event(CLOSED, "/mods/b"));
        }
        let news = told.take();
        assert_eq!((news.changes.len(), news.any), (1, false));
        for number in 0..MOST {
            told.hear(event(CLOSED, &format!("/tenants.d/{number}.toml")));
        }
        assert!(!told.state.lock().news.any);
        told.hear(event(CLOSED, "/mods/a"));
        let news = told.take();
        assert_eq!((news.changes.len(), news.any), (MOST, true));
        assert_eq!(woken.try_iter().count(), 1);
    }

    #[test]
    fn lost_events_concern_all_files() {
        let (told, woken) = told();
        told.hear(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(told.take().any && woken.try_recv().is_ok());
        told.hear(Err(notify::Error::generic("the queue is broken")));
        assert!(told.take().any && woken.try_recv().is_ok());
        assert!(!told.take().any);
    }
}
