"""transports - a site whose mail goes through a master.cf service that tests break and repair

FakeService takes the place of a private/ socket and counts who connects.
"""
import contextlib
import os
import pwd
import socket
import subprocess
import threading
import time

from .milter import BRISK, QUIET, Milter, program
from .scene import Scene
from .wait import wait_until

TEXT = {
    "transport-undefined": "mail transport is not defined in master.cf",
    "transport-refused": "mail transport refuses connections",
    "transport-silent": "mail transport does not answer and no delivery agent is running",
    "transport-broken": "mail transport does not answer as a delivery agent",
    "bind-address": "the bind address of the mail transport is not usable",
    "command-missing": "the command or user of the mail transport does not exist",
    "nexthop-invalid": "the destination is not valid",
}

# "delivery_request_protocol", as every delivery agent greets since Postfix 3.5
GREETING = b"protocol\0delivery_request_protocol\0\0"


def service(name, command="smtp", *options, maxproc="-"):
    """A service of master.cf; options as behind -o."""
    return f"{name} unix - n n - {maxproc} {command}\n" + \
        "".join(f"    -o {{ {option} }}\n" for option in options)


def pipe(name, argv, user="nobody"):
    """A service that runs a command for each message."""
    return f"{name} unix - n n - - pipe\n    flags=R user={user} argv={argv}\n"


def check(hop, which):
    """(state, reason) of one check of a hop as status shows it; None when it has none."""
    for one in hop.get("checks", []):
        if one["check"] == which:
            return one["state"], one["reason"]
    return None


class TransportScene(Scene):
    """Mail for to.test goes through the transport svc to the sink, for other.test through smtp."""

    def __init__(self, site, text=None, nexthop=None, probe=QUIET, sender="sender@from.test",
                 **options):
        super().__init__(site, probe, **options)
        self.sink, self.other = site.peer(), site.peer()
        self.text = text if text is not None else service("svc")
        self.postfix.add_service(self.text)
        self.nexthop = f"[127.0.0.1]:{self.sink.bind_to[1]}" if nexthop is None else nexthop
        self.hop = f"svc:{self.nexthop}"
        self.sender = sender
        self.postfix.route("to.test", self.hop)
        self.other_hop = f"smtp:[127.0.0.1]:{self.other.bind_to[1]}"
        self.postfix.route("other.test", self.other_hop)

    def send(self, recipients=None, who="other", **kwargs):
        kwargs.setdefault("sender", self.sender)
        return super().send(recipients, who, **kwargs)

    def change(self, text):
        """Another text in master.cf for the service, not yet reloaded."""
        self.postfix.remove_service(self.text)
        self.text = text
        self.postfix.add_service(text)
        mark = self.milter.log.mark()
        self.postfix.write()
        # What the milter reads from now on is the new text.
        self.milter.log.wait_for(r"reloaded: ", 10, mark)

    def change_and_reload(self, text):
        """Another text in master.cf, and `postfix reload`."""
        self.change(text)
        self.postfix.reload()

    def must_be_refused(self, reason, code, role="transport", recipients=None):
        """must_refuse() with the words of the reason; nothing is queued."""
        self.must_refuse(self.hop, reason, code, role, TEXT[reason], recipients)
        assert self.postfix.queue() == [] and self.postfix.queue_files() == []

    def must_tag(self, sink, reason, state="degraded", **kwargs):
        """One message that is delivered with a header that names the fault."""
        found = self.must_deliver(sink, **kwargs)
        tags = [value for name, value in found.header() if name == "Failfast-Status"]
        assert len(tags) == 1, found.header()
        for part in (f"state={state}", f"reason={reason}", f'hop="{self.hop}"'):
            assert part in tags[0], tags
        return found

    def private(self, name="svc"):
        """The path of a private/ socket."""
        return self.postfix.queue_directory / "private" / name


def greeting_of(path, timeout):
    """Connect as qmgr does and wait for the first bytes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(str(path))
        return sock.recv(512)


def listens(path):
    """Does anybody listen there?"""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


class FakeService:
    """A server in the place of private/NAME.  greeting None: says nothing until release()."""

    def __init__(self, path, greeting=None):
        self.path = str(path)
        self.greeting = greeting
        self.open = self.most = self.total = 0
        self.sent = b""  # what clients said
        self._stop = False
        self._lock = threading.Lock()
        self._waiting = []
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(50)
        self._listener.settimeout(0.2)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while not self._stop:
            with contextlib.suppress(OSError):
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with self._lock:
            self.total += 1
            self.open += 1
            self.most = max(self.most, self.open)
            if self.greeting is None:
                self._waiting.append(sock)
        with sock, contextlib.suppress(OSError):
            sock.settimeout(60)
            if self.greeting == b"":
                sock.shutdown(socket.SHUT_RDWR)
            elif self.greeting is not None:
                sock.sendall(self.greeting)
            while data := sock.recv(512):
                self.sent += data
        with self._lock:
            self.open -= 1

    def release(self, greeting):
        """Greet all that wait, and all that come from now on."""
        with self._lock:
            self.greeting = greeting
            waiting, self._waiting = self._waiting, []
        for sock in waiting:
            with contextlib.suppress(OSError):
                sock.sendall(greeting)

    def close(self):
        """Gone, with its socket."""
        self._stop = True
        self._thread.join(5)
        self._listener.close()
        self.release(GREETING)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class UnprivilegedMilter(Milter):
    """One that is started as nobody: keeper and engine have no right to look into private/."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"user": "", **kwargs})
        self.pidfile = self.run / "milter.pid"
        self.run.mkdir()
        user = pwd.getpwnam("nobody")
        os.chown(self.run, user.pw_uid, user.pw_gid)

    def spawn(self, *flags):
        with open(self.log.path, "ab") as err:
            return subprocess.Popen(
                ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                 program("failfast-milter"), "-f", "-v", *flags, "-c", str(self.conf),
                 "-p", str(self.pidfile)],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, start_new_session=True)


def hold_for(seconds, condition, what):
    """condition() is true all the time; what: a text, or what gives it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what() if callable(what) else what
        time.sleep(0.05)


__all__ = ["BRISK", "GREETING", "QUIET", "TEXT", "FakeService", "TransportScene",
           "UnprivilegedMilter", "check", "greeting_of", "hold_for", "listens", "pipe", "service",
           "wait_until"]
