package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"pointsman.dev/pointsman"
)

// The part peer: each parameter sets a field of the record.
func route(request *pointsman.Request, params []param) (pointsman.Decision, error) {
	route := &pointsman.Route{Peer: pointsman.HTTP("")}
	for _, param := range params {
		if err := set(route, request, param); err != nil {
			return nil, err
		}
	}
	return route, nil
}

func set(route *pointsman.Route, request *pointsman.Request, param param) (err error) {
	peer, rewrite, retry := route.Peer, &route.Rewrite, &route.Retry
	switch text := &param.value; param.name {
	case "address":
		peer.Address = param.value
	case "tls":
		tls(peer)
	case "sni":
		tls(peer).SNI = text
	case "verify":
		tls(peer).Verify, err = one(param, map[string]pointsman.Verify{
			"full": pointsman.VerifyFull, "chain-only": pointsman.VerifyChainOnly, "none": pointsman.VerifyNone,
		})
	case "alternative-cn":
		tls(peer).AlternativeCN = text
	case "ca":
		tls(peer).CA = text
	case "client-cert":
		tls(peer).ClientCert = text
	case "curves":
		tls(peer).Curves = text
	case "second-key-share":
		var yes bool
		yes, err = param.flag()
		tls(peer).SecondKeyShare = &yes
	case "connect-proxy":
		peer.ConnectProxy = &pointsman.ConnectProxy{Address: param.value}
	case "proxy-header":
		if peer.ConnectProxy == nil {
			return param.bad()
		}
		err = param.appendHeader(&peer.ConnectProxy.Headers)
	case "bind-address":
		bindTo(peer).Address = text
	case "bind-ports":
		first, last, _ := strings.Cut(param.value, "-")
		from, err := part[uint16](param, first)
		to, err2 := part[uint16](param, last)
		if err = errors.Join(err, err2); err != nil {
			return param.bad()
		}
		bindTo(peer).Ports = &pointsman.PortRange{First: *from, Last: *to}
	case "bind-fallback":
		bindTo(peer).Fallback, err = param.flag()
	case "connect-ms":
		peer.Timeouts.Connect, err = param.millis()
	case "total-connect-ms":
		peer.Timeouts.TotalConnect, err = param.millis()
	case "read-ms":
		peer.Timeouts.Read, err = param.millis()
	case "write-ms":
		peer.Timeouts.Write, err = param.millis()
	case "idle-ms":
		peer.Timeouts.Idle, err = param.millis()
	case "keepalive":
		peer.TCPKeepalive, err = param.keepalive()
	case "alpn":
		peer.HTTP.ALPN, err = one(param, map[string]pointsman.ALPN{
			"h1": pointsman.H1, "h2": pointsman.H2, "h2h1": pointsman.H2H1,
		})
	case "max-h2-streams":
		peer.HTTP.MaxH2Streams, err = unsigned[uint32](param)
	case "h2-ping-interval-ms":
		peer.HTTP.H2PingInterval, err = param.millis()
	case "h2-stream-window":
		peer.HTTP.H2StreamWindow, err = unsigned[uint32](param)
	case "h2-connection-window":
		peer.HTTP.H2ConnectionWindow, err = unsigned[uint32](param)
	case "upgrade":
		peer.HTTP.Upgrade, err = one(param, map[string]pointsman.Upgrade{
			"websocket": pointsman.UpgradeWebSocket, "any": pointsman.UpgradeAny, "deny": pointsman.UpgradeDeny,
		})
	case "quirk":
		var quirk pointsman.Quirks
		quirk, err = one(param, map[string]pointsman.Quirks{
			"keep-hop-by-hop":               pointsman.QuirkKeepHopByHop,
			"keep-connection-nominated":     pointsman.QuirkKeepConnectionNominated,
			"accept-malformed-connection":   pointsman.QuirkAcceptMalformedConnection,
			"accept-invalid-content-length": pointsman.QuirkAcceptInvalidContentLength,
		})
		peer.HTTP.Quirks |= quirk
	case "dscp":
		peer.Socket.DSCP, err = unsigned[uint8](param)
	case "tcp-recv-buf":
		peer.Socket.TCPRecvBuf, err = unsigned[uint32](param)
	case "tcp-fast-open":
		peer.Socket.TCPFastOpen, err = param.flag()
	case "isolation":
		peer.Isolation = text
	case "authority":
		rewrite.Authority = text
	case "path-and-query":
		rewrite.PathAndQuery = text
	case "remove":
		rewrite.Remove(param.value)
	case "set":
		err = param.appendHeader(&rewrite.SetHeaders)
	case "add":
		err = param.appendHeader(&rewrite.AddHeaders)
	case "copy":
		from, to, ok := strings.Cut(param.value, ":")
		if !ok {
			return param.bad()
		}
		if value, ok := request.HeaderBytes(from); ok {
			rewrite.SetHeaders = append(rewrite.SetHeaders, pointsman.Header{Name: to, Value: value})
		}
	case "attempts":
		retry.Attempts, err = unsigned[uint32](param)
	case "on-status":
		var status *uint16
		if status, err = unsigned[uint16](param); err == nil {
			retry.OnStatus = append(retry.OnStatus, *status)
		}
	case "note":
		route.Note = text
	default:
		return errors.New("unknown parameter " + param.name)
	}
	return err
}

func tls(peer *pointsman.Peer) *pointsman.TLS {
	if peer.TLS == nil {
		peer.TLS = &pointsman.TLS{}
	}
	return peer.TLS
}

func bindTo(peer *pointsman.Peer) *pointsman.BindTo {
	if peer.BindTo == nil {
		peer.BindTo = &pointsman.BindTo{}
	}
	return peer.BindTo
}

func unsigned[N uint8 | uint16 | uint32](param param) (*N, error) { return part[N](param, param.value) }

func part[N uint8 | uint16 | uint32](param param, text string) (*N, error) {
	number, err := strconv.ParseUint(text, 10, int(unsafe.Sizeof(N(0)))*8)
	if err != nil {
		return nil, param.bad()
	}
	return new(N(number)), nil
}

func (p param) millis() (*time.Duration, error) {
	millis, err := unsigned[uint32](p)
	if err != nil {
		return nil, err
	}
	return new(time.Duration(*millis) * time.Millisecond), nil
}

func (p param) flag() (bool, error) {
	if p.value != "true" && p.value != "false" {
		return false, p.bad()
	}
	return p.value == "true", nil
}

func (p param) keepalive() (*pointsman.TCPKeepalive, error) {
	var numbers []uint32
	for text := range strings.SplitSeq(p.value, ",") {
		number, err := part[uint32](p, text)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, *number)
	}
	if len(numbers) != 4 {
		return nil, p.bad()
	}
	return &pointsman.TCPKeepalive{
		Idle:        time.Duration(numbers[0]) * time.Second,
		Interval:    time.Duration(numbers[1]) * time.Second,
		Count:       numbers[2],
		UserTimeout: time.Duration(numbers[3]) * time.Millisecond,
	}, nil
}

func (p param) header() (pointsman.Header, error) {
	name, value, ok := strings.Cut(p.value, ":")
	if !ok {
		return pointsman.Header{}, p.bad()
	}
	return pointsman.NewHeader(name, value), nil
}

func (p param) appendHeader(headers *[]pointsman.Header) error {
	header, err := p.header()
	if err == nil {
		*headers = append(*headers, header)
	}
	return err
}

// The case of an enumeration that is named.
func one[T any](param param, cases map[string]T) (T, error) {
	value, ok := cases[param.value]
	if !ok {
		return value, param.bad()
	}
	return value, nil
}
