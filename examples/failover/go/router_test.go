package main

import (
	"reflect"
	"testing"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/log"
	"pointsman.dev/pointsman/pointsmantest"
)

func expect(t *testing.T, request *pointsman.Request, want pointsman.Decision) *pointsmantest.Host {
	t.Helper()
	host := pointsmantest.New(t)
	host.Config(`{"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]}`)
	if got, err := selectPeer(request); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (%v), not %v", got, err, want)
	}
	return host
}

func TestTheFirstUpstreamIsPreferred(t *testing.T) {
	expect(t, pointsmantest.Get("/"), to("127.0.0.1:9101"))
}

func TestTheSecondFollowsWhenTheFirstFails(t *testing.T) {
	refused := pointsmantest.Attempts(pointsmantest.Refused("127.0.0.1:9101"))
	host := expect(t, pointsmantest.Get("/", refused), to("127.0.0.1:9102"))
	want := []pointsmantest.Line{{Level: log.LevelWarn, Message: "127.0.0.1:9101 failed: refused"}}
	if lines := host.LogLines(); !reflect.DeepEqual(lines, want) {
		t.Errorf("%v", lines)
	}
}

func TestWhenAllHaveFailedTheModuleAnswers(t *testing.T) {
	failed := pointsmantest.Attempts(
		pointsmantest.TimedOut("127.0.0.1:9101"), pointsmantest.Status("127.0.0.1:9102", 503))
	expect(t, pointsmantest.Get("/", failed), sorry())
}
