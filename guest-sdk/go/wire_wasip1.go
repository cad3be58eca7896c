package pointsman

import (
	"errors"
	"time"

	"pointsman.dev/pointsman/internal/gen/exports/export_wit_world"
	_ "pointsman.dev/pointsman/internal/gen/exports/wit_exports"
	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_request"
	wire "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_types"
	"pointsman.dev/pointsman/internal/millis"
	"pointsman.dev/pointsman/internal/text"
	"pointsman.dev/pointsman/internal/wit/runtime"
	wit "pointsman.dev/pointsman/internal/wit/types"
)

func init() {
	export_wit_world.OnSelectPeer = func(request *host.Request) wit.Result[wire.Decision, string] {
		decision, err := decide(request)
		if err != nil {
			return wit.Err[wire.Decision](text.Valid(err.Error()))
		}
		return wit.Ok[wire.Decision, string](decision)
	}
	export_wit_world.OnConfigure = func(config string) wit.Result[wit.Unit, string] {
		if err := takeConfig(config); err != nil {
			return wit.Err[wit.Unit](text.Valid(err.Error()))
		}
		return wit.Ok[wit.Unit, string](wit.Unit{})
	}
}

func takeConfig(config string) (err error) {
	defer wit_runtime.FlushOutput()
	defer caught(&err, "pointsman.dev/pointsman.takeConfig")
	if configure != nil {
		err = configure(config)
	}
	warm()
	return err
}

func decide(request *host.Request) (result wire.Decision, err error) {
	// A panic becomes an error, so that its text is found in the access log.
	defer caught(&err, "pointsman.dev/pointsman.decide")
	defer wit_runtime.FlushOutput()
	// The host wants its request back before the call ends.
	defer request.Drop()
	if router == nil {
		return result, errors.New("no router: call pointsman.SelectPeer in an init function")
	}
	decision, err := router(&Request{source{request}})
	if err != nil {
		return result, err
	}
	switch decision := decision.(type) {
	case *Peer:
		return connect(&Route{Peer: decision})
	case *Route:
		return connect(decision)
	case *Response:
		if decision != nil {
			return wire.MakeDecisionRespond(wire.Response{
				Status: decision.Status, Headers: headers(decision.Headers), Body: decision.Body,
			}), nil
		}
	case pass:
		return wire.MakeDecisionPass(), nil
	}
	return result, errors.New("the router returned neither a decision nor an error")
}

func connect(route *Route) (result wire.Decision, err error) {
	if route == nil || route.Peer == nil {
		return result, errors.New("the router returned a route without a peer")
	}
	rewrite := &route.Rewrite
	removed := make([]string, len(rewrite.RemoveHeaders))
	for i, name := range rewrite.RemoveHeaders {
		removed[i] = text.Valid(name)
	}
	return wire.MakeDecisionConnect(wire.Route{
		Peer: peer(route.Peer),
		Rewrite: wire.Rewrite{
			Authority:     textOption(rewrite.Authority),
			PathAndQuery:  textOption(rewrite.PathAndQuery),
			RemoveHeaders: removed,
			SetHeaders:    headers(rewrite.SetHeaders),
			AddHeaders:    headers(rewrite.AddHeaders),
		},
		Retry: wire.RetryPolicy{Attempts: option(route.Retry.Attempts), OnStatus: route.Retry.OnStatus},
		Note:  textOption(route.Note),
	}), nil
}

func peer(peer *Peer) wire.Peer {
	wired := wire.Peer{
		Address: text.Valid(peer.Address),
		Timeouts: wire.Timeouts{
			ConnectMs:      milliseconds(peer.Timeouts.Connect),
			TotalConnectMs: milliseconds(peer.Timeouts.TotalConnect),
			ReadMs:         milliseconds(peer.Timeouts.Read),
			WriteMs:        milliseconds(peer.Timeouts.Write),
			IdleMs:         milliseconds(peer.Timeouts.Idle),
		},
		Http: wire.HttpOptions{
			Alpn:               uint8(peer.HTTP.ALPN),
			MaxH2Streams:       option(peer.HTTP.MaxH2Streams),
			H2PingIntervalMs:   milliseconds(peer.HTTP.H2PingInterval),
			H2StreamWindow:     option(peer.HTTP.H2StreamWindow),
			H2ConnectionWindow: option(peer.HTTP.H2ConnectionWindow),
			Upgrade:            uint8(peer.HTTP.Upgrade),
			Quirks:             uint8(peer.HTTP.Quirks),
		},
		Socket: wire.SocketOptions{
			Dscp:        option(peer.Socket.DSCP),
			TcpRecvBuf:  option(peer.Socket.TCPRecvBuf),
			TcpFastOpen: peer.Socket.TCPFastOpen,
		},
		Isolation: textOption(peer.Isolation),
	}
	if tls := peer.TLS; tls != nil {
		wired.Tls = wit.Some(wire.Tls{
			Sni:            textOption(tls.SNI),
			Verify:         uint8(tls.Verify),
			AlternativeCn:  textOption(tls.AlternativeCN),
			Ca:             textOption(tls.CA),
			ClientCert:     textOption(tls.ClientCert),
			Curves:         textOption(tls.Curves),
			SecondKeyShare: option(tls.SecondKeyShare),
		})
	}
	if proxy := peer.ConnectProxy; proxy != nil {
		wired.ConnectProxy = wit.Some(wire.ConnectProxy{Address: text.Valid(proxy.Address), Headers: headers(proxy.Headers)})
	}
	if local := peer.BindTo; local != nil {
		bindTo := wire.BindTo{Address: textOption(local.Address), Fallback: local.Fallback}
		if local.Ports != nil {
			bindTo.PortRange = wit.Some(wit.Tuple2[uint16, uint16]{F0: local.Ports.First, F1: local.Ports.Last})
		}
		wired.BindTo = wit.Some(bindTo)
	}
	if keepalive := peer.TCPKeepalive; keepalive != nil {
		wired.TcpKeepalive = wit.Some(wire.TcpKeepalive{
			IdleS:         millis.Whole(keepalive.Idle, time.Second),
			IntervalS:     millis.Whole(keepalive.Interval, time.Second),
			Count:         keepalive.Count,
			UserTimeoutMs: millis.Of(keepalive.UserTimeout),
		})
	}
	return wired
}

func headers(headers []Header) []wire.Header {
	wired := make([]wire.Header, len(headers))
	for i, header := range headers {
		wired[i] = wire.Header{Name: text.Valid(header.Name), Value: header.Value}
	}
	return wired
}

func option[T any](value *T) wit.Option[T] {
	if value == nil {
		return wit.None[T]()
	}
	return wit.Some(*value)
}

func textOption(value *string) wit.Option[string] {
	if value == nil {
		return wit.None[string]()
	}
	return wit.Some(text.Valid(*value))
}

func milliseconds(time *time.Duration) wit.Option[uint32] {
	if time == nil {
		return wit.None[uint32]()
	}
	return wit.Some(millis.Of(*time))
}

// source is the host's request.
type source struct{ *host.Request }

func (s source) Query() (string, bool) { return s.Request.Query().Get() }
func (s source) ClientIP() string      { return s.Request.ClientIp() }

func (s source) Header(name string) ([]byte, bool) {
	return s.Request.Header(text.Valid(name)).Get()
}

func (s source) HeaderText(name string) (string, bool) {
	return s.Request.HeaderText(text.Valid(name)).Get()
}

func (s source) HeaderValues(name string) [][]byte {
	return s.Request.HeaderValues(text.Valid(name))
}

func (s source) Headers() []Header {
	wired := s.Request.Headers()
	headers := make([]Header, len(wired))
	for i, header := range wired {
		headers[i] = Header(header)
	}
	return headers
}

func (s source) TLS() *ClientTLS {
	tls, ok := s.Request.Tls().Get()
	if !ok {
		return nil
	}
	return &ClientTLS{tls.Sni.Some(), tls.Version, tls.Cipher, tls.ClientCertSha256.Some()}
}

func (s source) Attempts() []Attempt {
	wired := s.Request.Attempts()
	attempts := make([]Attempt, len(wired))
	for i, attempt := range wired {
		attempts[i] = Attempt{
			Number:           attempt.Number,
			Address:          attempt.Address,
			Stage:            Stage(attempt.Stage),
			Failure:          Failure(attempt.Failure),
			ReusedConnection: attempt.ReusedConnection,
			RequestSent:      attempt.RequestSent,
			Elapsed:          time.Duration(attempt.ElapsedMs) * time.Millisecond,
			Detail:           attempt.Detail,
		}
		if status, ok := attempt.Status.Get(); ok {
			attempts[i].Status = &status
		}
	}
	return attempts
}
