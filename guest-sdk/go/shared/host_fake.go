//go:build !wasip1

package shared

import (
	"bytes"
	"time"

	"pointsman.dev/pointsman/internal/fake"
	"pointsman.dev/pointsman/internal/millis"
)

// What the host does, but for its quota.

func hostAdd(key string, amount int64, ttl *time.Duration) (int64, error) {
	entry, ok := find(key)
	if !ok {
		entry = fake.Entry{End: end(ttl)}
	}
	sum := entry.Count + amount
	switch {
	case len(key) > 256:
		return 0, ErrTooLong
	case entry.IsValue:
		return 0, ErrOtherKind
	case (sum > entry.Count) != (amount > 0):
		if amount != 0 {
			return 0, ErrOverflow
		}
	}
	entry.Count = sum
	fake.Host().Shared[key] = entry
	return sum, nil
}

func hostCounter(key string) (int64, bool) {
	entry, ok := find(key)
	return entry.Count, ok && !entry.IsValue
}

func hostGet(key string) ([]byte, bool) {
	entry, ok := find(key)
	return bytes.Clone(entry.Value), ok && entry.IsValue
}

func hostSet(key string, value []byte, ttl *time.Duration) error {
	entry, ok := find(key)
	switch {
	case len(key) > 256 || len(value) > 16_384:
		return ErrTooLong
	case ok && !entry.IsValue:
		return ErrOtherKind
	}
	fake.Host().Shared[key] = fake.Entry{IsValue: true, Value: append([]byte{}, value...), End: end(ttl)}
	return nil
}

func hostCompareAndSet(key string, expected, value []byte) (bool, error) {
	entry, ok := find(key)
	switch {
	case ok && !entry.IsValue:
		return false, ErrOtherKind
	case ok != (expected != nil) || !bytes.Equal(entry.Value, expected):
		return false, nil
	}
	err := hostSet(key, value, nil)
	return err == nil, err
}

func hostDelete(key string) { delete(fake.Host().Shared, key) }

func find(key string) (fake.Entry, bool) {
	host := fake.Host()
	entry, ok := host.Shared[key]
	if ok && entry.End != nil && *entry.End <= host.NowMs {
		delete(host.Shared, key)
		return fake.Entry{}, false
	}
	return entry, ok
}

func end(ttl *time.Duration) *uint64 {
	if ttl == nil {
		return nil
	}
	return new(fake.Host().NowMs + uint64(millis.Of(*ttl)))
}
