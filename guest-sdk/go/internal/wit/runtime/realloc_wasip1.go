package wit_runtime

import "unsafe"

// While the host allocates, the component model allows no call of an import. The collector may run here, and looks at the
// clock: the adapter is told not to ask the host for it.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClocks(paused bool)

// The host never changes the size of what it was given.
//
//go:wasmexport cabi_realloc
func cabiRealloc(_ unsafe.Pointer, _, _, size uintptr) unsafe.Pointer {
	pauseClocks(true)
	at := allocate(size)
	pauseClocks(false)
	return at
}
