//! The kernel gives a process only so many memory mappings, and each module takes some of them.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::MOST_MAPPINGS;

/// What a module takes whose code is mapped.
const OF_MODULE: usize = 3;

/// All else: libraries, threads, what the allocator has.
const OF_PROCESS: usize = 2048;

/// How many modules there is room for.
pub struct Mappings {
    most_modules: usize,
    is_told: AtomicBool,
}

impl Mappings {
    /// As the kernel has it (`vm.max_map_count`); where it does not tell, there is room for all.
    pub fn of_system() -> Mappings {
        let told = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        Mappings::of(told.and_then(|most| most.trim().parse().ok()).unwrap_or(usize::MAX))
    }

    fn of(most: usize) -> Mappings {
        let most_modules = most.saturating_sub(MOST_MAPPINGS.saturating_add(OF_PROCESS)) / OF_MODULE;
        Mappings { most_modules, is_told: AtomicBool::new(false) }
    }

    /// Whether there is room for so many.
    pub fn suffice(&self, modules: usize) -> bool {
        modules <= self.most_modules
    }

    /// Says so, once, where there is no room for so many.
    pub fn warn(&self, modules: usize) {
        if self.is_due(modules) {
            let most = self.most_modules;
            tracing::warn!(
                "{modules} modules are loaded, and the kernel has memory mappings for {most}: beyond them, decisions may end \
                 with `overloaded`. Raise it: `sysctl -w vm.max_map_count=262144`"
            );
        }
    }

    fn is_due(&self, modules: usize) -> bool {
        !self.suffice(modules) && !self.is_told.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_when_there_is_no_room_for_more() {
        let mappings = Mappings::of(65_530);
        assert!((14_000..17_000).contains(&mappings.most_modules), "{}", mappings.most_modules);
        let due = [1, 14_000, 17_000, 17_000].map(|modules| mappings.is_due(modules));
        assert_eq!(due, [false, false, true, false]);
        assert!(Mappings::of(0).is_due(1) && !Mappings::of(usize::MAX).is_due(1_000_000));
    }
}
