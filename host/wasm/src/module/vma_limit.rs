//! Warns when the loaded modules may need more memory mappings than the kernel allows a process. Each module takes
//! some.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::MOST_MAPPINGS;

/// Mappings of a module whose code is mapped.
const OF_MODULE: usize = 3;

/// Mappings of everything else: libraries, threads, the allocator.
const OF_PROCESS: usize = 2048;

/// The number of modules for which there are mappings.
pub struct VmaLimit {
    most_modules: usize,
    is_logged: AtomicBool,
}

impl VmaLimit {
    /// From the kernel's `vm.max_map_count`; if that can't be read, there is room for any number.
    pub fn of_system() -> VmaLimit {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        VmaLimit::of(limit.and_then(|most| most.trim().parse().ok()).unwrap_or(usize::MAX))
    }

    fn of(most: usize) -> VmaLimit {
        let most_modules = most.saturating_sub(MOST_MAPPINGS.saturating_add(OF_PROCESS)) / OF_MODULE;
        VmaLimit { most_modules, is_logged: AtomicBool::new(false) }
    }

    /// Whether there is room for this many modules.
    pub fn suffice(&self, modules: usize) -> bool {
        modules <= self.most_modules
    }

    /// Logs a warning, once, if there is no room for this many modules.
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
        !self.suffice(modules) && !self.is_logged.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortage_of_memory_mappings_is_logged_once() {
        let mappings = VmaLimit::of(65_530);
        assert!((14_000..17_000).contains(&mappings.most_modules), "{}", mappings.most_modules);
        let due = [1, 14_000, 17_000, 17_000].map(|modules| mappings.is_due(modules));
        assert_eq!(due, [false, false, true, false]);
        assert!(VmaLimit::of(0).is_due(1) && !VmaLimit::of(usize::MAX).is_due(1_000_000));
    }
}
