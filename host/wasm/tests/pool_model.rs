//! The instance pool as a model: loom runs each case in every order in which its threads can take locks and see
//! counters, up to a number of switches away from a thread that could go on.
//!
//! It has a process of its own, since loom's threads take over the signals by which Wasmtime learns of faults. So it
//! compiles the product's files by their paths.

use std::cell::Cell;
use std::sync::atomic::AtomicIsize;

use loom::model::Builder;
use loom::thread;

use self::instances::{Instances, Reusable};
use self::pool::{InstancePool, PoolBudget, Poolable, Reservation};
use self::sync::{Arc, Ordering};

#[expect(dead_code, reason = "the cases use one of the policies")]
#[path = "../src/call/instances.rs"]
mod instances;
#[path = "../src/call/pool.rs"]
mod pool;

mod engine {
    /// The budget has room for two instances that take one slot each.
    pub const REWOUND_SLOTS: usize = 2;
}

/// As `call::sync`, but loom's. `Arc` and `Weak` are those of the standard library, since loom has no `Weak`: loom sees
/// no step of its own in taking or dropping a reference.
mod sync {
    use std::ops::{Deref, DerefMut};

    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub use std::sync::{Arc, Weak};

    use super::LOCKS;

    #[derive(Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    pub struct Guard<'a, T>(loom::sync::MutexGuard<'a, T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> Guard<'_, T> {
            let guard = Guard(self.0.lock().unwrap());
            LOCKS.with(|locks| locks.set(locks.get() + 1));
            guard
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            LOCKS.with(|locks| locks.set(locks.get() - 1));
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}

loom::thread_local! {
    /// Locks that this thread holds.
    static LOCKS: Cell<usize> = Cell::new(0);
}

/// Counts of all instances of a model; the test's own, so that they add no orders to it.
#[derive(Default)]
struct Counts {
    alive: AtomicIsize,
    reserved: AtomicIsize,
}

/// An instance that checks what its pool does with it.
struct Probe {
    counts: Arc<Counts>,
    reservation: Option<Reservation<Probe>>,
}

impl Probe {
    fn new(counts: &Arc<Counts>) -> Probe {
        counts.alive.fetch_add(1, Ordering::SeqCst);
        Probe { counts: counts.clone(), reservation: None }
    }
}

impl Poolable for Probe {
    fn initial_memory(&self) -> usize {
        65_536
    }

    fn has_reservation(&self) -> bool {
        self.reservation.is_some()
    }

    fn set_reservation(&mut self, reservation: Reservation<Probe>) {
        let reserved = self.counts.reserved.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(reserved <= 2, "{reserved} instances have a share of a budget for two");
        self.reservation = Some(reservation);
    }
}

impl Reusable for Probe {
    fn may_be_reused(&self, _: u32, _: usize) -> bool {
        true
    }

    fn may_be_rewound(&self) -> bool {
        true
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let locks = LOCKS.with(Cell::get);
        assert_eq!(locks, 0, "an instance is dropped while a lock is held");
        self.counts.alive.fetch_sub(1, Ordering::SeqCst);
        if self.reservation.is_some() {
            self.counts.reserved.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// The instances of modules that share a budget.
struct Model {
    budget: Arc<PoolBudget<Probe>>,
    counts: Arc<Counts>,
}

impl Model {
    /// A module whose instances have this many memories.
    fn module(&self, memories: u32) -> Arc<Instances<Probe>> {
        Arc::new(Instances::rewound(InstancePool::new(&self.budget, memories, 1)))
    }

    /// As a decision does it: with an instance of the pool, or with a new one.
    fn decide(&self, module: &Instances<Probe>) {
        let live = module.take().unwrap_or_else(|| Probe::new(&self.counts));
        module.keep(live, usize::MAX);
    }

    fn alive(&self) -> isize {
        self.counts.alive.load(Ordering::SeqCst)
    }

    /// Whether the whole budget can be had by one instance. It can unless a share was lost, or instances are idle that
    /// nobody can evict.
    fn is_free(&self) -> bool {
        let module = self.module(2);
        self.decide(&module);
        module.take().is_some()
    }
}

#[track_caller]
fn check(switches: usize, case: impl Fn(Arc<Model>) + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(move || case(Arc::new(Model { budget: Arc::default(), counts: Arc::default() })));
}

/// Starts a thread that decides once for each of these modules.
fn deciding(model: &Arc<Model>, modules: &[&Arc<Instances<Probe>>]) -> thread::JoinHandle<()> {
    let (model, modules) = (model.clone(), modules.iter().map(|module| Arc::clone(module)).collect::<Vec<_>>());
    thread::spawn(move || modules.iter().for_each(|module| model.decide(module)))
}

#[test]
fn modules_share_the_budget_and_evict_each_other() {
    // With three it takes ten times as long.
    check(2, |model| {
        let [a, b, c] = [(); 3].map(|()| model.module(1));
        let other = deciding(&model, &[&b, &c]);
        [&a, &c].into_iter().for_each(|module| model.decide(module));
        other.join().unwrap();
        assert!(model.is_free());
        assert_eq!(model.alive(), 0, "the instance that took all of the budget evicted the others");
    });
}

#[test]
fn module_that_stops_serving_keeps_no_instance() {
    check(6, |model| {
        let module = model.module(1);
        model.decide(&module);
        let other = deciding(&model, &[&module]);
        module.keep_any(false);
        other.join().unwrap();
        assert_eq!(model.alive(), 0);
        assert!(model.is_free());
    });
}

#[test]
fn module_may_go_while_its_instances_are_evicted() {
    check(6, |model| {
        let [a, b] = [(); 2].map(|()| model.module(1));
        [(); 2].map(|()| Probe::new(&model.counts)).into_iter().for_each(|live| a.keep(live, usize::MAX));
        let other = deciding(&model, &[&b]);
        drop(a);
        other.join().unwrap();
        assert_eq!(model.alive(), isize::from(b.take().is_some()), "all that is left is in the pool of `b`");
        drop(b);
        assert!(model.is_free());
    });
}
