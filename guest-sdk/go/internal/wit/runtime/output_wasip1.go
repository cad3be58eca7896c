package wit_runtime

import "unsafe"

// Where the adapter keeps what was written since the last end of a line. A longer line is split.
var output [2048]byte

//go:wasmimport wasi_snapshot_preview1 adapter_output_buffer
func outputBuffer(at unsafe.Pointer, length uint32)

//go:wasmimport wasi_snapshot_preview1 adapter_output_flush
func flushOutput()

func init() { outputBuffer(unsafe.Pointer(&output), uint32(len(output))) }

// FlushOutput logs what was written without an end of the line. A decision ends with it.
func FlushOutput() { flushOutput() }
