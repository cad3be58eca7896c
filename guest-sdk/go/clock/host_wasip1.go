package clock

import host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_clock"

func hostNowMs() uint64 { return host.NowMs() }
