package log

import (
	host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_log"
	"pointsman.dev/pointsman/internal/text"
)

func hostLog(level Level, message string) { host.Log(uint8(level), text.Valid(message)) }
