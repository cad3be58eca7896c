-- FNV-1a (32 bit) over the cookie `session`, as an action.
core.register_action("pick", { "http-req" }, function(txn)
  local c, h = txn.f:req_cook("session") or "", 0x811c9dc5
  for i = 1, #c do h = ((h ~ c:byte(i)) * 0x01000193) & 0xffffffff end
  txn:set_var("txn.dip", "127.0.0.1")
  txn:set_var("txn.dport", 9101 + (h & 7))
end, 0)
