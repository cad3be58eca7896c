//go:build !wasip1

package clock

import "pointsman.dev/pointsman/internal/fake"

func hostNowMs() uint64 { return fake.Host().NowMs }
