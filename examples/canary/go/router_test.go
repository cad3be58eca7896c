package main

import (
	"fmt"
	"testing"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/pointsmantest"
)

func percent(t *testing.T, percent float64) *pointsmantest.Host {
	host := pointsmantest.New(t)
	host.Config(fmt.Sprintf(`{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102", "percent": %g}`, percent))
	return host
}

func side(t *testing.T, request *pointsman.Request) string {
	t.Helper()
	decision, err := selectPeer(request)
	if err != nil {
		t.Fatal(err)
	}
	route := decision.(*pointsman.Route)
	address := map[string]string{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}[*route.Note]
	if *route.Peer != *pointsman.HTTP(address) {
		t.Fatalf("%s is %v", *route.Note, route.Peer)
	}
	return *route.Note
}

// The first so many sessions that get the canary.
func canaries(t *testing.T, sessions int) map[int]bool {
	t.Helper()
	canaries := map[int]bool{}
	for n := range sessions {
		cookie := pointsmantest.Header("cookie", fmt.Sprintf("theme=dark; session=%d", n))
		if side(t, pointsmantest.Get("/", cookie)) == "canary" {
			canaries[n] = true
		}
	}
	return canaries
}

func TestTheShareIsAsConfigured(t *testing.T) {
	percent(t, 10)
	if n := len(canaries(t, 10_000)); n < 900 || n > 1100 {
		t.Errorf("%d of 10,000", n)
	}
}

func TestZeroIsNobodyAndAHundredEverybody(t *testing.T) {
	percent(t, 0)
	if n := len(canaries(t, 1000)); n != 0 {
		t.Errorf("0 percent: %d", n)
	}
	percent(t, 100)
	if n := len(canaries(t, 1000)); n != 1000 {
		t.Errorf("100 percent: %d", n)
	}
}

func TestALargerShareKeepsThoseWhoWereIn(t *testing.T) {
	percent(t, 10)
	before := canaries(t, 1000)
	percent(t, 20)
	after := canaries(t, 1000)
	for n := range before {
		if !after[n] {
			t.Errorf("session %d was put out", n)
		}
	}
}

func TestTheHeaderChoosesOutright(t *testing.T) {
	percent(t, 0)
	if got := side(t, pointsmantest.Get("/", pointsmantest.Header("x-canary", "always"))); got != "canary" {
		t.Error(got)
	}
	percent(t, 100)
	if got := side(t, pointsmantest.Get("/", pointsmantest.Header("x-canary", "never"))); got != "stable" {
		t.Error(got)
	}
}

func TestWithoutACookieTheAddressDecides(t *testing.T) {
	percent(t, 50)
	sides := map[string]int{}
	for n := range 256 {
		sides[side(t, pointsmantest.Get("/", pointsmantest.ClientIP(fmt.Sprintf("192.0.2.%d", n))))]++
	}
	if len(sides) != 2 {
		t.Errorf("%v", sides)
	}
}

func TestAMissingPercentageIsNamed(t *testing.T) {
	pointsmantest.New(t).Config(`{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}`)
	if _, err := selectPeer(pointsmantest.Get("/")); err == nil || err.Error() != "config: `/percent` is missing" {
		t.Error(err)
	}
}
