// A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.
package main

import (
	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/hash"
)

func init() { pointsman.SelectPeer(selectPeer) }

func main() {}

func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
	canary, err := wantsCanary(request)
	if err != nil {
		return nil, err
	}
	side := "stable"
	if canary {
		side = "canary"
	}
	address, err := config.Text("/" + side)
	if err != nil {
		return nil, err
	}
	return &pointsman.Route{Peer: pointsman.HTTP(address), Note: new(side)}, nil
}

func wantsCanary(request *pointsman.Request) (bool, error) {
	switch choice, _ := request.Header("x-canary"); choice {
	case "always":
		return true, nil
	case "never":
		return false, nil
	}
	visitor, err := visitor(request)
	if err != nil {
		return false, err
	}
	percent, err := config.Number[float64]("/percent")
	return hash.Percent(visitor) < percent, err
}

// The session's cookie, or the client's address as long as there is none.
func visitor(request *pointsman.Request) (string, error) {
	cookie, err := config.TextOr("/cookie", "session")
	if err != nil {
		return "", err
	}
	if session, ok := request.Cookie(cookie); ok {
		return session, nil
	}
	return request.ClientIP().String(), nil
}
