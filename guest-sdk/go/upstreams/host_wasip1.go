package upstreams

import (
	"time"

	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_upstreams"
	"pointsman.dev/pointsman/internal/text"
)

func hostGet(address string) Upstream { return known(host.Get(text.Valid(address))) }

func hostGroup(name string) ([]Upstream, bool) {
	wired, ok := host.Group(text.Valid(name)).Get()
	if !ok {
		return nil, false
	}
	members := make([]Upstream, len(wired))
	for i, member := range wired {
		members[i] = known(member)
	}
	return members, true
}

func known(wired host.Upstream) Upstream {
	upstream := Upstream{
		Address:  wired.Address,
		Health:   Health(wired.Health),
		InFlight: wired.InFlight,
		Failures: wired.Failures,
	}
	if micros, ok := wired.LatencyUs.Get(); ok {
		upstream.Latency = new(time.Duration(micros) * time.Microsecond)
	}
	return upstream
}
