"""milter - the program under test: configuration, start, stop, questions

FAILFAST_BUILD names the build directory (default: the root of the repository), so that the same
tests run against sanitizer builds.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from .logfile import LogFile
from .wait import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("FAILFAST_BUILD") or ROOT).resolve()
USER = "nobody"

# Long intervals: what tests of freshness see is found by the message, not by luck.
QUIET = {"interval": "60s", "fast_interval": "200ms", "down_interval": "60s",
         "connect_timeout": "1s", "reply_timeout": "1s"}
# Short ones, for remote hops and for what needs several probes.
BRISK = {"interval": "500ms", "fast_interval": "200ms", "down_interval": "500ms",
         "connect_timeout": "1s", "reply_timeout": "1s"}

STATUS_EXIT = {"up": 0, "forced-up": 0, "degraded": 1, "down": 2, "forced-down": 2, "unknown": 3}


def quote(value):
    """A value in quotes as libconfuse reads them."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(value):
    """A value as it stands in the configuration."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quote(value)


def program(name):
    """The path of a built program; fails when it is not there."""
    path = BUILD / "milter" / name
    assert path.exists(), f"{path} is not built (FAILFAST_BUILD says where to look)"
    return str(path)


def is_sanitized():
    """Is the program built with a sanitizer?  Then its size says nothing."""
    binary = pathlib.Path(program("failfast-milter")).read_bytes()
    return b"__asan_init" in binary or b"__tsan_init" in binary


def command_name(pid):
    """What a process is called; "" when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return ""


class Milter:
    """One failfast-milter.  Change .options, .probe and .extra, then start()."""

    def __init__(self, directory, postfix=None, probe=None, listen=None, **options):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(exist_ok=True)
        self.run = self.dir / "run"
        self.conf = self.dir / "failfast-milter.conf"
        self.control = self.run / "control.sock"
        self.pidfile = self.dir / "milter.pid"
        self.log = LogFile(self.dir / "milter.log")
        self.postfix = [postfix] if postfix else []
        self.listen = listen or self._default_listen()
        self.probe = dict(BRISK if probe is None else probe)
        self.options = dict(options)
        self.evidence = ""  # of the postfix sections; "": the default
        self.extra = ""
        self.flags = ["-f", "-v"]
        self.env = {}  # beside ours
        self.process = None

    def _default_listen(self):
        if self.postfix:
            return f"unix:{self.postfix[0].queue_directory}/failfast-milter/milter.sock"
        return f"unix:{self.run}/milter.sock"

    def socket_path(self):
        """Of the milter's UNIX socket."""
        return pathlib.Path(self.listen.removeprefix("unix:"))

    def postfix_address(self, postfix):
        """How smtpd_milters names this milter: relative to the queue, right in a chroot too."""
        if self.listen.startswith("inet:"):
            port, host = self.listen.removeprefix("inet:").split("@")
            return f"inet:{host}:{port}"
        path = self.socket_path()
        if path.is_relative_to(postfix.queue_directory):
            path = path.relative_to(postfix.queue_directory)
        return f"unix:{path}"

    # -- configuration ------------------------------------------------------------------------

    def conf_text(self):
        """The configuration as it should be now."""
        # No state file unless a test is about it: what one start has seen is nothing to the next.
        options = {"listen": self.listen, "control": self.control, "http": "", "user": USER, "state": "",
                   **self.options}
        lines = [f"{key} = {literal(value)}" for key, value in options.items()]
        evidence = f"evidence = {self.evidence}" if self.evidence else ""
        lines += [f"postfix {quote(postfix.config)} {{ {evidence} }}" for postfix in self.postfix]
        lines += ["probe {", *(f"\t{key} = {value}" for key, value in self.probe.items()), "}"]
        return "\n".join(lines) + "\n" + self.extra

    def write(self, text=None):
        """Write the configuration, or another text in its place."""
        self.conf.write_text(text if text is not None else self.conf_text(), encoding="utf-8")

    # -- running ------------------------------------------------------------------------------

    def spawn(self, *flags):
        """Start the program and wait for nothing."""
        with open(self.log.path, "ab") as err:
            return subprocess.Popen(
                [program("failfast-milter"), *self.flags, *flags, "-c", str(self.conf),
                 "-p", str(self.pidfile)],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, start_new_session=True,
                env={**os.environ, **self.env})

    def start(self, wait=True):
        """Start, and return when the control socket answers."""
        self.write()
        self.process = self.spawn()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=10.0):
        """Wait until failfastctl gets an answer."""
        def answers():
            assert self.process.poll() is None, \
                f"failfast-milter ended with {self.process.returncode}:\n{self.log.tail()}"
            return self.control.exists() and self.status(check=False) is not None
        wait_until(answers, timeout, "failfastctl status answers")

    def stop(self, timeout=15.0):
        """TERM and wait; the exit code."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        family = self.family(process.pid)
        if process.poll() is None:
            process.terminate()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        self.kill_family(process, family)
        assert code is not None, f"failfast-milter did not end within {timeout} s of TERM"
        return code

    def end(self):
        """Stop at the end of a test: in order, and with nothing that a sanitizer has to say."""
        was_running = self.process is not None and self.process.poll() is None
        code = self.stop()
        assert code == 0 or not was_running, f"failfast-milter ended with {code}:\n{self.log.tail()}"
        found = self.log.find(r"(ERROR|WARNING|SUMMARY): \w+Sanitizer|: runtime error: ")
        assert not found, "\n".join(match.string for match in found)

    @staticmethod
    def kill_family(process, family):
        """Whatever is left of the process group that we started."""
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for pid in family:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def pid(self):
        """What the pid file says."""
        return int(self.pidfile.read_text().split()[0])

    def hup(self):
        """Ask for a reload."""
        os.kill(self.pid(), signal.SIGHUP)

    @staticmethod
    def children(pid):
        """Process ids of the children of a process, but the one that runs on_change and ends with it."""
        found = []
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(word) for word in task.read_text().split()]
        return [child for child in found if command_name(child) != "failfast-hooks"]

    @classmethod
    def family(cls, pid):
        """The keeper, the engine, and whatever else they started."""
        found = [pid]
        for child in cls.children(pid):
            found += cls.family(child)
        return found

    def engine_pid(self):
        """The child of the keeper that runs the milter; postconf may be another for a moment."""
        def alone():
            children = self.children(self.pid())
            return children if len(children) == 1 else None
        return wait_until(alone, 5, "the keeper has one child")[0]

    def hook_runner_pid(self):
        """The child of the keeper that runs on_change."""
        path = pathlib.Path(f"/proc/{self.pid()}/task/{self.pid()}/children")
        return next(child for child in map(int, path.read_text().split())
                    if command_name(child) == "failfast-hooks")

    def rss_kib(self):
        """Resident sets in KiB, by process id."""
        found = {}
        for pid in (self.pid(), self.engine_pid()):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                for line in file:
                    if line.startswith("VmRSS:"):
                        found[pid] = int(line.split()[1])
        return found

    # -- questions ----------------------------------------------------------------------------

    def ctl(self, *args, timeout=15.0):
        """Run failfastctl on this milter; (exit code, document or text)."""
        done = subprocess.run([program("failfastctl"), "-s", str(self.control), *args],
                              check=False, capture_output=True, text=True, timeout=timeout)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, done.stdout + done.stderr

    def status(self, *pattern, check=True):
        """The document of `failfastctl status --json`; None without an answer if not check."""
        code, document = self.ctl("status", "--json", *pattern)
        if isinstance(document, dict) and "hops" in document:
            return document
        assert not check, f"failfastctl status: exit {code}: {document}"
        return None

    def ask(self, **request):
        """One request by the control socket, without failfastctl; the document."""
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
            connection.settimeout(15)
            connection.connect(str(self.control))
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            return json.loads(stream.readline())

    def force(self, hop, state, *args):
        """failfastctl force, which has to work; the hop as it is then."""
        code, document = self.ctl("force", "--json", hop, state, *args)
        assert code == 0, document
        return document["status"]

    def reload(self):
        """failfastctl reload, which has to work; its document."""
        code, document = self.ctl("reload", "--json")
        assert code == 0 and document["reloaded"], document
        return document

    def hops(self):
        """{name: hop} of what status says."""
        return {hop["hop"]: hop for hop in self.status()["hops"]}

    def hop(self, name):
        """One hop as status shows it; {} when it is not there."""
        return self.hops().get(name, {})

    def wait_state(self, name, state, reason=None, timeout=10.0):
        """Wait until a hop has this state and reason; the hop."""
        seen = {}

        def there():
            hop = self.hop(name)
            seen.clear()
            seen.update(hop or {"hops": list(self.hops())})
            return hop if hop.get("state") == state and reason in (None, hop.get("reason")) \
                else None
        try:
            return wait_until(there, timeout, f"hop {name} {state} {reason or ''}", 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {seen}") from None

    def wait_sockets(self, timeout=10.0):
        """Wait until the milter listens for mail."""
        if self.listen.startswith("inet:"):
            port, host = self.listen.removeprefix("inet:").split("@")
            wait_until(lambda: _connects(host, int(port)), timeout, f"{self.listen} listens")
            return
        wait_until(self.socket_path().exists, timeout, f"{self.socket_path()} exists")


def _connects(host, port):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), 1).close()
        return True
    return False


def utc(epoch=None):
    """A time as replies and logs write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
