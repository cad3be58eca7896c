// Package export_wit_world is where the generated exports look for the module's functions. Package pointsman sets them.
package export_wit_world

import (
	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_request"
	wire "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_types"
	wit_runtime "pointsman.dev/pointsman/internal/wit/runtime"
	wit "pointsman.dev/pointsman/internal/wit/types"
)

// What the exports do.
var (
	OnSelectPeer func(*host.Request) wit.Result[wire.Decision, string]
	OnConfigure  func(config string) wit.Result[wit.Unit, string]
)

// SelectPeer is the export select-peer.
func SelectPeer(request *host.Request) wit.Result[wire.Decision, string] {
	// The bindings do so themselves only where a parameter takes memory.
	wit_runtime.Unpin()
	return OnSelectPeer(request)
}

// Configure is the export configure.
func Configure(config string) wit.Result[wit.Unit, string] { return OnConfigure(config) }
