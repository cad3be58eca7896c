//! Bounded queue of file-system events for the watch thread.
//!
//! The system reports more events than the watch needs, as fast as files are written. The queue keeps only the paths on
//! which a watched file depends, each once.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use notify::Event;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use parking_lot::Mutex;

use crate::server::watch::points::Index;

/// Maximum number of queued paths. Beyond it, the watch scans all files.
const MOST: usize = 4_096;

/// The kind of change at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The path was removed, or is a folder that may still be filling.
    Begun,
    /// The content is complete: it was moved into place, or its writer closed it.
    Done,
}

/// The events since the last [`EventQueue::take`].
#[derive(Debug, Default)]
pub struct Events {
    pub changes: BTreeMap<PathBuf, Change>,
    /// Events were lost: any file may have changed.
    pub any: bool,
}

pub struct EventQueue {
    state: Mutex<State>,
    wake: SyncSender<()>,
}

#[derive(Default)]
struct State {
    /// The paths of interest.
    index: Index,
    events: Events,
}

impl EventQueue {
    /// Creates a queue, and the receiver that wakes the thread that takes its events.
    pub fn new() -> (EventQueue, Receiver<()>) {
        // One slot is enough: the woken thread takes all queued events.
        let (wake, woken) = sync_channel(1);
        (EventQueue { state: Mutex::default(), wake }, woken)
    }

    /// Takes all queued events.
    pub fn take(&self) -> Events {
        std::mem::take(&mut self.state.lock().events)
    }

    /// Reads or updates the paths of interest.
    pub fn index<R>(&self, work: impl FnOnce(&mut Index) -> R) -> R {
        work(&mut self.state.lock().index)
    }

    /// Called for each event, on a thread that must not block: the system drops events that it does not take soon.
    pub fn push(&self, event: notify::Result<Event>) {
        // An error, or the system's own queue overflowed.
        let Some(event) = event.ok().filter(|event| !event.need_rescan()) else {
            self.state.lock().events.any = true;
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
        // Full: the thread is about to wake. Disconnected: the thread has ended.
        let _ = self.wake.try_send(());
    }
}

impl State {
    fn note(&mut self, path: &Path, change: Change) {
        let Events { changes, any } = &mut self.events;
        if let Some(queued) = changes.get_mut(path) {
            *queued = (*queued).max(change);
        } else if changes.len() < MOST {
            changes.insert(path.to_owned(), change);
        } else {
            *any = true;
        }
    }
}

/// The change that an event means for a path. None: no change, or another event follows that says so.
fn change(kind: EventKind, path: &Path) -> Option<Change> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Change::Done),
        // The system also sends one event for each end of the rename.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Change::Begun),
        EventKind::Modify(ModifyKind::Name(_)) => Some(Change::Done),
        EventKind::Create(_) => {
            let about = std::fs::symlink_metadata(path).ok()?;
            match about.is_dir() {
                true => Some(Change::Begun),
                // A new file is closed later; a file with another hard link already may never be.
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

    /// A queue with two interests: the file `/mods/a`, and tenants in `/tenants.d`.
    fn indexed_queue() -> (EventQueue, Receiver<()>) {
        let (queue, woken) = EventQueue::new();
        let points = BTreeSet::from(["/mods".into(), "/mods/a".into()]);
        queue.index(|index| {
            index.add(Path::new("a"), &points);
            index.tenants = Some("/tenants.d".into());
        });
        (queue, woken)
    }

    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(path.into()))
    }

    #[track_caller]
    fn check(kind: EventKind, path: &str, expected: Option<Change>) {
        let (queue, woken) = indexed_queue();
        queue.push(event(kind, path));
        let events = queue.take();
        assert_eq!(events.changes.get(Path::new(path)).copied(), expected, "{kind:?} {path}");
        assert_eq!((events.changes.len(), events.any), (usize::from(expected.is_some()), false));
        assert_eq!(woken.try_recv().is_ok(), expected.is_some());
    }

    #[test]
    fn only_events_that_may_change_a_file_are_queued() {
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
        // The file does not exist.
        check(EventKind::Create(CreateKind::File), "/mods/a", None);
        check(CLOSED, "/tenants.d/new.toml", Some(Change::Done));
        check(CLOSED, "/tenants.d/new.toml~", None);
        check(CLOSED, "/tenants.d/.new.toml", None);
    }

    #[test]
    fn event_queue_is_bounded() {
        let (queue, woken) = indexed_queue();
        for _ in 0..100_000 {
            queue.push(event(CLOSED, "/mods/a"));
            queue.push(event(CLOSED, "/mods/b"));
        }
        let events = queue.take();
        assert_eq!((events.changes.len(), events.any), (1, false));
        for number in 0..MOST {
            queue.push(event(CLOSED, &format!("/tenants.d/{number}.toml")));
        }
        assert!(!queue.state.lock().events.any);
        queue.push(event(CLOSED, "/mods/a"));
        let events = queue.take();
        assert_eq!((events.changes.len(), events.any), (MOST, true));
        assert_eq!(woken.try_iter().count(), 1);
    }

    #[test]
    fn lost_events_concern_all_files() {
        let (queue, woken) = indexed_queue();
        queue.push(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(queue.take().any && woken.try_recv().is_ok());
        queue.push(Err(notify::Error::generic("the queue is broken")));
        assert!(queue.take().any && woken.try_recv().is_ok());
        assert!(!queue.take().any);
    }
}
