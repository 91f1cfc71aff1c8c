"""web - what the milter serves by HTTP, asked for with Python's own client"""
import contextlib
import dataclasses
import http.client
import re
import socket
import socketserver
import threading

SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass
class Answer:
    """One answer."""
    status: int
    headers: dict
    body: str


class Web:
    """The HTTP server of one milter."""

    def __init__(self, milter, port, host="127.0.0.1"):
        self.milter = milter
        self.host, self.port = host, port
        milter.options["http"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def get(self, path, method="GET", headers=None, timeout=5.0):
        """Ask, and read all of the answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()},
                          answer.read().decode("utf-8"))
        finally:
            connection.close()

    def health(self):
        """What /healthz says; None: nobody answers in time."""
        with contextlib.suppress(OSError):
            return self.get("/healthz")
        return None

    def is_healthy(self):
        """Does it say that all is well?"""
        answer = self.health()
        return answer is not None and answer.status == 200

    def raw(self, data, timeout=5.0):
        """Send bytes, and read until the other side closes or says nothing more."""
        with socket.create_connection((self.host, self.port), timeout) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(data)
            got = b""
            with contextlib.suppress(OSError):
                while more := sock.recv(65536):
                    got += more
            return got

    def metrics(self):
        """{(name, label values in order of their names...): value}."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return parse_metrics(answer.body)


def parse_metrics(text):
    """{name: {frozenset of (label, value): number}}."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        labels = frozenset(LABEL.findall(match["labels"] or ""))
        samples = found.setdefault(match["name"], {})
        assert labels not in samples, f"twice: {line}"
        samples[labels] = float(match["value"])
    return found


def labelled(**labels):
    """The key of a sample."""
    return frozenset(labels.items())


class Greeter:
    """A server on a free port of 127.0.0.1 that says one line and hangs up."""

    def __init__(self, port, line):
        class Handler(socketserver.BaseRequestHandler):
            """One connection."""

            def handle(self):
                with contextlib.suppress(OSError):
                    self.request.sendall(line.encode("utf-8") + b"\r\n")

        class Server(socketserver.ThreadingTCPServer):
            """Many of them."""
            allow_reuse_address = True
            daemon_threads = True

        self.port = port
        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        """Listen."""
        self._thread.start()
        return self

    def stop(self):
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
