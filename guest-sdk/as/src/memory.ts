//! A module's memory: handed out from bottom to top by AssemblyScript's `stub` runtime, and given back as a whole when
//! the next decision begins. So nothing is collected, and an instance that is used again does not grow.

/** What lies below stays: what the module made when it started, and in `configure`. */
let mark: usize = 0;

/** Keeps everything that has been allocated so far. */
export function keep(): void {
  mark = heap.alloc(0);
}

/** Frees everything that was allocated since `keep`. A decision begins with it. */
export function reset(): void {
  if (mark == 0) {
    keep();
    return;
  }
  // The runtime takes back its newest block only. So the block at the mark is made to reach to the end of all others:
  // a block's size stands before it, in four bytes.
  const newest = heap.alloc(0);
  heap.free(newest);
  store<u32>(mark - sizeof<u32>(), u32(newest - sizeof<u32>() - mark));
  heap.free(mark);
  keep();
}

/** Where the host places values for the module: the canonical ABI's `realloc`. */
export function cabi_realloc(old: usize, oldSize: usize, alignment: usize, size: usize): usize {
  if (old != 0) return heap.realloc(old, size);
  // The runtime's blocks begin at multiples of 16; nothing in the contract needs more.
  return heap.alloc(size);
}
