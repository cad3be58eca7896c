// Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.
package main

import (
	"time"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/log"
)

func init() { pointsman.SelectPeer(selectPeer) }

func main() {}

func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
	upstreams, err := config.Texts("/upstreams")
	if err != nil {
		return nil, err
	}
	failed := request.Attempts()
	if len(failed) > 0 {
		last := failed[len(failed)-1]
		log.Warn(last.Address + " failed: " + last.Failure.String())
	}
	if len(failed) < len(upstreams) {
		return to(upstreams[len(failed)]), nil
	}
	return sorry(), nil
}

func to(upstream string) *pointsman.Route {
	peer := pointsman.HTTP(upstream)
	// The next upstream is at hand, so this one need not be waited for.
	peer.Timeouts.Connect = new(500 * time.Millisecond)
	return &pointsman.Route{Peer: peer, Retry: pointsman.Retry{OnStatus: []uint16{502, 503}}}
}

func sorry() *pointsman.Response {
	return pointsman.NewResponse(503).AddHeader("retry-after", "30").
		Text("We are being repaired. Please try again in half a minute.\n")
}
