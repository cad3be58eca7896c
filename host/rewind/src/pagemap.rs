//! Finds the pages of a memory that were written, as the kernel reports them (`PAGEMAP_SCAN`, since Linux 6.7).

use std::fs::File;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use crate::memory::{Memory, PAGE_BYTES};

/// Whether this system can report which pages were written. Without that nothing is rewound.
pub fn is_available() -> bool {
    Pagemap::of_process().is_some()
}

/// The page map of this process.
pub struct Pagemap(File);

impl Pagemap {
    /// None if the kernel does not report written pages (before Linux 6.7, or without `/proc`), or if its pages are not
    /// of [`PAGE_BYTES`].
    pub fn of_process() -> Option<&'static Pagemap> {
        static OF_PROCESS: LazyLock<Option<Pagemap>> = LazyLock::new(|| {
            if rustix::param::page_size() != PAGE_BYTES {
                return None;
            }
            let pagemap = Pagemap(File::open("/proc/self/pagemap").ok()?);
            pagemap.scan(0, 0, |_| {}).ok()?;
            Some(pagemap)
        });
        OF_PROCESS.as_ref()
    }

    /// Calls `found` with the number of every page, in order, that may differ from the page that was mapped.
    pub fn written(&self, memory: Memory, found: impl FnMut(usize)) -> std::io::Result<()> {
        self.scan(memory.start(), memory.end(), found)
    }

    fn scan(&self, start: usize, end: usize, mut found: impl FnMut(usize)) -> std::io::Result<()> {
        let mut from = start;
        loop {
            let mut runs = [const { MaybeUninit::uninit() }; RUNS];
            let scan = Scan::of(from, end, &mut runs);
            // SAFETY: The kernel writes nothing but the argument and the runs, and both live until it returns.
            #[expect(unsafe_code, reason = "there is no safe wrapper of PAGEMAP_SCAN")]
            let (count, walked) = unsafe { ioctl(&self.0, scan) }?;
            for run in runs.iter().take(count) {
                // SAFETY: The kernel has filled the first `count` runs.
                #[expect(unsafe_code, reason = "there is no safe wrapper of PAGEMAP_SCAN")]
                let run = unsafe { run.assume_init_ref() };
                for address in (at(run.start)..at(run.end)).step_by(PAGE_BYTES) {
                    found(address.saturating_sub(start) / PAGE_BYTES);
                }
            }
            if walked >= end {
                return Ok(());
            }
            if walked <= from {
                return Err(std::io::Error::other("the scan makes no progress"));
            }
            from = walked;
        }
    }
}

fn at(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

fn from(address: usize) -> u64 {
    u64::try_from(address).unwrap_or(u64::MAX)
}

/// Most runs of pages that one call reports.
const RUNS: usize = 32;

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    runs: u64,
    runs_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGE_IS_...` of `linux/fs.h`.
mod category {
    pub const FILE: u64 = 1 << 2;
    pub const PRESENT: u64 = 1 << 3;
    pub const SWAPPED: u64 = 1 << 4;
    pub const ZERO: u64 = 1 << 5;
}

impl Scan {
    /// A scan for written pages: those that are present, in memory or swapped out, and are neither the file's nor the
    /// shared zero page.
    fn of(start: usize, end: usize, runs: &mut [MaybeUninit<Run>]) -> Scan {
        Scan {
            size: from(size_of::<Scan>()),
            flags: 0,
            start: from(start),
            end: from(end),
            walk_end: 0,
            runs: from(runs.as_mut_ptr().expose_provenance()),
            runs_len: from(runs.len()),
            max_pages: 0,
            category_inverted: category::FILE | category::ZERO,
            category_mask: category::FILE | category::ZERO,
            category_anyof_mask: category::PRESENT | category::SWAPPED,
            return_mask: 0,
        }
    }
}

// SAFETY: `PAGEMAP_SCAN` reads and writes a `struct pm_scan_arg`, and writes up to `runs_len` runs.
#[expect(unsafe_code, reason = "there is no safe wrapper of PAGEMAP_SCAN")]
unsafe impl Ioctl for Scan {
    /// The number of runs that were found, and the address at which the scan ended.
    type Output = (usize, usize);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::from_mut(self).cast()
    }

    unsafe fn output_from_ptr(count: IoctlOutput, scan: *mut std::ffi::c_void) -> rustix::io::Result<Self::Output> {
        // SAFETY: The pointer is the one that `as_ptr` returned.
        let scan = unsafe { &*scan.cast::<Scan>() };
        Ok((usize::try_from(count).unwrap_or_default(), at(scan.walk_end)))
    }
}
