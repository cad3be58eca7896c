package random

import host "pointsman.dev/pointsman/internal/gen/imports/pointsman_router_random"

func hostBits() uint64 { return host.GetU64() }
