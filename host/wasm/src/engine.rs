//! The Wasmtime engine: every setting and every ceiling of the sandbox, each with its reason.
//!
//! A tenant's own limits (`[tenant.limits]`) lie below these ceilings and are set on each store, in `call`.

use pointsman_rewind::FixedMemoryEngine;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Ceilings that hold for any tenant. `config` refuses limits above them.
pub mod ceiling {
    /// Linear memory of one memory, in bytes. Address space is reserved either way; this bounds what may be touched.
    pub const MEMORY_BYTES: usize = 256 * 1024 * 1024;
    /// Elements of one table. CPython and Go modules need about 5,800, StarlingMonkey 7,700.
    pub const TABLE_ELEMENTS: usize = 20_000;
    /// Core instances of one component. A CPython module has 38.
    pub const INSTANCES: usize = 100;
    /// Memories of one component. A QuickJS module has 3.
    pub const MEMORIES: u32 = 8;
    /// Tables of one component. A QuickJS module has 3.
    pub const TABLES: u32 = 16;
}

/// Instances that a tenant's own tests may have at the same time, beside those that serve traffic.
pub const SPARE_TO_TEST: usize = 2;

/// One for shadows, which decide on one thread, and one for `decide` and the like.
const SPARE_SLOTS: u32 = 2;

/// Memories, and tables, of all instances together that wait to be rewound. Small modules have two tables, so these are
/// 1,024 of them.
pub const REWOUND_SLOTS: usize = 2048;

/// Memory slots beyond those that can be in use at the same time, so that what a module left in one waits there for its
/// next decision: a slot that another module used last is mapped anew, with page faults after it. Measured with a
/// thousand modules in turn: 33 us a decision with 2,048, 56 without. Each has four of a process's 65,530 mappings, and
/// 4 GiB of its 128 TiB of address space. Those above serve as well while no instance has them.
const WARM_SLOTS: usize = 1024;

/// Memory mappings that the slots of all instances take together, as a rule: four each, and two where its pages are
/// protected. Those of instances that decide are few beside them.
pub const MOST_MAPPINGS: usize = 6 * (REWOUND_SLOTS + WARM_SLOTS);

/// Bytes of a memory slot that stay resident when an instance ends. The kernel tells which of its pages were written
/// (`PAGEMAP_SCAN`), and these alone are put back by hand; the rest of them costs nothing. Against 128 KiB that are all
/// put back by hand, Go's decision took 31 us for 165, StarlingMonkey's 241 for 464, and a small module's half a
/// microsecond more. A thousand modules in turn had 120 KiB each less in memory.
const KEPT_OF_WRITTEN: usize = 4 * 1024 * 1024;

/// The same where the kernel cannot tell (before Linux 6.7): all of a module that starts with a stack of 64 KiB and
/// 64 KiB more, as our SDKs build them. Such a decision makes no system call and no page fault: 8.4 us with it, 14.5
/// with half of it, 15.8 with none.
const KEPT_OF_ALL: usize = 128 * 1024;

/// The same for a table slot: 8,192 elements.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// The engine can't be made on this machine, for example because it has too little address space.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the Wasm engine: {0}")]
pub struct EngineError(String);

impl From<std::io::Error> for EngineError {
    fn from(error: std::io::Error) -> EngineError {
        EngineError(format!("its clock: {error}"))
    }
}

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> EngineError {
        EngineError(format!("{error:#}"))
    }
}

/// An engine for so many instances that decide at the same time, for those that wait to be rewound, and for so many
/// that are kept beside (`instance_calls`).
pub fn engine(fresh: usize, kept: usize) -> Result<FixedMemoryEngine, EngineError> {
    // Where address space is short, they are what can be done without.
    let slots = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let waiting = |warm| Waiting { rewound: slots(REWOUND_SLOTS), warm: slots(warm) };
    let make = |warm| make(fresh, kept, waiting(warm), Compile::OnAllCores);
    make(WARM_SLOTS).or_else(|_| make(0))
}

/// An engine that makes code for the one above.
pub fn engine_to_build(compile: Compile) -> Result<FixedMemoryEngine, EngineError> {
    make(1, 0, Waiting { rewound: 0, warm: 0 }, compile)
}

/// How many functions are compiled at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    /// Soonest done.
    OnAllCores,
    /// So that a build that takes long leaves cores to the traffic.
    OnOneCore,
}

/// Slots beside those of instances that decide.
#[derive(Clone, Copy)]
struct Waiting {
    rewound: u32,
    warm: u32,
}

fn make(fresh: usize, kept: usize, waiting: Waiting, compile: Compile) -> Result<FixedMemoryEngine, EngineError> {
    let mut config = Config::new();
    config
        .parallel_compilation(compile == Compile::OnAllCores)
        .wasm_component_model(true)
        // Decisions are synchronous calls; the machinery for concurrent ones costs 0.4 us a call.
        .concurrency_support(false)
        // Budgets: see `call::budget`.
        .epoch_interruption(true)
        // Nothing that a router needs, and each is attack surface.
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // The same decision from the same reads on any machine.
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        // A decision runs on a worker's own stack (2 MiB in Tokio); recursion beyond this traps.
        .max_wasm_stack(512 * 1024)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(fresh.saturating_add(kept), waiting)));
    FixedMemoryEngine::new(&mut config).map_err(|error| match kept {
        0 => error.into(),
        _ => EngineError(format!(
            "{error:#}; {kept} instances are to be kept for tenants with `instance_calls`, which take address space: \
             let fewer tenants keep any"
        )),
    })
}

/// A decision never waits, so there are at most as many instances that decide as threads; the others wait to be used
/// again.
fn pool(instances: usize, waiting: Waiting) -> PoolingAllocationConfig {
    // A `configure` that is called in this process needs an instance too; there is one build for each core at most.
    let builds = std::thread::available_parallelism().map_or(1, usize::from);
    let instances = instances.saturating_add(builds).saturating_add(SPARE_TO_TEST);
    let slots = u32::try_from(instances).unwrap_or(u32::MAX - SPARE_SLOTS).saturating_add(SPARE_SLOTS);
    // And the one that is added to see to rewinding.
    let instances = u32::try_from(ceiling::INSTANCES).unwrap_or(u32::MAX).saturating_add(1);
    let (scan, kept) = match PoolingAllocationConfig::is_pagemap_scan_available() {
        true => (Enabled::Yes, KEPT_OF_WRITTEN),
        false => (Enabled::No, KEPT_OF_ALL),
    };
    // One that waits to be rewound has a slot at least.
    let all = slots.saturating_add(waiting.rewound);
    let memories = waiting.rewound.saturating_add(waiting.warm);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(all)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(ceiling::MEMORIES)
        .max_tables_per_component(ceiling::TABLES)
        .total_core_instances(all.saturating_mul(instances))
        .total_memories(slots.saturating_mul(ceiling::MEMORIES).saturating_add(memories))
        .max_unused_warm_slots(memories)
        .total_tables(slots.saturating_mul(ceiling::TABLES).saturating_add(waiting.rewound))
        .max_memory_size(ceiling::MEMORY_BYTES)
        .table_elements(ceiling::TABLE_ELEMENTS)
        .max_memories_per_module(ceiling::MEMORIES)
        .max_tables_per_module(ceiling::TABLES)
        .pagemap_scan(scan)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(TABLE_KEEP_RESIDENT);
    pool
}

#[cfg(test)]
mod tests {
    use pointsman_rules::config::parse;
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::ceiling;

    /// As large as a module may be, in every slot at once. Slots of those that wait to be rewound serve as well.
    #[test]
    fn every_slot_takes_the_largest_module() {
        let instances = |module: &str, count: usize| format!("(core instance (instantiate ${module}))").repeat(count);
        let text = format!(
            "(component (core module $m (memory {})) (core module $t (table {} funcref)) (core module $e) {}{}{})",
            ceiling::MEMORY_BYTES / 65_536,
            ceiling::TABLE_ELEMENTS,
            instances("m", 8),
            instances("t", 16),
            instances("e", ceiling::INSTANCES - 24),
        );
        let engine = super::engine(2, 3).expect("an engine");
        let component = |text: &str| Component::new(&engine, wat::parse_str(text).expect("WAT")).expect("a component");
        let largest = component(&text);
        let linker = Linker::<()>::new(&engine);
        let instantiate = |component| {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(1);
            linker.instantiate(&mut store, component).map(|_| store)
        };
        let mut live = Vec::new();
        while let Ok(store) = instantiate(&largest) {
            live.push(store);
        }
        let builds = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(live.len(), 2 + 3 + builds + super::SPARE_TO_TEST + 2 + super::REWOUND_SLOTS / 16);
        assert!(instantiate(&largest).is_err_and(|error| error.is::<wasmtime::PoolConcurrencyLimitError>()));
        live.pop();
        assert!(instantiate(&largest).is_ok());
    }

    /// `config` is a room without Wasmtime, so it states the ceilings by itself.
    #[test]
    fn limits_end_at_the_ceilings() {
        let passes = |key: &str, value: usize| {
            let text = format!(
                "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:0\"\n[[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n\
                 [[tenant.module]]\npath = \"a.wasm\"\n[tenant.limits]\n{key} = {value}\n"
            );
            parse(&text, "pointsman.toml".as_ref()).is_ok()
        };
        for (key, ceiling) in [
            ("memory_mib", ceiling::MEMORY_BYTES / 1024 / 1024),
            ("table_elements", ceiling::TABLE_ELEMENTS),
            ("instances", ceiling::INSTANCES),
        ] {
            assert!(passes(key, ceiling) && !passes(key, ceiling + 1), "{key}");
        }
    }
}
