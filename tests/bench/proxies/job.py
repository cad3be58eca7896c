"""The job, and the check that a proxy does it: FNV-1a (32 bit) over the cookie `session` picks one of eight upstreams."""

import http.client


class WrongAnswer(Exception):
    """A proxy sent a request to the wrong upstream."""


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def check(proxy):
    """Sends 1,000 sessions, twice: a control must always use 9101, any other the port given by the hash."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    for _ in range(2):
        for n in range(1000):
            session = f"{n * 2654435761 % 2**32:08x}{n * 40503 + 12345:08x}"
            connection.request("GET", "/x", headers={"Cookie": f"theme=dark; session={session}; lang=en"})
            answer = connection.getresponse()
            answer.read()
            port = 9101 + (fnv1a(session) % 8 if proxy.control else 0)
            if (answer.status, answer.getheader("x-port")) != (200, str(port)):
                raise WrongAnswer(f"{proxy.name}: {answer.status} from {answer.getheader('x-port')} for {session}, not 200 from {port}")
    connection.close()
