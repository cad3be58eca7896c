// Package wit_runtime is what the generated bindings need at run time: handles, and memory that the host writes to.
package wit_runtime

import (
	"runtime"
	"unsafe"
)

// Handle is a resource of the host. 0: none, or given away.
type Handle struct{ value int32 }

// MakeHandle takes a handle that the host gave.
func MakeHandle(value int32) *Handle { return &Handle{value} }

// Use is the handle, for a call.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("the request is over: it can be asked only in the call that it came with")
	}
	return h.value
}

// Take is the handle, which is given away with it.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// TakeOrNil is the handle, which is given away with it; or 0.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Set fills an empty handle.
func (h *Handle) Set(value int32) { h.value = value }

// chunks is all that was handed to the host or to the bindings since Unpin. They keep its address as a number, which the
// collector does not see, so it is kept alive here. What the bindings make of it, strings and slices, points into it and
// keeps it alive for as long as the program wants it.
var chunks [][]uint64

// free is what is left of the newest chunk.
var free []uint64

// deciding is false while the program starts.
var deciding bool

// Words of a chunk, of 8 bytes, the strictest alignment that there is. Room for what a usual decision reads.
const chunkWords = 2048 / 8

// Unpin says that nothing which was handed out is still to be written by the host or read by the bindings.
func Unpin() {
	clear(chunks)
	chunks = chunks[:0]
	free = nil
	deciding = true
}

// Allocate gives memory that stays until Unpin; to the variables of the bindings, which are made as the program starts,
// for as long as the pinner holds it.
func Allocate(pinner *runtime.Pinner, size, _ uintptr) unsafe.Pointer {
	at := allocate(size)
	if !deciding {
		pinner.Pin(at)
	}
	return at
}

func allocate(size uintptr) unsafe.Pointer {
	words := int(size+7) / 8
	if words > len(free) {
		if words > chunkWords/2 {
			chunk := make([]uint64, words)
			chunks = append(chunks, chunk)
			return unsafe.Pointer(unsafe.SliceData(chunk))
		}
		free = make([]uint64, chunkWords)
		chunks = append(chunks, free)
	}
	at := unsafe.Pointer(unsafe.SliceData(free))
	free = free[words:]
	return at
}
