//go:build !wasip1

// Package pointsmantest is requests, configuration, log and all else that a host offers, for a plain go test, without
// Wasm and without a host.
//
//	func TestTheCanaryIsChosenByAHeader(t *testing.T) {
//		host := pointsmantest.New(t)
//		host.Config(`{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}`)
//
//		decision, err := selectPeer(pointsmantest.Get("/", pointsmantest.Header("x-canary", "1")))
//		...
//	}
package pointsmantest

import (
	"encoding/json"
	"testing"

	"pointsman.dev/pointsman/internal/fake"
	"pointsman.dev/pointsman/log"
	"pointsman.dev/pointsman/upstreams"
)

// Host is the host of one test.
type Host struct {
	t     testing.TB
	state *fake.State
}

// New makes a host with nothing in it; it lasts until the test ends. The functions of the SDK ask one host, so tests that
// use it can't be parallel.
func New(t testing.TB) *Host {
	t.Helper()
	// It fails a parallel test, which is what is wanted of it.
	t.Setenv("POINTSMAN_TEST", t.Name())
	state := &fake.State{
		Config: map[string]any{},
		// 2026-01-01 00:00 UTC.
		NowMs:     1_767_225_600_000,
		Shared:    map[string]fake.Entry{},
		Upstreams: map[string]any{},
		Groups:    map[string]any{},
	}
	fake.Set(state)
	t.Cleanup(func() { fake.Set(nil) })
	return &Host{t, state}
}

// Config sets the content of package config: a JSON object. {} until then.
func (h *Host) Config(table string) {
	h.t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(table), &value); err != nil || value == nil {
		h.t.Fatalf("a module's configuration is a JSON object, not `%s` (%v)", table, err)
	}
	h.state.Config = value
}

// Line is a line of the log.
type Line struct {
	Level   log.Level
	Message string
}

// LogLines are the lines logged since the last call.
func (h *Host) LogLines() []Line {
	var lines []Line
	for _, line := range h.state.Lines {
		lines = append(lines, Line{log.Level(line.Level), line.Message})
	}
	h.state.Lines = nil
	return lines
}

// Clock sets the time that the module sees, in milliseconds since 1970-01-01 00:00 UTC; 2026-01-01 until then.
func (h *Host) Clock(ms uint64) { h.state.NowMs = ms }

// Random sets what package random gives next; after these, it gives 0.
func (h *Host) Random(values ...uint64) { h.state.Random = values }

// Upstream sets the statistics of an upstream.
func (h *Host) Upstream(upstream upstreams.Upstream) { h.state.Upstreams[upstream.Address] = upstream }

// Group sets the members of a group.
func (h *Host) Group(name string, members ...upstreams.Upstream) { h.state.Groups[name] = members }
