//! Tests of a store whose instance can be rewound, and the setting that other tests share.

use wasmtime::component::{Component, Instance, Linker, TypedFunc};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::*;
use crate::memory::tests::refuse;
use crate::memory::{Memories, PAGE_BYTES, add_to_linker};
use crate::{SELECT_PEER, instrument};

#[derive(Default)]
pub struct Data {
    memories: Memories,
}

impl HasMemories for Data {
    fn memories(&self) -> &Memories {
        &self.memories
    }

    fn memories_mut(&mut self) -> &mut Memories {
        &mut self.memories
    }
}

/// Writes a byte of its memory, at the address that it is given, and returns the previous value.
const WRITES: &str = r#"(component
        (core module $m (memory (export "memory") 1)
          (func (export "f") (param i32) (result i32)
            (i32.load8_u (local.get 0)) (i32.store8 (local.get 0) (i32.const 7))))
        (core instance $i (instantiate $m))
        (func (export "select-peer") (param "request" u32) (result u32) (canon lift (core func $i "f"))))"#;

pub struct Setting {
    engine: FixedMemoryEngine,
    linker: Linker<Data>,
    component: Component,
}

pub fn setting() -> Setting {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_memories(4).total_component_instances(4).total_core_instances(8);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = FixedMemoryEngine::new(&mut config).expect("an engine");
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker).expect("it is linked once");
    let component = instrument(&wat::parse_str(WRITES).expect("WAT")).expect("it can be rewound");
    let component = Component::new(&engine, component).expect("a component");
    Setting { engine, linker, component }
}

pub type Decide = TypedFunc<(u32, bool), (u32,)>;

pub fn instance(setting: &Setting) -> (RewindableStore<Data>, Instance, Decide) {
    let mut store = RewindableStore::new(&setting.engine, Data::default(), |_| {});
    let instance = setting.linker.instantiate(&mut store, &setting.component).expect("an instance");
    let decide = instance.get_typed_func(&mut store, SELECT_PEER).expect("the added function");
    (store, instance, decide)
}

pub fn write(store: &mut RewindableStore<Data>, decide: Decide, address: u32) -> wasmtime::Result<u32> {
    store.call(decide, (address, true)).map(|(before,)| before)
}

fn at(page: usize) -> u32 {
    u32::try_from(page * PAGE_BYTES).expect("an address")
}

fn page(page: usize) -> PagePlace {
    PagePlace { memory: 0, page }
}

#[test]
fn write_to_a_protected_page_ends_the_protection_and_nothing_else() {
    let setting = setting();
    let (mut store, _, decide) = instance(&setting);
    store.protect(vec![FreshPage { place: page(2), content: None }]);
    assert_eq!(store.protection(), Protection::On);
    write(&mut store, decide, at(2)).expect("it is writable");
    assert!(store.put_back_writable(), "it is still protected");
    let errno = nix::errno::Errno::EXDEV;
    errno.set();
    assert_eq!(write(&mut store, decide, at(2)).expect("it is writable"), 0, "it is restored");
    write(&mut store, decide, at(5)).expect("the protection ends");
    assert_eq!(nix::errno::Errno::last(), errno, "a signal handler leaves `errno` alone");
    assert!(!store.put_back_writable());
    assert_eq!(store.page(page(5)).expect("a page")[0], 7);
}

#[test]
fn access_beyond_the_memory_is_a_trap_also_while_pages_are_protected() {
    let setting = setting();
    let (mut store, _, decide) = instance(&setting);
    store.protect(Vec::new());
    let error = write(&mut store, decide, 65_536).expect_err("there is no such byte");
    assert!(matches!(error.downcast_ref(), Some(wasmtime::Trap::MemoryOutOfBounds)), "{error:?}");
}

/// A function of the host returns a string, which Wasmtime copies into the guest's memory: Wasmtime asks the
/// handler about its own faults as well. If the host copies before it calls, no page is protected.
#[test]
fn host_can_copy_into_a_protected_page() {
    let text = r#"(component
            (import "text" (func $text (result string)))
            (core module $libc (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192)))
            (core instance $libc (instantiate $libc))
            (core func $text (canon lower (func $text) (memory $libc "memory") (realloc (func $libc "realloc"))))
            (core module $m
              (import "host" "text" (func $text (param i32)))
              (import "libc" "memory" (memory 1))
              (func (export "f") (param i32) (result i32) (call $text (i32.const 64)) (i32.load8_u (i32.const 8192)))
              (func (export "take") (param i32 i32) (result i32) (i32.load8_u (local.get 0))))
            (core instance $i (instantiate $m
              (with "libc" (instance $libc)) (with "host" (instance (export "text" (func $text))))))
            (func (export "select-peer") (param "request" u32) (result u32) (canon lift (core func $i "f")))
            (func (export "take") (param "text" string) (result u32)
              (canon lift (core func $i "take") (memory $libc "memory") (realloc (func $libc "realloc")))))"#;
    let mut setting = setting();
    setting.linker.root().func_wrap("text", |_, (): ()| Ok(("A".to_owned(),))).expect("it is linked once");
    let component = instrument(&wat::parse_str(text).expect("WAT")).expect("it can be rewound");
    setting.component = Component::new(&setting.engine, component).expect("a component");
    let (mut store, instance, decide) = instance(&setting);
    let take: TypedFunc<(&str,), (u32,)> = instance.get_typed_func(&mut store, "take").expect("a function");
    store.protect(vec![FreshPage { place: page(0), content: None }]);
    assert_eq!(write(&mut store, decide, 0).expect("it is copied"), 65);
    assert!(!store.put_back_writable());
    store.protect(Vec::new());
    assert_eq!(take.call(&mut store, ("B",)).expect("it is copied"), (66,));
}

/// Linux may refuse to make pages writable (ENOMEM): the decision fails, then the slot is lost, never the process.
#[test]
fn slot_is_given_up_if_its_memory_stays_read_only() {
    let setting = setting();
    for round in 0..3 {
        let (mut store, _, decide) = instance(&setting);
        store.protect(Vec::new());
        refuse(true);
        assert!(write(&mut store, decide, 0).is_err(), "round {round}");
        drop(store);
        refuse(false);
    }
    // The pool had four slots.
    let (mut store, _, decide) = instance(&setting);
    assert_eq!(write(&mut store, decide, 0).expect("a slot that was not lost"), 0);
    let mut other = RewindableStore::new(&setting.engine, Data::default(), |_| {});
    assert!(setting.linker.instantiate(&mut other, &setting.component).is_err(), "all others are lost");
}

/// Nobody knows which pages such an instance wrote.
#[test]
fn instance_whose_protection_is_unknown_is_not_rewound() {
    let setting = setting();
    let (mut store, _, decide) = instance(&setting);
    write(&mut store, decide, at(5)).expect("it is writable");
    store.protect(Vec::new());
    refuse(true);
    assert!(store.as_context_mut().data().memories.of_store(0).is_none());
    assert_eq!(store.protection(), Protection::Unknown);
    assert!(!store.put_back_writable());
    assert!(Pagemap::of_process().is_none_or(|pagemap| !store.written(pagemap, |_| {})));
    refuse(false);
    store.as_context_mut();
    assert_eq!(store.protection(), Protection::Off);
}

#[test]
fn memories_of_another_store_are_not_touched() {
    let setting = setting();
    let (mut one, _, decide) = instance(&setting);
    let (mut two, _, _) = instance(&setting);
    assert!(one.page(page(0)).is_some() && two.page(page(0)).is_some());
    std::mem::swap(one.data_mut(), two.data_mut());
    assert!(one.page(page(0)).is_none() && two.page(page(0)).is_none());
    one.put_back(&[FreshPage { place: page(0), content: None }]);
    std::mem::swap(one.data_mut(), two.data_mut());
    write(&mut one, decide, 0).expect("it is writable");
    two.put_back(&[FreshPage { place: page(0), content: None }]);
    assert_eq!(one.page(page(0)).expect("its own")[0], 7);
    // An instance that reports to the data of another store gives that store no memory.
    let mut three = RewindableStore::new(&setting.engine, Data::default(), |_| {});
    let mut four = RewindableStore::new(&setting.engine, Data::default(), |_| {});
    std::mem::swap(three.data_mut(), four.data_mut());
    setting.linker.instantiate(&mut three, &setting.component).expect("an instance");
    std::mem::swap(three.data_mut(), four.data_mut());
    assert!(three.memories().is_none() && four.memories().is_none());
}

#[test]
fn written_pages_are_reported() {
    skip_without_rewinding!();
    let setting = setting();
    let (mut store, _, decide) = instance(&setting);
    for number in [9, 3] {
        write(&mut store, decide, at(number)).expect("it is writable");
    }
    let (pagemap, mut found) = (Pagemap::of_process().expect("it is available"), Vec::new());
    assert!(store.written(pagemap, |place| found.push(place.page)));
    assert_eq!(found, [3, 9]);
}
