//go:build !wasip1

// Package fake is what the host's interfaces answer in a test. Package pointsmantest fills it.
package fake

// State is all that a test sets and all that a module leaves.
type State struct {
	// Decoded JSON: a map.
	Config any
	Lines  []Line
	NowMs  uint64
	// What comes next; zeros after that.
	Random []uint64
	Shared map[string]Entry
	// Values of package upstreams, by address: an upstreams.Upstream.
	Upstreams map[string]any
	// By name: a []upstreams.Upstream.
	Groups map[string]any
}

// Line is a line of the log, its level by package log's numbers.
type Line struct {
	Level   uint8
	Message string
}

// Entry is a counter or a value.
type Entry struct {
	IsValue bool
	Count   int64
	Value   []byte
	// Milliseconds since 1970. Nil: it stays.
	End *uint64
}

var current *State

// Set makes this the host; nil: there is none.
func Set(state *State) { current = state }

// Host is what the module asks.
func Host() *State {
	if current == nil {
		panic("there is no host here: call pointsmantest.New(t) at the start of the test")
	}
	return current
}
