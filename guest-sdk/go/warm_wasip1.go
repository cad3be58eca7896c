package pointsman

// warm makes the allocator ready for the sizes that decisions use. The state after configure is where every decision
// starts: what the allocator did here, finding room for the first object of a size, none of them does again.
func warm() {
	for size := 8; size <= 1024; size += 8 {
		sink = make([]byte, size)
		sink = make([]*byte, size/8)
	}
	sink = nil
	deep(14)
}

// sink keeps the compiler from leaving the objects out.
var sink any

// deep makes the stack as large as a decision will want it.
//
//go:noinline
func deep(depth int) byte {
	var frame [1024]byte
	if depth > 0 {
		frame[depth] = deep(depth - 1)
	}
	return frame[depth] + frame[0]
}
