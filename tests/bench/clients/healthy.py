#!/usr/bin/env python3
"""One process with the healthy clients, which are measured; started by clients.py.

    healthy.py PORT COUNT

Each sends a request every 100 ms, half of them on a persistent connection, half on a new one each time. Latency counts
from the moment when a request was due: a client that waits for a response misses its next requests, and each missed one
counts with the rest of the wait. Writes a line of JSON each half second until SIGTERM.
"""

import asyncio
import collections
import json
import os
import signal
import sys
import time

SOURCE = "127.2.0.1"
EVERY_SECONDS = 0.1
TIMEOUT_SECONDS = 5
SAMPLE_SECONDS = 0.5


class Wrong(Exception):
    """An answer that is not the origin's."""


class Client:
    def __init__(self, port, keeps, seen):
        self.port, self.keeps, self.seen, self.stream = port, keeps, seen, None

    async def run(self, due):
        while True:
            await asyncio.sleep(max(0, due - time.monotonic()))
            problem = None
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self.ask()
            except TimeoutError:
                problem = "timeout"
            except Wrong as wrong:
                problem = str(wrong)
            except (ConnectionResetError, BrokenPipeError):
                problem = "reset"
            except (OSError, asyncio.IncompleteReadError) as failure:
                problem = type(failure).__name__
            now = time.monotonic()
            if problem:
                self.seen.errors[problem] += 1
                self.leave()
            else:
                self.seen.waits.append((now - due) * 1000)
            due += EVERY_SECONDS
            while due <= now:
                if not problem:
                    self.seen.waits.append((now - due) * 1000)
                due += EVERY_SECONDS

    async def ask(self):
        if not self.stream:
            self.stream = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(SOURCE, 0))
        reader, writer = self.stream
        connection = "" if self.keeps else "Connection: close\r\n"
        writer.write(f"GET / HTTP/1.1\r\nHost: shop.test\r\n{connection}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if head[9:12] != b"200":
            raise Wrong(f"status {head[9:12].decode('latin-1')}")
        length = head.partition(b"content-length:")[2].split(b"\r\n")[0].strip()
        if not length.isdigit():
            raise Wrong("no length")
        await reader.readexactly(int(length))
        if not self.keeps or b"connection: close" in head:
            self.leave()

    def leave(self):
        if self.stream:
            self.stream[1].transport.abort()
            self.stream = None


class Counters:
    def __init__(self):
        self.waits, self.errors = [], collections.Counter()

    def write(self):
        line = {"t": time.monotonic(), "ms": [round(wait, 2) for wait in self.waits], "errors": dict(self.errors)}
        print(json.dumps(line), flush=True)
        self.waits, self.errors = [], collections.Counter()


async def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    parent, stop, seen = os.getppid(), asyncio.Event(), Counters()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    begin = time.monotonic()
    clients = [Client(port, number % 2 == 0, seen) for number in range(count)]
    tasks = [asyncio.create_task(client.run(begin + EVERY_SECONDS * number / count)) for number, client in enumerate(clients)]
    # Ends with its parent, which would read the output.
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), SAMPLE_SECONDS)
        except TimeoutError:
            pass
        seen.write()
        for task in tasks:
            if task.done():
                task.result()
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
