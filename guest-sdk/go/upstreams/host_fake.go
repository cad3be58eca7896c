//go:build !wasip1

package upstreams

import "pointsman.dev/pointsman/internal/fake"

func hostGet(address string) Upstream {
	if upstream, ok := fake.Host().Upstreams[address].(Upstream); ok {
		return upstream
	}
	return Upstream{Address: address}
}

func hostGroup(name string) ([]Upstream, bool) {
	members, ok := fake.Host().Groups[name].([]Upstream)
	return members, ok
}
