"""dns_peer - a tiny name server whose answers a test chooses

Answers over UDP on one address.  A name has addresses, mail exchangers, or a failure: "nxdomain",
"servfail", "timeout" (no answer at all).  Names that nobody set do not exist.
"""
import collections
import contextlib
import socket
import struct
import threading
import time

A, PTR, MX, AAAA, SOA = 1, 12, 15, 28, 6
TYPE_NAMES = {A: "A", PTR: "PTR", MX: "MX", AAAA: "AAAA"}
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def _encode_name(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _decode_name(packet, offset):
    labels = []
    while packet[offset] != 0:
        size = packet[offset]
        labels.append(packet[offset + 1:offset + 1 + size].decode("ascii", "replace"))
        offset += size + 1
    return ".".join(labels).lower(), offset + 1


class DnsPeer:
    """The name server; start() it, then set() names at any time."""

    def __init__(self, address="127.0.0.53", port=53):
        self.address = (address, port)
        self.log = collections.deque(maxlen=2000)
        self._lock = threading.Lock()
        self._records = {}
        self._failure = None
        self._socket = None
        self._thread = None

    def start(self):
        """Answer from now on; returns self."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), daemon=True)
        self._thread.start()
        return self

    def stop(self):
        """Hang up; questions are answered with "port unreachable"."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # not connected, but this wakes the thread
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None

    def set(self, name, a=(), aaaa=(), mx=(), failure=None):
        """What is true of a name: a and aaaa are addresses, mx is (preference, host) pairs."""
        with self._lock:
            self._records[name.lower()] = {A: list(a), AAAA: list(aaaa), MX: list(mx),
                                           "failure": failure}

    def fail_all(self, failure):
        """Answer every question with "servfail" or "timeout"; None ends that."""
        with self._lock:
            self._failure = failure

    def reset(self):
        """Forget every name and failure."""
        with self._lock:
            self._records.clear()
            self._failure = None

    def _serve(self, sock):
        while True:
            try:
                packet, client = sock.recvfrom(4096)
                answer = self._answer(packet)
                if answer is not None:
                    sock.sendto(answer, client)
            except OSError:
                return
            except (IndexError, struct.error):
                continue

    def _answer(self, packet):
        ident, _flags, _questions = struct.unpack("!HHH", packet[:6])
        name, offset = _decode_name(packet, 12)
        (kind,) = struct.unpack("!H", packet[offset:offset + 2])
        question = packet[12:offset + 4]
        with self._lock:
            record = self._records.get(name)
            failure = self._failure or (record["failure"] if record else "nxdomain")
        self.log.append(f"{time.time():.3f} {TYPE_NAMES.get(kind, kind)} {name}: "
                        f"{failure or 'answered'}")
        if failure == "timeout":
            return None
        if failure is not None:
            code = {"servfail": SERVFAIL, "nxdomain": NXDOMAIN}[failure]
            return self._packet(ident, code, question, [])
        return self._packet(ident, NOERROR, question,
                            [self._record(kind, value) for value in record.get(kind, [])])

    @staticmethod
    def _packet(ident, code, question, answers):
        header = struct.pack("!HHHHHH", ident, 0x8580 | code, 1, len(answers), 0, 0)
        return header + question + b"".join(answers)

    @staticmethod
    def _record(kind, value):
        if kind == A:
            data = socket.inet_pton(socket.AF_INET, value)
        elif kind == AAAA:
            data = socket.inet_pton(socket.AF_INET6, value)
        else:
            data = struct.pack("!H", value[0]) + _encode_name(value[1])
        return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data
