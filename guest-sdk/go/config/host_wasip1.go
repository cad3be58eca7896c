package config

import (
	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_config"
	"pointsman.dev/pointsman/internal/text"
)

func hostJSON() string                       { return host.Json() }
func hostGet(pointer string) (string, bool)  { return host.Get(text.Valid(pointer)).Get() }
func hostText(pointer string) (string, bool) { return host.GetText(text.Valid(pointer)).Get() }
