//! Memories of the guest by address: which of their pages were written, as the kernel knows it, and how pages are read, put
//! back and made read-only.

use std::fs::File;
use std::mem::MaybeUninit;
use std::sync::{Arc, LazyLock};

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use rustix::mm::{MprotectFlags, mprotect};

/// Bytes of a page. Where the machine's are larger, there is no `Pagemap`.
pub const PAGE_BYTES: usize = 4096;

pub type Page = [u8; PAGE_BYTES];

/// A page of an instance: the number of its memory, and its own in that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PagePlace {
    pub memory: usize,
    pub page: usize,
}

/// A page as it is in a fresh instance.
#[derive(Debug, Clone)]
pub struct FreshPage {
    pub place: PagePlace,
    /// None: all zeros.
    pub content: Option<Arc<Page>>,
}

/// A memory of an instance, as it was when the instance was made. It belongs to the store that it is kept in.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    start: usize,
    pages: usize,
}

impl Memory {
    /// From the first byte of a memory of so many pages of 64 KiB.
    pub fn new(first: &[u8], wasm_pages: u32) -> Memory {
        let pages = usize::try_from(wasm_pages).unwrap_or_default();
        Memory { start: first.as_ptr().expose_provenance(), pages: pages.saturating_mul(65_536 / PAGE_BYTES) }
    }

    /// How many it has.
    pub fn pages(&self) -> usize {
        self.pages
    }

    fn bytes(&self) -> usize {
        self.pages.saturating_mul(PAGE_BYTES)
    }

    /// All that is in it.
    ///
    /// # Safety
    ///
    /// The store is alive, and runs no code of the guest as long as this is looked at.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn contents<'a>(&self) -> &'a [u8] {
        let start = std::ptr::with_exposed_provenance(self.start);
        // SAFETY: A memory never gets smaller or moves (the pool reserves all that it may grow to), so these bytes are
        // there; and the caller sees to it that nobody writes them.
        unsafe { std::slice::from_raw_parts(start, self.bytes()) }
    }

    pub fn contains(&self, address: usize) -> bool {
        address.checked_sub(self.start).is_some_and(|offset| offset < self.bytes())
    }

    /// Makes the pages from one to before another read-only, or writable again. Whether the kernel did.
    pub fn protect(&self, first: usize, end: usize, writable: bool) -> bool {
        let flags = if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
        let count = end.min(self.pages).saturating_sub(first);
        if count == 0 {
            return true;
        }
        let start = self.start.saturating_add(first.saturating_mul(PAGE_BYTES));
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: They are pages of the memory, which stays mapped while its store is alive; what is in them stays, and
        // they can be read all the time. Who writes one that is read-only is stopped by the kernel: see `fence`.
        #[expect(unsafe_code, reason = "Wasmtime does not make memory read-only")]
        unsafe { mprotect(start, count.saturating_mul(PAGE_BYTES), flags) }.is_ok()
    }

    /// Where a page of it begins; None if it has no such page.
    fn page(&self, number: usize) -> Option<*mut Page> {
        let inside = number < self.pages;
        inside.then(|| std::ptr::with_exposed_provenance_mut(self.start + number * PAGE_BYTES))
    }

    /// A copy of a page.
    ///
    /// # Safety
    ///
    /// The store is alive, it runs no code of the guest, and nobody else has it.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn read(&self, number: usize) -> Option<Page> {
        // SAFETY: A memory never gets smaller or moves (the pool reserves all that it may grow to), so the page is there;
        // and the caller sees to it that nobody writes it.
        self.page(number).map(|page| unsafe { page.read() })
    }

    /// Puts a page back.
    ///
    /// # Safety
    ///
    /// As for `read`.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn write(&self, number: usize, content: Option<&Page>) {
        let Some(page) = self.page(number) else { return };
        // SAFETY: As for `read`; the guest may write any page of its memories.
        match content {
            Some(content) => unsafe { page.copy_from_nonoverlapping(content, 1) },
            None => unsafe { page.write_bytes(0, 1) },
        }
    }
}

/// What the kernel knows of this process's memory.
pub struct Pagemap(File);

impl Pagemap {
    /// None if the kernel cannot tell what was written: before Linux 6.7, or where `/proc` is not to be had.
    pub fn of_process() -> Option<&'static Pagemap> {
        static OF_PROCESS: LazyLock<Option<Pagemap>> = LazyLock::new(|| {
            if rustix::param::page_size() != PAGE_BYTES {
                return None;
            }
            let pagemap = Pagemap(File::open("/proc/self/pagemap").ok()?);
            pagemap.written(Memory { start: 0, pages: 0 }, |_| {}).ok()?;
            Some(pagemap)
        });
        OF_PROCESS.as_ref()
    }

    /// Calls back for every page of a memory that may differ from what it was mapped with, in order.
    pub fn written(&self, memory: Memory, mut found: impl FnMut(usize)) -> std::io::Result<()> {
        let end = memory.start.saturating_add(memory.bytes());
        let mut from = memory.start;
        loop {
            let mut runs = [const { MaybeUninit::uninit() }; RUNS];
            let scan = Scan::of(from, end, &mut runs);
            // SAFETY: The kernel writes nothing but the argument and the runs, and both are there until it returns.
            #[expect(unsafe_code, reason = "there is no safe wrapper of PAGEMAP_SCAN")]
            let (count, walked) = unsafe { ioctl(&self.0, scan) }?;
            for run in runs.iter().take(count) {
                // SAFETY: The kernel has filled so many.
                #[expect(unsafe_code, reason = "there is no safe wrapper of PAGEMAP_SCAN")]
                let run = unsafe { run.assume_init_ref() };
                for address in (at(run.start)..at(run.end)).step_by(PAGE_BYTES) {
                    found(address.saturating_sub(memory.start) / PAGE_BYTES);
                }
            }
            if walked >= end {
                return Ok(());
            }
            if walked <= from {
                return Err(std::io::Error::other("the scan does not get on"));
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

/// Runs of pages that one call tells of.
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
    /// Of pages that are there, in memory or swapped out, and neither the file's nor the one that all zeros share: those
    /// were written.
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
    /// Runs that were found, and where the scan ended.
    type Output = (usize, usize);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::from_mut(self).cast()
    }

    unsafe fn output_from_ptr(count: IoctlOutput, scan: *mut std::ffi::c_void) -> rustix::io::Result<Self::Output> {
        // SAFETY: It is what `as_ptr` gave.
        let scan = unsafe { &*scan.cast::<Scan>() };
        Ok((usize::try_from(count).unwrap_or_default(), at(scan.walk_end)))
    }
}
