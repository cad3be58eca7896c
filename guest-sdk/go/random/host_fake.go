//go:build !wasip1

package random

import "pointsman.dev/pointsman/internal/fake"

func hostBits() uint64 {
	host := fake.Host()
	if len(host.Random) == 0 {
		return 0
	}
	next := host.Random[0]
	host.Random = host.Random[1:]
	return next
}
