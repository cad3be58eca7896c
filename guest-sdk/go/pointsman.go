// Package pointsman is for writing a Pointsman routing module in Go.
//
// A module is a function from a [Request] to a [Decision]: a [*Peer], a [*Route], a [*Response] or [Pass].
//
//	package main
//
//	import "pointsman.dev/pointsman"
//
//	func init() { pointsman.SelectPeer(selectPeer) }
//
//	func main() {}
//
//	func selectPeer(request *pointsman.Request) (pointsman.Decision, error) {
//		if _, ok := request.Header("x-canary"); ok {
//			return pointsman.HTTP("127.0.0.1:9102"), nil
//		}
//		return pointsman.HTTP("127.0.0.1:9101"), nil
//	}
//
// The host calls it for every request, and again after each attempt that failed ([Request.Attempts]). By default every
// call starts with the memory that the module had when it was loaded: what a decision writes to a variable is not seen by
// a later one.
//
// On any other platform the same code is an ordinary package: pointsmantest makes requests, configuration and log for a
// plain go test.
package pointsman

import (
	"runtime"
	"strings"

	"pointsman.dev/pointsman/internal/text"
)

// Decision is what a router answers: a [*Peer], a [*Route], a [*Response], or [Pass].
type Decision interface{ decision() }

type pass struct{}

// Pass is no opinion: the tenant's next module decides, and after the last one the client gets the tenant's failure
// answer.
var Pass Decision = pass{}

func (*Peer) decision()     {}
func (*Route) decision()    {}
func (*Response) decision() {}
func (pass) decision()      {}

// Router decides one attempt of one request. An error refuses to decide: its text, at most 1,024 bytes of it, goes to the
// access log and never to the client, who gets the tenant's failure answer. A panic counts as an error.
type Router func(*Request) (Decision, error)

// What the module registered.
var (
	router    Router
	configure func(config string) error
	// The folder of the file that registered it, as the compiler has it.
	project string
)

// SelectPeer registers the function that decides. Call it in an init function: the host calls no main.
func SelectPeer(function Router) {
	router = function
	_, file, _, _ := runtime.Caller(1)
	project = file[:strings.LastIndexByte(file, '/')+1]
}

// Configure registers the function that receives the module's configuration, as JSON, once, when the module is loaded.
// Call it in an init function.
//
// Values that it stores in variables are available to every decision, at no cost. An error refuses the module: the
// previous one still serves. It may log, read the configuration, and use time and randomness, whose values stay in the
// state; it may not use packages shared and upstreams.
func Configure(function func(config string) error) { configure = function }

// Header is one header. Names are compared without case.
type Header struct {
	Name  string
	Value []byte
}

// NewHeader is a header with a text as its value.
func NewHeader(name, value string) Header { return Header{name, []byte(value)} }

// Text is the value as text. Invalid UTF-8 is replaced by U+FFFD.
func (h Header) Text() string { return text.Lossy(h.Value) }
