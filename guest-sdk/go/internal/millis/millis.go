// Package millis makes the contract's whole numbers of durations.
package millis

import (
	"math"
	"time"
)

// Of is whole milliseconds.
func Of(duration time.Duration) uint32 { return Whole(duration, time.Millisecond) }

// Whole is whole units, rounded up, so that no time becomes zero that was more. What a uint32 can't hold is its largest
// value, and what is negative is zero: the host refuses either, where it has a meaning.
func Whole(duration, unit time.Duration) uint32 {
	if duration <= 0 {
		return 0
	}
	return uint32(min((duration-1)/unit+1, math.MaxUint32))
}
