package log

import (
	host "pointsman/internal/gen/imports/pointsman_router_log"
	"pointsman/internal/text"
)

func hostLog(level Level, message string) { host.Log(uint8(level), text.Valid(message)) }
