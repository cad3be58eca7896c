//go:build !wasip1

package pointsmantest

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"pointsman.dev/pointsman"
	"pointsman.dev/pointsman/internal/text"
)

// An Option sets one fact of a request.
type Option func(*request)

// Get is a GET of a URL, https://shop.example/cart?x=1, or of a path alone, /cart, for a client that names no host.
//
// https gives the connection TLS with the host as its server name. The client is 192.0.2.1, the listener test.
func Get(url string, options ...Option) *pointsman.Request { return NewRequest("GET", url, options...) }

// NewRequest is the same with another method.
func NewRequest(method, url string, options ...Option) *pointsman.Request {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "http", url
	}
	target := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		target = i
	}
	request := &request{
		method:    method,
		scheme:    strings.ToLower(scheme),
		authority: strings.ToLower(rest[:target]),
		clientIP:  "192.0.2.1",
		listener:  "test",
	}
	request.path, request.query, request.hasQuery = strings.Cut(rest[target:], "?")
	if request.path == "" {
		request.path = "/"
	}
	if request.scheme == "https" {
		sni, _, _ := strings.Cut(request.authority, ":")
		request.tls = &pointsman.ClientTLS{SNI: sni, Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384"}
	}
	for _, option := range options {
		option(request)
	}
	return pointsman.NewRequest(request)
}

// Header adds a header. A text in Go may hold any bytes.
func Header(name, value string) Option {
	return func(r *request) { r.headers = append(r.headers, pointsman.NewHeader(strings.ToLower(name), value)) }
}

// ClientIP sets the client's address.
func ClientIP(address string) Option { return func(r *request) { r.clientIP = address } }

// Listener sets the listener's name.
func Listener(name string) Option { return func(r *request) { r.listener = name } }

// TLS sets the facts about the client's TLS connection.
func TLS(tls pointsman.ClientTLS) Option { return func(r *request) { r.tls = &tls } }

// Attempts adds failed attempts, such as Refused. They are numbered here.
func Attempts(attempts ...pointsman.Attempt) Option {
	return func(r *request) {
		for _, attempt := range attempts {
			attempt.Number = uint32(len(r.attempts)) + 1
			r.attempts = append(r.attempts, attempt)
		}
	}
}

// Refused is an attempt that failed because nothing listened on the address.
func Refused(address string) pointsman.Attempt {
	return failed(address, pointsman.StageConnect, pointsman.FailureRefused)
}

// TimedOut is an attempt that failed because the connection timed out.
func TimedOut(address string) pointsman.Attempt {
	return failed(address, pointsman.StageConnect, pointsman.FailureTimeout)
}

// Closed is an attempt that failed since the upstream closed the connection instead of answering.
func Closed(address string) pointsman.Attempt {
	attempt := failed(address, pointsman.StageReceive, pointsman.FailureClosed)
	attempt.RequestSent = true
	return attempt
}

// Status is an attempt that failed since the upstream answered with this status.
func Status(address string, status uint16) pointsman.Attempt {
	attempt := failed(address, pointsman.StageReceive, pointsman.FailureStatus)
	attempt.RequestSent = true
	attempt.Status = &status
	return attempt
}

func failed(address string, stage pointsman.Stage, failure pointsman.Failure) pointsman.Attempt {
	return pointsman.Attempt{
		Number: 1, Address: address, Stage: stage, Failure: failure, Elapsed: time.Millisecond,
	}
}

// request is what the host would know.
type request struct {
	method, scheme, authority, path, query string
	hasQuery                               bool
	headers                                []pointsman.Header
	clientIP, listener                     string
	tls                                    *pointsman.ClientTLS
	attempts                               []pointsman.Attempt
}

func (r *request) Method() string                { return r.method }
func (r *request) Scheme() string                { return r.scheme }
func (r *request) Authority() string             { return r.authority }
func (r *request) Path() string                  { return r.path }
func (r *request) Query() (string, bool)         { return r.query, r.hasQuery }
func (r *request) ClientIP() string              { return r.clientIP }
func (r *request) Listener() string              { return r.listener }
func (r *request) Attempts() []pointsman.Attempt { return slices.Clone(r.attempts) }

func (r *request) TLS() *pointsman.ClientTLS {
	if r.tls == nil {
		return nil
	}
	return new(*r.tls)
}

func (r *request) Header(name string) ([]byte, bool) {
	if values := r.HeaderValues(name); len(values) > 0 {
		return values[0], true
	}
	return nil, false
}

func (r *request) HeaderText(name string) (string, bool) {
	value, ok := r.Header(name)
	return text.Lossy(value), ok
}

func (r *request) HeaderValues(name string) [][]byte {
	var values [][]byte
	for _, header := range r.headers {
		if strings.EqualFold(header.Name, name) {
			values = append(values, bytes.Clone(header.Value))
		}
	}
	return values
}

func (r *request) Headers() []pointsman.Header {
	headers := slices.Clone(r.headers)
	first := func(name string) int {
		return slices.IndexFunc(r.headers, func(header pointsman.Header) bool { return header.Name == name })
	}
	slices.SortStableFunc(headers, func(a, b pointsman.Header) int { return first(a.Name) - first(b.Name) })
	return headers
}
