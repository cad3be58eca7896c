-- FNV-1a (32 bit) over the cookie `session`, in the balancer phase.
local bit, balancer = require "bit", require "ngx.balancer"
local bxor, lshift, tobit, band = bit.bxor, bit.lshift, bit.tobit, bit.band
local byte = string.byte
local M = {}
function M.balance()
  local c, h = ngx.var.cookie_session or "", tobit(0x811c9dc5)
  -- The prime 0x01000193 in parts: a product of 32-bit numbers has no room in a double.
  for i = 1, #c do h = bxor(h, byte(c, i)); h = tobit(h * 403 + lshift(h, 24)) end
  balancer.set_timeouts(1, nil, nil)
  local ok = balancer.set_current_peer("127.0.0.1", 9101 + band(h, 7))
  if not ok then return ngx.exit(500) end
end
return M
