// Package shared is state that the tenant's modules keep between decisions: counters and small values.
//
// They live in the proxy's memory, belong to the tenant, and are lost when it restarts. A key is at most 256 bytes, a
// value at most 16,384; a key is text, so what is not UTF-8 in it counts as U+FFFD. What fits is bounded by the tenant's
// quota.shared_bytes: an [Error] is nothing unusual, and a good module says what it does then. Every function is atomic.
package shared

import "time"

// Error is why an entry could not be made or changed.
type Error uint8

const (
	// ErrFull is a quota without room for another entry, or for a larger one.
	ErrFull Error = iota
	// ErrTooLong is a key or a value that is too long.
	ErrTooLong
	// ErrOtherKind is a counter that was to be a value, or the other way round.
	ErrOtherKind
	// ErrOverflow is a counter that would leave the range of its type.
	ErrOverflow
	// ErrOther is anything else.
	ErrOther
)

// The contract's names.
var names = [...]string{"full", "too-long", "other-kind", "overflow", "other"}

func (e Error) Error() string { return "shared: " + names[min(e, ErrOther)] }

// Add adds to a counter, which is created with 0 if it is absent, and returns the sum.
func Add(key string, amount int64) (int64, error) { return hostAdd(key, amount, nil) }

// AddFor does the same; a new counter expires after this time, at most 49 days. So it counts the events in
// that time.
func AddFor(ttl time.Duration, key string, amount int64) (int64, error) {
	return hostAdd(key, amount, &ttl)
}

// Counter is a counter. False if there is none.
func Counter(key string) (int64, bool) { return hostCounter(key) }

// Get is a value. False if there is none.
func Get(key string) ([]byte, bool) { return hostGet(key) }

// Set creates or replaces a value.
func Set(key string, value []byte) error { return hostSet(key, value, nil) }

// SetFor does the same; the value expires after this time, at most 49 days.
func SetFor(ttl time.Duration, key string, value []byte) error { return hostSet(key, value, &ttl) }

// CompareAndSet makes or replaces a value if it is as expected until then; nil: if it is not there. It tells whether it
// was.
func CompareAndSet(key string, expected, value []byte) (bool, error) {
	return hostCompareAndSet(key, expected, value)
}

// Delete removes a counter or a value, if it is there.
func Delete(key string) { hostDelete(key) }
