"""Memory per tenant, per kept instance and per idle connection. Resident set sizes, as differences."""

import http.client
import socket
import time

from peers import peers

# Connections to upstreams are measured on their own; elsewhere none are kept.
KEEP_NONE = "[tenant.upstream]\nidle_timeout_ms = 0\n"


def rss_kib(server):
    return server.memory_kib()[0]


def anonymous_kib(server):
    return server.memory_kib()[2]


def after_requests(sites, name, tenants, count):
    """A proxy's memory once it serves, and after two requests to each tenant; what of that is no file's; and the time that
    it took to start."""
    server = sites.proxy(name, tenants).start(patience=900)
    try:
        start = rss_kib(server)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        for n in range(2 * count):
            connection.request("GET", "/", headers={"Host": f"t{n % count}.test"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{name}: {answer.status} for tenant {n % count}")
        connection.close()
        time.sleep(1)
        return start, rss_kib(server), anonymous_kib(server), server.seconds_to_start
    finally:
        server.stop()


def of_tenants(sites, say, many, own):
    start, used, anonymous, _ = after_requests(sites, "memory-1", sites.one_module(1, KEEP_NONE), 1)
    yield {"what": "the process, with one tenant", "kib": used, "anonymous_kib": anonymous, "at_start_kib": start, "of": 1}

    def case(what, tenants, count, beside=(used, start, anonymous), share=None):
        first, later, own, seconds = after_requests(sites, "memory-many", tenants, count)
        say(f"{what}: {count} tenants started in {seconds:.1f} s")
        share = share or count - 1
        return {"what": what, "kib": (later - beside[0]) / share, "anonymous_kib": (own - beside[2]) / share,
                "at_start_kib": (first - beside[1]) / share, "of": count,
                "seconds_to_start": round(seconds, 1)}, (later, first, own)

    told, shared = case("a tenant; all have one module", sites.one_module(many, KEEP_NONE), many)
    yield told
    told, _ = case("an idle upstream connection", sites.one_module(many), many, shared, many)
    yield {key: told[key] for key in ("what", "kib", "anonymous_kib", "of")}
    yield case(f"a tenant; all have {own:,} modules", sites.own_modules(many, KEEP_NONE, modules=own), many)[0]
    yield case("a tenant with a module of its own", sites.own_modules(own, KEEP_NONE), own)[0]
    alone = KEEP_NONE + sites.without_cache()
    _, without = case("tenants without instances", sites.one_module(own, alone, "rewind = false"), own)
    told, _ = case("an instance that is kept", sites.one_module(own, alone, "instance_calls = 1_000_000"), own, without, own)
    yield {key: told[key] for key in ("what", "kib", "anonymous_kib", "of")}


def idle_downstream(sites, connections):
    """Clients that sent one request each and stay connected. One after the other, to keep upstream connections few."""
    named = peers()
    proxies = {"Pointsman": sites.proxy("memory-idle", sites.one_module(1)), "native Pingora": named["pingora-native"],
               "nginx with Lua": named["nginx-lua"]}
    for name, proxy in proxies.items():
        server, clients = proxy.start(), []
        try:
            for _ in range(50):
                ask(server.port).close()
            before = rss_kib(server)
            for _ in range(connections):
                clients.append(ask(server.port))
            time.sleep(1)
            yield {"what": f"an idle client connection, {name}", "kib": (rss_kib(server) - before) / connections, "of": connections}
        finally:
            for client in clients:
                client.close()
            server.stop()


def ask(port):
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(b"GET / HTTP/1.1\r\nHost: t0.test\r\nCookie: session=1\r\n\r\n")
    got = client.recv(4096)
    if not got.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not a 200: {got[:100]}")
    return client


def measure(sites, say, quick):
    many, own, connections = (1_000, 50, 500) if quick else (10_000, 1_000, 5_000)
    found = []
    for group in (of_tenants(sites, say, many, own), idle_downstream(sites, connections)):
        for one in group:
            found.append({key: round(value, 2) if isinstance(value, float) else value for key, value in one.items()})
            say(f"{one['what']}: {one['kib']:.1f} KiB")
    return found
