#!/usr/bin/env python3
"""Fuzzes the proxy's listeners over loopback with mutated requests, before an origin that parses strictly.

    tests/http/fuzz.py --http1 --seconds 1800           heads and bodies of HTTP/1
    tests/http/fuzz.py --http2 --seconds 1800           frames and header blocks of HTTP/2, without TLS
    tests/http/fuzz.py --tls --seconds 1800             handshakes at a TLS listener
    tests/http/fuzz.py --http1 --seed 7 --case 1234     one case again: the sent bytes, the reply, and the bytes at the origin

It fails if the origin sees a request that is not well-formed, one that the proxy did not make, more requests than a client
sent, or bytes of another client; if a client gets another one's answer; if the proxy ends or panics, or does not answer a
healthy request; or if its descriptors or its memory grow without a bound. One case of each kind of fault is shown. A case
depends on the seed and its number alone.
"""

import argparse
import asyncio
import os
import random
import re
import socket
import ssl
import struct
import sys
import tempfile
import time
import types

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(os.path.dirname(HERE), "bench")
sys.path[:0] = [HERE, BENCH, os.path.join(BENCH, "clients")]

from harness import places, process  # noqa: E402
import fuzz_cases as cases  # noqa: E402
import fuzz_origin as origins  # noqa: E402
import h2client  # noqa: E402
import h2wire as h2  # noqa: E402
import proxies  # noqa: E402

CLIENTS_AT_ONCE = 32
CASES_IN_BATCH = 500
# One in this number of cases is a healthy request, which must be answered whatever the others do.
HEALTHY_EVERY = 8
HEALTHY_SECONDS = 20
# Silence after which a client assumes that no more bytes follow.
SILENCE_SECONDS = 0.15
LONGEST_CASE_SECONDS = 2
# Maximum left open by a batch: idle upstream connections. The rest must be closed before the deadline.
MOST_DESCRIPTORS_LEFT = 4 * CLIENTS_AT_ONCE + 64
PATIENCE_SECONDS = 20
# Growth since the first batches, in which pools and caches fill.
MOST_GROWTH_MIB = 128
WARM_BATCHES = 5
ANSWERED_TO = re.compile(rb"ip=([0-9.]+);")


class Fuzzer:
    def __init__(self, options, server, origin, ports):
        self.options, self.server, self.origin, self.ports = options, server, origin, ports
        self.faults, self.batch, self.number = {}, {}, 0
        self.statuses, self.log_read, self.warm_kib = {}, 0, None
        origin.report = self.report
        self.trusting = ssl.create_default_context()
        self.trusting.check_hostname, self.trusting.verify_mode = False, ssl.CERT_NONE

    def report(self, kind, ip=None, data=b""):
        """Counts a fault; the first of a kind is shown, with what its client sent."""
        known = self.faults.setdefault(kind, [])
        number = origins.number(ip)
        known.append(number)
        if len(known) > 1:
            return
        print(f"FAULT {kind}\n  seed {self.options.seed}, case {number}, client {ip}\n  bytes: {data[:600]!r}",
              flush=True)
        if number is not None:
            print(f"  sent:  {self.case(number, ip)[:1000]!r}", flush=True)

    def case(self, number, ip):
        if number % HEALTHY_EVERY == 0:
            return self.healthy(ip)
        return cases.case(self.options.protocol, self.options.seed, number, origins.token(ip))

    def healthy(self, ip):
        """A valid request; over HTTP/2 one with a body, whose end is an empty frame."""
        token = origins.token(ip)
        if self.options.protocol != "http2":
            return b"GET /%s HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n" % token
        block = h2client.block("POST", f"/{token.decode()}", "shop.test")
        return (h2.PREFACE + h2.settings() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, block)
                + h2.frame(h2.DATA, 0, 1, token) + h2.frame(h2.DATA, h2.END_STREAM, 1))

    async def exchange(self, ip, data, chance, healthy):
        """One client: sends in pieces, reads until silence, closes in one of three ways. Returns the received bytes."""
        over_tls = self.options.protocol == "tls"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.ports["tls" if over_tls else "http1"], local_addr=(ip, 0),
            ssl=self.trusting if over_tls and healthy else None)
        got = b""
        try:
            if healthy:
                writer.write(data)
                async with asyncio.timeout(HEALTHY_SECONDS):
                    while b"ip=" not in got and (more := await reader.read(65_536)):
                        got += more
                return got
            cuts = sorted(chance.randrange(len(data)) for _ in range(chance.choice((0, 0, 1, 3))))
            for begin, end in zip([0, *cuts], [*cuts, len(data)]):
                writer.write(data[begin:end])
                if end < len(data):
                    await asyncio.sleep(chance.choice((0, 0.001, 0.01)))
            way = chance.randrange(8)
            if way == 0:
                writer.write_eof()
            async with asyncio.timeout(LONGEST_CASE_SECONDS):
                while way != 1 and (more := await asyncio.wait_for(reader.read(65_536), SILENCE_SECONDS)):
                    got += more
            if way in (1, 2):
                linger = struct.pack("ii", 1, 0)  # RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except (TimeoutError, ConnectionError, OSError):
            pass
        finally:
            writer.transport.abort()
        return got

    async def one(self, number):
        ip, healthy = origins.address(number), number % HEALTHY_EVERY == 0
        data = self.case(number, ip)
        self.batch[ip] = number
        try:
            got = await self.exchange(ip, data, random.Random(f"{self.options.seed}/{number}/way"), healthy)
        except (OSError, TimeoutError) as problem:
            got = b""
            if not healthy:
                self.report(f"no connection: {type(problem).__name__}", ip, data)
        for other in ANSWERED_TO.findall(got):
            if other != ip.encode():
                self.report("a client got the answer of another", ip, got)
        answered = b"ip=%s;" % ip.encode() in got
        if healthy and not answered:
            self.report("a healthy request was not answered", ip, got)
        status = got[9:12].decode("latin-1") if got.startswith(b"HTTP/1.") else "other bytes" if got else "nothing"
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return data, got

    async def judge_counts(self):
        """No client may cause more requests than it sent."""
        for ip, number in self.batch.items():
            seen = self.origin.seen.pop(ip, 0)
            if seen < 2:
                continue
            data = self.case(number, ip)
            if self.options.protocol == "http2":
                most = cases.requests_in_frames(data)
            else:
                whole, clean = await origins.count(data)
                most = whole if clean else data.upper().count(b"HTTP/1")
            if seen > most:
                self.report("origin got more requests than were sent", ip, b"%d, not %d" % (seen, most))

    async def run_batch(self):
        numbers = iter(range(self.number, self.number + CASES_IN_BATCH))
        self.number += CASES_IN_BATCH
        self.batch = {}

        async def client():
            for number in numbers:
                await self.one(number)

        await asyncio.gather(*(client() for _ in range(CLIENTS_AT_ONCE)))

    async def check(self, before):
        """The process is alive, and has freed the resources of the batch."""
        if self.server.popen.poll() is not None:
            self.report(f"the proxy ended with {self.server.popen.returncode}")
            return False
        with open(self.server.log, "rb") as log:
            log.seek(self.log_read)
            said = log.read()
        self.log_read += len(said)
        if b"panicked" in said:
            self.report("the proxy panicked", None, said[max(0, said.index(b"panicked") - 200):])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (held := descriptors(self.server)) > before + MOST_DESCRIPTORS_LEFT and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        if held > before + MOST_DESCRIPTORS_LEFT:
            self.report("descriptors leak", None, b"%d, %d at the start" % (held, before))
        used = self.server.memory_kib()[0]
        if self.number <= WARM_BATCHES * CASES_IN_BATCH:
            self.warm_kib = used
        elif used > self.warm_kib + MOST_GROWTH_MIB * 1024:
            self.report("memory grows", None, b"%d KiB, %d after the first batches" % (used, self.warm_kib))
            self.warm_kib = used
        return True

    async def run(self):
        before, begin, said = descriptors(self.server), time.monotonic(), time.monotonic()
        while time.monotonic() - begin < self.options.seconds:
            await self.run_batch()
            lives = await self.check(before)
            await self.judge_counts()
            if not lives:
                break
            if time.monotonic() - said > 60:
                said = time.monotonic()
                print(self.summary(before), file=sys.stderr, flush=True)
        print(self.summary(before))
        for kind, numbers in sorted(self.faults.items()):
            some = [str(number) for number in numbers if number is not None][:5]
            print(f"{len(numbers):7,} x {kind}" + (f" (cases {', '.join(some)})" if some else ""))
        return 1 if self.faults else 0

    def summary(self, before):
        of_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        return (f"{self.options.protocol}, seed {self.options.seed}: {self.number:,} cases, {self.origin.requests:,} requests"
                f" at the origin, {self.origin.cut:,} of them cut; answers: {of_status}; descriptors {before} at the start,"
                f" {descriptors(self.server)} now; RSS {(self.warm_kib or 0) // 1024} MiB after {WARM_BATCHES} batches,"
                f" {self.server.memory_kib()[0] // 1024} now; {sum(map(len, self.faults.values())):,} faults")

    async def again(self, number):
        """Shows one case, and the bytes that reach the origin."""
        data, got = await self.one(number)
        print(f"sent: {data!r}\ngot:  {got!r}")
        await asyncio.sleep(0.5)
        await self.judge_counts()
        print(f"requests at the origin: {self.origin.requests}")
        return 1 if self.faults else 0


def descriptors(server):
    total = 0
    for pid in server.pids():
        try:
            total += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue  # It has ended since it was listed.
    return total


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    protocol = parser.add_mutually_exclusive_group(required=True)
    protocol.add_argument("--http1", dest="protocol", action="store_const", const="http1")
    protocol.add_argument("--http2", dest="protocol", action="store_const", const="http2")
    protocol.add_argument("--tls", dest="protocol", action="store_const", const="tls")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="default: random, and printed")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--pointsman", default=os.path.join(places.REPOSITORY, "target", "debug", "pointsman"))
    parser.add_argument("--listener-toml", default="", metavar="LINES", help="lines for each [[listener]]")
    parser.add_argument("--proxy-toml", default="", metavar="LINES", help="lines for [proxy]")
    return parser.parse_args()


async def fuzz(options, folder):
    origin = origins.Origin(None)
    port = await origin.start()
    pem, key = proxies.certificate(folder)
    values = {"ORIGIN": port, "CERTIFICATE": pem, "KEY": key}
    site = types.SimpleNamespace(folder=folder, starts=0, values=values)
    target = proxies.Pointsman("pointsman", site, options.pointsman, options.listener_toml, options.proxy_toml)
    # It waits for a response of the origin, which this thread sends; so it needs another thread.
    server = await asyncio.to_thread(target.start)
    fuzzer = Fuzzer(options, server, origin, target.ports)
    print(f"{options.protocol}, seed {options.seed}", file=sys.stderr, flush=True)
    try:
        return await (fuzzer.run() if options.case is None else fuzzer.again(options.case))
    finally:
        await asyncio.to_thread(server.stop)
        await origin.close()


def main():
    options = arguments()
    process.end_on_signals()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            raise SystemExit(asyncio.run(fuzz(options, folder)))
        except process.DidNotStart as problem:
            raise SystemExit(f"fuzz: {problem}") from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        finally:
            process.stop_all()


if __name__ == "__main__":
    main()
