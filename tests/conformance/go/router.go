// The routing job of tests/conformance, in Go.
package main

import (
	"errors"
	"strings"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/config"
	"pointsman.dev/pointsman/hash"
	"pointsman.dev/pointsman/log"
)

func init() {
	pointsman.Configure(configure)
	pointsman.SelectPeer(selectPeer)
}

func main() {}

// The values that configure stored.
var configured struct{ bytes, calls int }

func configure(config string) error {
	if strings.Contains(config, `"refuse"`) {
		return errors.New("refused as told")
	}
	configured.bytes = len(config)
	configured.calls++
	return nil
}

// A query parameter.
type param struct{ name, value string }

func (p param) bad() error { return errors.New("bad value for " + p.name + ": " + p.value) }

func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
	_, segments, _ := strings.Cut(request.Path(), "/")
	part, _, _ := strings.Cut(segments, "/")
	var params []param
	for name, value := range request.QueryParams() {
		params = append(params, param{name, value})
	}
	switch part {
	case "peer":
		return route(request, params)
	case "echo":
		return echo(request), nil
	case "attempts":
		return plain(attempts(request)), nil
	case "failover":
		return failover(request)
	case "canary":
		return canary(request)
	case "hash":
		return hashes(params)
	case "config":
		return plain(configuration(params)), nil
	case "shared":
		return keep(params)
	case "upstreams":
		return plain(seen(params)), nil
	case "clock":
		return plain(clockAgrees()), nil
	case "random":
		return plain(drawsDiffer()), nil
	case "log":
		writeLog(params)
		return pointsman.Pass, nil
	case "respond":
		return respond(params)
	case "pass":
		return pointsman.Pass, nil
	case "error":
		return nil, errors.New(value(params, "text"))
	case "configured":
		return plain(line("configured", number(configured.bytes), number(configured.calls))), nil
	}
	return nil, errors.New("unknown part " + part)
}

func failover(request *pointsman.Request) (pointsman.Decision, error) {
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
		return &pointsman.Route{
			Peer:  pointsman.HTTP(upstreams[len(failed)]),
			Retry: pointsman.Retry{OnStatus: []uint16{502, 503}},
		}, nil
	}
	return pointsman.NewResponse(503).Text("no upstream is left\n").AddHeader("retry-after", "30"), nil
}

func canary(request *pointsman.Request) (pointsman.Decision, error) {
	visitor, ok := request.Cookie("session")
	if !ok {
		visitor = request.ClientIP().String()
	}
	percent, err := config.Number[float64]("/percent")
	if err != nil {
		return nil, err
	}
	note, pointer := "stable", "/upstreams/0"
	if hash.Percent(visitor) < percent {
		note, pointer = "canary", "/upstreams/1"
	}
	address, err := config.Text(pointer)
	if err != nil {
		return nil, err
	}
	return &pointsman.Route{Peer: pointsman.HTTP(address), Note: new(note)}, nil
}

func hashes(params []param) (pointsman.Decision, error) {
	nodes, err := config.Texts("/upstreams")
	if err != nil {
		return nil, err
	}
	lines := ""
	for _, param := range params {
		if param.name == "key" {
			key := param.value
			rank := strings.Join(hash.Rank(key, nodes), ",")
			lines += line(hexadecimal(hash.Of(key)), number(int(hash.Percent(key)*10)), rank)
		}
	}
	return plain(lines), nil
}

func respond(params []param) (pointsman.Decision, error) {
	response := pointsman.NewResponse(200)
	for _, param := range params {
		switch param.name {
		case "status":
			status, err := unsigned[uint16](param)
			if err != nil {
				return nil, err
			}
			response.Status = *status
		case "header":
			header, err := param.header()
			if err != nil {
				return nil, err
			}
			response.Headers = append(response.Headers, header)
		case "body":
			response.Body = []byte(param.value)
		}
	}
	return response, nil
}
