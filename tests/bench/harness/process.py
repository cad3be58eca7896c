"""Processes that the benchmark starts, and the kernel's figures about them.

Every process is the leader of its own process group. `stop_all` ends these groups and nothing else.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time

started = []


class DidNotStart(Exception):
    """A process ended, or did not answer in time; the message has the end of its log."""


class Process:
    """A server on 127.0.0.1, pinned to some cores."""

    def __init__(self, name, command, port, folder, cores="0", environment=None, host="warm.test", patience=30):
        os.makedirs(folder, exist_ok=True)
        # Otherwise a different server would be measured.
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise DidNotStart(f"{name}: something listens on port {port} already")
        self.name, self.port, self.log = name, port, os.path.join(folder, "log")
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                ["taskset", "-c", cores, *command], cwd=folder, env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        started.append(self)
        begin = time.monotonic()
        if not self._answers(host, begin + patience):
            with open(self.log, errors="replace") as log:
                tail = log.read()[-800:]
            self.stop()
            raise DidNotStart(f"{name} does not answer: {tail or 'its log is empty'}")
        self.seconds_to_start = time.monotonic() - begin

    def _answers(self, host, deadline):
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/", headers={"Host": host})
                if connection.getresponse().status < 500:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        return False

    def stop(self):
        """Terminates the group, and kills it after two seconds."""
        if self in started:
            started.remove(self)
        for sent, seconds in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.popen.pid, sent)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and self._group_lives():
                time.sleep(0.02)
        self.popen.wait()

    def _group_lives(self):
        self.popen.poll()  # Reaps the leader, which would count as alive otherwise.
        try:
            os.killpg(self.popen.pid, 0)
            return True
        except ProcessLookupError:
            return False

    def pids(self):
        """The processes of the group: a master and its workers."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat") as stat:
                        group = int(stat.read().rsplit(")", 1)[1].split()[2])
                except OSError:
                    continue
                if group == self.popen.pid:
                    found.append(int(entry))
        return found

    def cpu_us(self):
        """CPU time of every thread, in microseconds: the scheduler's own figure, which is exact to the nanosecond."""
        total = 0
        for pid in self.pids():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                        total += int(stat.read().split()[0])
            except OSError:
                continue
        return total / 1000

    def memory_kib(self):
        """Resident and proportional set size, and the part of the first that is not backed by files. The second counts
        memory that a master shares with its worker once."""
        sizes = {"Rss": 0, "Pss": 0, "Anonymous": 0}
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as rollup:
                    for line in rollup:
                        key = line.split(":")[0]
                        if key in sizes:
                            sizes[key] += int(line.split()[1])
            except OSError:
                continue
        return sizes["Rss"], sizes["Pss"], sizes["Anonymous"]


def stop_all():
    for process in started[:]:
        process.stop()


def end_on_signals():
    """SIGTERM and SIGHUP become an exception, so that `finally` ends the started processes."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def core_busy_us(core):
    """Time that a core was busy with anything."""
    with open("/proc/stat") as stat:
        for line in stat:
            fields = line.split()
            if fields[0] == f"cpu{core}":
                user, nice, system, _idle, _wait, irq, softirq = (int(field) for field in fields[1:8])
                return (user + nice + system + irq + softirq) * 1_000_000 // os.sysconf("SC_CLK_TCK")
    return 0


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path
