package pointsman

import "time"

// Attempt is an attempt of this request that failed.
type Attempt struct {
	// The first is 1.
	Number uint32
	// The address that the module named.
	Address string
	// How far it got.
	Stage Stage
	// The failure.
	Failure Failure
	// The upstream's status if that is why the attempt failed, or the CONNECT proxy's if it refused. Nil: neither.
	Status *uint16
	// Whether a pooled connection was used.
	ReusedConnection bool
	// Whether bytes of the request may have reached the upstream.
	RequestSent bool
	// From the decision to the failure, in whole milliseconds.
	Elapsed time.Duration
	// For logs, not for decisions: its text may change.
	Detail string
}

// Stage is how far an attempt got.
type Stage uint8

const (
	// StageResolve is resolving a name.
	StageResolve Stage = iota
	// StageConnect is establishing the TCP or Unix connection.
	StageConnect
	// StageConnectProxy is requesting a tunnel from the CONNECT proxy.
	StageConnectProxy
	// StageTLS is the TLS handshake.
	StageTLS
	// StageSend is sending the request.
	StageSend
	// StageReceive is waiting for the response or reading it.
	StageReceive
	// StageOther is anything else.
	StageOther
)

var stages = [...]string{"resolve", "connect", "connect-proxy", "tls", "send", "receive", "other"}

// String is the name that the WIT has for it.
func (s Stage) String() string { return name(stages[:], uint8(s)) }

// Failure is what happened to an attempt.
type Failure uint8

const (
	// FailureTimeout is a timeout that ran out.
	FailureTimeout Failure = iota
	// FailureRefused is an address on which nothing listens.
	FailureRefused
	// FailureUnreachable is an address without a route, or a name without an address.
	FailureUnreachable
	// FailureClosed is a connection that the upstream closed or reset.
	FailureClosed
	// FailureCertificate is a certificate that did not pass.
	FailureCertificate
	// FailureProtocol is an upstream, or a proxy, that did not keep to its protocol.
	FailureProtocol
	// FailureProxyRefused is a CONNECT proxy that refused.
	FailureProxyRefused
	// FailureStatus is a status that Retry.OnStatus names.
	FailureStatus
	// FailureOther is anything else.
	FailureOther
)

var failures = [...]string{
	"timeout", "refused", "unreachable", "closed", "certificate", "protocol", "proxy-refused", "status", "other",
}

// String is the name that the WIT has for it.
func (f Failure) String() string { return name(failures[:], uint8(f)) }

// A number that no case has is one that this version does not know.
func name(names []string, number uint8) string {
	if int(number) < len(names) {
		return names[number]
	}
	return "other"
}
