package pointsman

import (
	"iter"
	"net/netip"
	"strings"

	"pointsman.dev/pointsman/internal/text"
)

// Request is the request that is to be routed. Nothing is copied in advance: each method asks the host, and the host
// remembers what was asked. So read what the decision needs, and read it once.
//
// It can be asked only in the call that it came with.
type Request struct{ source Source }

// Source is what a Request asks: the host, or in a test pointsmantest. Modules have no use for it.
type Source interface {
	Method() string
	Scheme() string
	Authority() string
	Path() string
	Query() (string, bool)
	Header(name string) ([]byte, bool)
	HeaderText(name string) (string, bool)
	HeaderValues(name string) [][]byte
	Headers() []Header
	ClientIP() string
	Listener() string
	TLS() *ClientTLS
	Attempts() []Attempt
}

// NewRequest is for pointsmantest.
func NewRequest(source Source) *Request { return &Request{source} }

// ClientTLS is facts about the client's TLS connection.
type ClientTLS struct {
	// The server name that the client sent, in lower case. Empty: none.
	SNI string
	// Such as TLSv1.3.
	Version string
	// Such as TLS_AES_256_GCM_SHA384.
	Cipher string
	// SHA-256 of the client's certificate (DER). Nil: it sent none.
	ClientCertSHA256 []byte
}

// Method is the method as sent, such as GET.
func (r *Request) Method() string { return r.source.Method() }

// Scheme is https if the client's connection has TLS, else http.
func (r *Request) Scheme() string { return r.source.Scheme() }

// Authority is the host and, if the client named one, the port, in lower case. Empty if the client sent none.
func (r *Request) Authority() string { return r.source.Authority() }

// Host is the authority without its port: shop.example, 203.0.113.7 or [2001:db8::1].
func (r *Request) Host() string {
	authority := r.Authority()
	// A colon within brackets belongs to an IPv6 address.
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		return authority[:colon]
	}
	return authority
}

// Path is the path as sent, percent-encoding untouched, without the query.
func (r *Request) Path() string { return r.source.Path() }

// PathSegments are the path's segments, percent-decoded: /cart/caf%C3%A9/ has cart and café. Empty ones are left out; .
// and .. are unchanged.
func (r *Request) PathSegments() []string {
	var segments []string
	for segment := range strings.SplitSeq(r.Path(), "/") {
		if segment != "" {
			segments = append(segments, text.Decode(segment, text.PlusStays))
		}
	}
	return segments
}

// Query is what follows the first ?, as sent. False if there is no ?.
func (r *Request) Query() (string, bool) { return r.source.Query() }

// QueryParam is the first query parameter of this name, percent-decoded, with + as a space.
func (r *Request) QueryParam(name string) (string, bool) { return first(r.QueryParams(), name) }

// QueryParams are all query parameters in order, names and values percent-decoded, with + as a space.
func (r *Request) QueryParams() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		query, _ := r.Query()
		for pair := range strings.SplitSeq(query, "&") {
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			if !yield(text.Decode(name, text.PlusIsSpace), text.Decode(value, text.PlusIsSpace)) {
				return
			}
		}
	}
}

// Header is the first value of a header, as text: invalid UTF-8 is replaced by U+FFFD. Use Authority for host, which
// HTTP/2 has not.
func (r *Request) Header(name string) (string, bool) { return r.source.HeaderText(name) }

// HeaderBytes is the first value of a header, as sent.
func (r *Request) HeaderBytes(name string) ([]byte, bool) { return r.source.Header(name) }

// HeaderValues are all values of a header, in order.
func (r *Request) HeaderValues(name string) [][]byte { return r.source.HeaderValues(name) }

// Headers are all headers, names in lower case.
func (r *Request) Headers() []Header { return r.source.Headers() }

// Cookie is the value, as sent, of the first cookie of this name.
func (r *Request) Cookie(name string) (string, bool) { return first(r.Cookies(), name) }

// Cookies are all cookies in order, their values as sent.
func (r *Request) Cookies() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, header := range r.HeaderValues("cookie") {
			for pair := range strings.SplitSeq(text.Lossy(header), ";") {
				name, value, ok := strings.Cut(pair, "=")
				if ok && !yield(strings.TrimSpace(name), strings.TrimSpace(value)) {
					return
				}
			}
		}
	}
}

// ClientIP is the peer address of the client's connection.
func (r *Request) ClientIP() netip.Addr {
	// The contract promises an address; a host that broke it would not be worth a panic.
	address, _ := netip.ParseAddr(r.source.ClientIP())
	return address
}

// Listener is the name of the listener that took the connection.
func (r *Request) Listener() string { return r.source.Listener() }

// TLS is facts about the client's TLS connection. Nil without TLS.
func (r *Request) TLS() *ClientTLS { return r.source.TLS() }

// Attempts are the attempts of this request that failed, oldest first. None on the first call.
func (r *Request) Attempts() []Attempt { return r.source.Attempts() }

func first(pairs iter.Seq2[string, string], wanted string) (string, bool) {
	for name, value := range pairs {
		if name == wanted {
			return value, true
		}
	}
	return "", false
}
