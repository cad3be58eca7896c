-- The requests that wrk sends. Options after `--`, each NAME=NUMBER:
--
--   sessions   distinct values of the cookie `session`, in rotation; 0: no value is repeated. 1,000 by default
--   hosts      hosts in rotation: t0.test, t1.test, ...; by default the address
--   routes     paths in rotation: /r0, /r1, ...; by default one path with 1,000 queries
--   head       size of the request's head in bytes, filled up with further headers
--   rate       requests a second, all connections together; by default as fast as responses arrive

local options = { sessions = 1000, hosts = 0, routes = 0, head = 0, rate = 0 }
local prepared, distinct, next_request = {}, 1, 0
local begin = os.time()

local function session(n)
  -- wrk is restarted for each slice: sessions of another slice must not be repeated.
  if options.sessions == 0 then return string.format("%08x%08x", begin, n) end
  return string.format("%08x%08x", (n * 2654435761) % 4294967296, (n * 40503 + 12345) % 4294967296)
end

local function made(n, session_number)
  local headers = {
    ["Cookie"] = "theme=dark; session=" .. session(session_number) .. "; lang=en",
    ["User-Agent"] = "peers-bench",
    ["Accept"] = "*/*",
  }
  if options.hosts > 0 then headers["Host"] = "t" .. n % options.hosts .. ".test" end
  local path = options.routes > 0 and "/r" .. n % options.routes or "/r/item?id=" .. n % 1000
  local text = wrk.format("GET", path, headers)
  -- Headers of 100 bytes, as far as there is room, as in a browser's request: many rather than one long one.
  for filler = 1, math.floor((options.head - #text) / 100) do
    headers[string.format("X-Filler-%03d", filler)] = string.rep("x", 84)
  end
  return wrk.format("GET", path, headers)
end

-- At a rate, each request has its moment, and the connection that is free next waits for it. The moments are those of a
-- fixed timetable: a slow answer delays one connection, not the rate. wrk waits in whole milliseconds.
local function keep_to(rate)
  local ffi = require("ffi")
  ffi.cdef [[
    struct moment { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct moment *moment);
  ]]
  local moment = ffi.new("struct moment")
  local function now()
    ffi.C.clock_gettime(1, moment)
    return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
  end
  local due
  function delay()
    local present = now()
    -- If it falls far behind, the schedule restarts: requests that the proxy was too slow for are not sent later in a
    -- burst.
    if not due or present - due > 0.1 then due = present end
    local wait = math.max(0, due - present)
    due = due + 1 / rate
    return math.floor(wait * 1000 + 0.5)
  end
end

function init(arguments)
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w+)=(%d+)$")
    assert(name and options[name], "unknown option: " .. argument)
    options[name] = tonumber(value)
  end
  -- Divisors of one another in every benchmark, so that this number of requests covers every combination of the
  -- rotation.
  distinct = math.max(options.sessions, options.hosts, options.routes)
  if options.sessions > 0 then
    for n = 0, distinct - 1 do prepared[n] = made(n, n % options.sessions) end
  end
  if options.rate > 0 then keep_to(options.rate) end
end

function request()
  next_request = next_request + 1
  if options.sessions == 0 then return made(next_request, next_request) end
  return prepared[next_request % distinct]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, failed.connect, failed.read, failed.write, failed.status, failed.timeout,
    latency:percentile(50), latency:percentile(99)))
end
