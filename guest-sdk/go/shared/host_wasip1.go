package shared

import (
	"time"

	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_shared"
	"pointsman.dev/pointsman/internal/millis"
	"pointsman.dev/pointsman/internal/text"
	wit "pointsman.dev/pointsman/internal/wit/types"
)

func hostAdd(key string, amount int64, ttl *time.Duration) (int64, error) {
	return result(host.Add(text.Valid(key), amount, milliseconds(ttl)))
}

func hostCounter(key string) (int64, bool) { return host.Counter(text.Valid(key)).Get() }

func hostGet(key string) ([]byte, bool) { return host.Get(text.Valid(key)).Get() }

func hostSet(key string, value []byte, ttl *time.Duration) error {
	_, err := result(host.Set(text.Valid(key), value, milliseconds(ttl)))
	return err
}

func hostCompareAndSet(key string, expected, value []byte) (bool, error) {
	before := wit.None[[]byte]()
	if expected != nil {
		before = wit.Some(expected)
	}
	return result(host.CompareAndSet(text.Valid(key), before, value, wit.None[uint32]()))
}

func hostDelete(key string) { host.Delete(text.Valid(key)) }

func result[T any](result wit.Result[T, host.Error]) (T, error) {
	if result.Tag() == wit.ResultErr {
		return result.Ok(), Error(result.Err())
	}
	return result.Ok(), nil
}

func milliseconds(ttl *time.Duration) wit.Option[uint32] {
	if ttl == nil {
		return wit.None[uint32]()
	}
	return wit.Some(millis.Of(*ttl))
}
