"""mta - the MTA's side of the milter protocol, a recipient at a time, to see how long one takes"""
import socket
import struct
import time

VERSION, ALL_ACTIONS, ALL_STEPS = 6, 0x1ff, 0x1fffff


class Mta:
    """One connection to a milter on a UNIX socket."""

    def __init__(self, path):
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(10)
        self._sock.connect(str(path))
        self._send(b"O", struct.pack("!III", VERSION, ALL_ACTIONS, ALL_STEPS))
        assert self._receive()[:1] == b"O"

    def close(self):
        """Say goodbye."""
        self._send(b"Q")
        self._sock.close()

    def _send(self, command, data=b""):
        self._sock.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self._sock.recv(count - len(data))
            assert more, "the milter hung up"
            data += more
        return data

    def _receive(self):
        return self._exactly(struct.unpack("!I", self._exactly(4))[0])

    def ask(self, mailer, nexthop):
        """(seconds, answer) for the first recipient of a new message."""
        macros = {"j": "mx.test", "{mail_addr}": "s@from.test", "{rcpt_addr}": "a@to.test",
                  "{rcpt_mailer}": mailer, "{rcpt_host}": nexthop, "{client_addr}": "192.0.2.1",
                  "{client_name}": "client.test", "{daemon_addr}": "127.0.0.1", "{daemon_port}": "25"}
        packed = "".join(f"{name}\0{value}\0" for name, value in macros.items()).encode()
        began = time.perf_counter()
        self._send(b"D", b"R" + packed)
        self._send(b"R", b"<a@to.test>\0")
        answer = self._receive()
        took = time.perf_counter() - began
        self._send(b"A")
        return took, answer
