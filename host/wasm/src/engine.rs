//! The Wasmtime engine: every setting and every ceiling of the sandbox, each with its reason.
//!
//! A tenant's own limits (`[tenant.limits]`) lie below these ceilings and are set on each store, in `call`.

use pointsman_rewind::FixedMemoryEngine;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

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

/// Instances that a tenant's own tests may have at the same time, in addition to those that serve traffic.
pub const SPARE_TO_TEST: usize = 2;

/// One slot for shadow decisions, which run on one thread, and one for `decide` and similar commands.
const SPARE_SLOTS: u32 = 2;

/// Memory slots, and as many table slots, for all instances together that wait in pools to be rewound. Small modules
/// have two tables, so this is room for 1,024 of them.
pub const REWOUND_SLOTS: usize = 2048;

/// Memory slots beyond those that can be in use at the same time, so that the memory image of a module stays mapped in
/// a slot until its next decision: a slot that another module used last has to be mapped again, with page faults after
/// that. Measured with a thousand modules called in turn: 33 us a decision with 2,048 slots, 56 us without. Each slot
/// takes four of a process's 65,530 mappings, and 4 GiB of its 128 TiB of address space. The [`REWOUND_SLOTS`] serve
/// this purpose as well while no instance occupies them.
const WARM_SLOTS: usize = 1024;

/// Memory mappings that the slots of all pooled instances usually take together: four each, and two more if pages are
/// protected. The mappings of instances that decide are few in comparison.
pub const MOST_MAPPINGS: usize = 6 * (REWOUND_SLOTS + WARM_SLOTS);

/// Bytes of a memory slot that stay resident when an instance ends. The kernel reports which of its pages were written
/// (`PAGEMAP_SCAN`), and Wasmtime resets only these by copying; the other pages cost nothing. Compared with 128 KiB
/// that are always reset by copying, a Go decision took 31 us instead of 165, StarlingMonkey's 241 instead of 464, and
/// a small module's half a microsecond more. A thousand modules called in turn had 120 KiB less in memory each.
const KEPT_OF_WRITTEN: usize = 4 * 1024 * 1024;

/// The same if the kernel does not report written pages (before Linux 6.7). It covers a whole module that starts with a
/// stack of 64 KiB and 64 KiB more, as our SDKs build them. A decision of such a module makes no system call and no
/// page fault: it takes 8.4 us with this value, 14.5 us with half of it, 15.8 us with 0.
const KEPT_OF_ALL: usize = 128 * 1024;

/// The same for a table slot: 8,192 elements.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// The engine can't be created on this machine, for example because it has too little address space.
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

/// An engine for `fresh` instances that decide at the same time, for those that wait to be rewound, and for `kept` more
/// that are kept for reuse (`instance_calls`).
pub fn engine(fresh: usize, kept: usize, debug_info: DebugInfo) -> Result<FixedMemoryEngine, EngineError> {
    // Where address space is short, the warm slots can be done without.
    let slots = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let waiting = |warm| Waiting { rewound: slots(REWOUND_SLOTS), warm: slots(warm) };
    let make = |warm| make(fresh, kept, waiting(warm), Compile::OnAllCores, debug_info);
    make(WARM_SLOTS).or_else(|_| make(0))
}

/// An engine that compiles code for the one of [`engine`] that ignores debug information.
pub fn engine_to_build(compile: Compile) -> Result<FixedMemoryEngine, EngineError> {
    make(1, 0, Waiting { rewound: 0, warm: 0 }, compile, DebugInfo::Ignore)
}

/// How many functions are compiled at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    /// Finishes soonest.
    OnAllCores,
    /// Leaves the other cores to the traffic during a long build.
    OnOneCore,
}

/// Handling of a module's debug information when it traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugInfo {
    /// For a proxy that serves: reading it takes time that no budget bounds.
    Ignore,
    /// Functions come with files and lines. For the author's own modules.
    Read,
}

/// Slots in addition to those of instances that decide.
#[derive(Clone, Copy)]
struct Waiting {
    rewound: u32,
    warm: u32,
}

fn make(
    fresh: usize,
    kept: usize,
    waiting: Waiting,
    compile: Compile,
    debug_info: DebugInfo,
) -> Result<FixedMemoryEngine, EngineError> {
    let mut config = Config::new();
    config
        .parallel_compilation(compile == Compile::OnAllCores)
        .wasm_component_model(true)
        .wasm_backtrace_details(match debug_info {
            DebugInfo::Ignore => WasmBacktraceDetails::Disable,
            DebugInfo::Read => WasmBacktraceDetails::Enable,
        })
        // Decisions are synchronous calls; the machinery for concurrent ones costs 0.4 us a call.
        .concurrency_support(false)
        // CPU budgets: see `state::Budget`.
        .epoch_interruption(true)
        // A router needs none of these, and each is attack surface.
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // The same reads lead to the same decision on any machine.
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        // A decision runs on a worker's own stack (2 MiB in Tokio); recursion beyond this traps.
        .max_wasm_stack(512 * 1024)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(fresh.saturating_add(kept), waiting)));
    FixedMemoryEngine::new(&mut config).map_err(|error| match kept {
        0 => error.into(),
        _ => EngineError(format!(
            "{error:#}; {kept} instances are to be kept for tenants with `instance_calls`, which take address space: \
             enable it for fewer tenants"
        )),
    })
}

/// A decision never waits, so at most as many instances decide as there are threads; the others wait to be reused.
fn pool(instances: usize, waiting: Waiting) -> PoolingAllocationConfig {
    // A `configure` that is called in this process needs an instance too; there is at most one build per core.
    let builds = std::thread::available_parallelism().map_or(1, usize::from);
    let instances = instances.saturating_add(builds).saturating_add(SPARE_TO_TEST);
    let slots = u32::try_from(instances).unwrap_or(u32::MAX - SPARE_SLOTS).saturating_add(SPARE_SLOTS);
    // Plus the core instance that instrumentation adds for rewinding.
    let instances = u32::try_from(ceiling::INSTANCES).unwrap_or(u32::MAX).saturating_add(1);
    let (scan, kept) = match PoolingAllocationConfig::is_pagemap_scan_available() {
        true => (Enabled::Yes, KEPT_OF_WRITTEN),
        false => (Enabled::No, KEPT_OF_ALL),
    };
    // An instance that waits to be rewound takes at least one slot.
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

    use super::{DebugInfo, ceiling};

    /// Fills every slot at once with the largest module that is allowed. The slots for pooled instances are usable as
    /// well.
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
        let engine = super::engine(2, 3, DebugInfo::Ignore).expect("an engine");
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

    /// `config` does not depend on Wasmtime, so it has the ceilings as numbers of its own.
    #[test]
    fn limits_are_capped_at_the_ceilings() {
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
