//! Watches how much memory the process uses, and whether that leaves room for new work.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Samples the process's memory ten times a second.
#[derive(Debug)]
pub struct MemoryWatch {
    /// Bytes above which new work is refused.
    limit: u64,
    /// Bytes that are resident now.
    resident: AtomicU64,
}

/// Interval of the samples: memory grows by at most some hundred MiB between two of them.
const EVERY: Duration = Duration::from_millis(100);

/// The thread that samples ends after the last reference to the watch is gone.
impl MemoryWatch {
    /// Starts with this limit in bytes, or with four fifths of the memory of the machine or the container.
    pub fn start(limit: Option<u64>) -> io::Result<Arc<MemoryWatch>> {
        let limit = limit.or_else(|| available().map(|bytes| bytes / 5 * 4)).unwrap_or(u64::MAX);
        let watch = Arc::new(MemoryWatch { limit, resident: AtomicU64::new(0) });
        let weak = Arc::downgrade(&watch);
        thread::Builder::new().name("memory".to_owned()).spawn(move || {
            while let Some(watch) = weak.upgrade() {
                watch.resident.store(resident().unwrap_or(0), Ordering::Relaxed);
                drop(watch);
                thread::sleep(EVERY);
            }
        })?;
        Ok(watch)
    }

    /// Whether new work has to be refused.
    pub fn is_full(&self) -> bool {
        self.resident.load(Ordering::Relaxed) >= self.limit
    }

    /// Whether the most expensive work should wait: from nine tenths of the limit on.
    pub fn is_high(&self) -> bool {
        self.resident.load(Ordering::Relaxed) >= self.limit / 10 * 9
    }
}

/// Bytes that this process has in memory (proc(5), `statm`).
fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// Bytes that the machine has, or the container's limit if that is lower.
fn available() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: u64 =
        meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())?;
    let machine = kibibytes.saturating_mul(1024);
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .find_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    Some(container.map_or(machine, |container| container.min(machine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_knows_its_memory() {
        let (resident, available) = (resident().expect("Linux"), available().expect("Linux"));
        assert!(resident > 1024 * 1024 && resident < available, "{resident} of {available}");
    }

    #[test]
    fn watermarks() {
        let watch = |resident| MemoryWatch { limit: 1000, resident: AtomicU64::new(resident) };
        assert!(!watch(899).is_high() && watch(900).is_high() && !watch(999).is_full() && watch(1000).is_full());
    }
}
