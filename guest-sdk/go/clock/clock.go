// Package clock is the time at which the decision began. It does not advance while the decision runs.
//
// The time package shows the same wall clock; but its monotonic clock, which time.Since goes by, is a mere counter, and
// a sleep ends at once.
package clock

import "time"

// NowMs is milliseconds since 1970-01-01 00:00 UTC.
func NowMs() uint64 { return hostNowMs() }

// Now is the same as a time.
func Now() time.Time { return time.UnixMilli(int64(hostNowMs())).UTC() }
