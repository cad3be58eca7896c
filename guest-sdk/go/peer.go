package pointsman

import "time"

// Peer is an upstream and how to connect to it. A nil or zero field is left to the tenant's configuration, or off. A
// wrong value is refused by the host, which names the field; it is never ignored.
//
// A field that may be absent is a pointer: peer.Timeouts.Connect = new(300 * time.Millisecond).
type Peer struct {
	// ip:port, [ipv6]:port, name:port or unix:/path.
	Address string
	// Nil: plain HTTP.
	TLS *TLS
	// Nil: straight to the address.
	ConnectProxy *ConnectProxy
	// The local end of the connection. Nil: the system chooses. Needs a grant.
	BindTo   *BindTo
	Timeouts Timeouts
	// Probes of an idle connection. Nil: the tenant's default.
	TCPKeepalive *TCPKeepalive
	HTTP         HTTPOptions
	Socket       SocketOptions
	// Keeps connections apart that are equal otherwise: they are shared only within one value. At most 256 bytes.
	Isolation *string
}

// HTTP is plain HTTP/1.1 to ip:port, [ipv6]:port, name:port or unix:/path.
func HTTP(address string) *Peer { return &Peer{Address: address} }

// HTTPS is HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, say which name to
// expect: TLS.SNI.
func HTTPS(address string) *Peer { return &Peer{Address: address, TLS: &TLS{}} }

// TLS is how to speak TLS to the upstream.
type TLS struct {
	// The server name to send, and to find in the certificate. Nil: the host part of the address, if it is a DNS name.
	SNI *string
	// How far the certificate is checked. Less than VerifyFull needs a grant.
	Verify Verify
	// A second name that the certificate may carry.
	AlternativeCN *string
	// The operator's CA bundle of this name, instead of the system's roots.
	CA *string
	// The operator's client certificate of this name.
	ClientCert *string
	// Key exchange groups to offer, best first: X25519:P-256.
	Curves *string
	// Whether to send a second key share with a post-quantum one. BoringSSL only.
	SecondKeyShare *bool
}

// Verify is how far the upstream's certificate is checked.
type Verify uint8

const (
	// VerifyFull checks the chain and the name.
	VerifyFull Verify = iota
	// VerifyChainOnly takes any name.
	VerifyChainOnly
	// VerifyNone takes any certificate.
	VerifyNone
)

// ConnectProxy is an HTTP proxy that opens a tunnel to the peer by CONNECT.
type ConnectProxy struct {
	// The same forms as Peer.Address.
	Address string
	// Added to the CONNECT request, such as proxy-authorization.
	Headers []Header
}

// BindTo is the local end of a connection. The host refuses one with neither address nor ports.
type BindTo struct {
	// ip or ip:port. Nil: any.
	Address *string
	// Local ports to choose from. Nil: the system's range.
	Ports *PortRange
	// Whether to take another port when none in the range is free.
	Fallback bool
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Timeouts are wall time. The host takes whole milliseconds: a fraction of one counts as one. Nil: the tenant's default.
type Timeouts struct {
	// To establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS handshake.
	Connect *time.Duration
	// To establish the connection with all that belongs to it: TCP, CONNECT, TLS.
	TotalConnect *time.Duration
	// Between two reads of the response.
	Read *time.Duration
	// For one write of the request.
	Write *time.Duration
	// How long the connection is kept for reuse. Zero: not at all.
	Idle *time.Duration
}

// TCPKeepalive is probes of an idle connection.
type TCPKeepalive struct {
	// Idle time before the first probe, in whole seconds, 1 to 32,767.
	Idle time.Duration
	// Time between probes, in whole seconds, 1 to 32,767.
	Interval time.Duration
	// Unanswered probes after which the connection is closed, 1 to 127.
	Count uint32
	// How long sent data may stay unacknowledged, in whole milliseconds. Zero: the system's default.
	UserTimeout time.Duration
}

// HTTPOptions are how to speak HTTP.
type HTTPOptions struct {
	ALPN ALPN
	// Concurrent streams on one HTTP/2 connection, 1 to 65,535.
	MaxH2Streams *uint32
	// Time between HTTP/2 pings on a connection. Nil: no pings.
	H2PingInterval *time.Duration
	// Initial HTTP/2 receive window of a stream, in bytes, from 65,535 on. Nil: 8 MiB.
	H2StreamWindow *uint32
	// Initial HTTP/2 receive window of the connection, in the same way.
	H2ConnectionWindow *uint32
	Upgrade            Upgrade
	Quirks             Quirks
}

// ALPN is the HTTP version to speak.
type ALPN uint8

const (
	// H1 is HTTP/1.1.
	H1 ALPN = iota
	// H2 is HTTP/2; without TLS by prior knowledge.
	H2
	// H2H1 is HTTP/2 if the upstream agrees, else HTTP/1.1. Only with TLS.
	H2H1
)

// Upgrade is which HTTP/1.1 upgrades are forwarded.
type Upgrade uint8

const (
	// UpgradeWebSocket forwards WebSocket only.
	UpgradeWebSocket Upgrade = iota
	// UpgradeAny forwards all.
	UpgradeAny
	// UpgradeDeny forwards none.
	UpgradeDeny
)

// Quirks are departures from the HTTP standard, for upstreams that need them: QuirkKeepHopByHop |
// QuirkAcceptInvalidContentLength.
type Quirks uint8

const (
	// QuirkKeepHopByHop forwards hop-by-hop headers of the request.
	QuirkKeepHopByHop Quirks = 1 << iota
	// QuirkKeepConnectionNominated forwards headers that connection names.
	QuirkKeepConnectionNominated
	// QuirkAcceptMalformedConnection accepts a connection header that does not parse.
	QuirkAcceptMalformedConnection
	// QuirkAcceptInvalidContentLength takes a response whose single content-length does not parse as one that ends with
	// the connection.
	QuirkAcceptInvalidContentLength
)

// SocketOptions are options of the socket.
type SocketOptions struct {
	// Differentiated services code point, 0 to 63.
	DSCP *uint8
	// Size of the receive buffer, in bytes, from 1,024 on.
	TCPRecvBuf *uint32
	// Sends the first bytes with the SYN (RFC 7413).
	TCPFastOpen bool
}
