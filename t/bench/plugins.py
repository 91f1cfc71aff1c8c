"""plugins - failfast-milter, the empty plugin, and the load that both get"""
import contextlib
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "postfix"), str(HERE.parent / "peers")]

# pylint: disable=wrong-import-position
from harness.milter import BUILD, Milter  # noqa: E402
from harness.wait import wait_until  # noqa: E402
from sick_peer import SickPeer  # noqa: E402

MAX_FAILURES = 1000  # the most that can be set; a session ends behind them


def cpu_seconds(pid):
    """What a process has used up to now, all its threads together (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


class Empty:
    """An empty_milter on a UNIX or TCP socket.

    In a session of its own, as failfast-milter is, because the scheduler may share the processors out by session.
    """

    def __init__(self, listen, steps, flags=(), log=None):
        self.listen = listen
        self._process = subprocess.Popen(
            [BUILD / "t/bench/empty_milter", *flags, "-s", str(steps), listen], stderr=log,
            start_new_session=True)
        wait_until(self._listens, 5, f"{listen} listens")

    def _listens(self):
        assert self._process.poll() is None, "empty_milter ended"
        with contextlib.suppress(subprocess.CalledProcessError):
            return load(self.listen, messages=1)
        return None

    @property
    def worker(self):
        """The process that does the work."""
        return self._process.pid

    def stop(self):
        """End it."""
        self._process.kill()
        self._process.wait()


class Ours(Milter):
    """A failfast-milter as in the tests, which writes no more into its log than usual."""

    def __init__(self, directory, *args, **kwargs):
        kwargs = {"probe": {}, "listen_group": "", "max_failures": MAX_FAILURES, **kwargs}
        super().__init__(directory, *args, **kwargs)
        self.flags = ["-f"]

    @property
    def worker(self):
        """The process that does the work."""
        return self.engine_pid()


def load(listen, connections=1, messages=1000, per_connection=10**9, hops=None, hop_file=None):
    """Run mta_load; what it prints."""
    argv = [BUILD / "t/peers/mta_load", "-c", connections, "-n", messages, "-m", per_connection]
    argv += ["-r", hops] if hops else []
    argv += ["-R", hop_file] if hop_file else []
    done = subprocess.run([str(word) for word in [*argv, listen]], check=True, capture_output=True,
                          text=True, timeout=120)
    return json.loads(done.stdout)


def macros(hop):
    """TRANSPORT:NEXTHOP as mta_load takes it."""
    return hop.replace(":", "=", 1)


def messages_for(run, seconds):
    """How many messages take so long; run(messages) sends some."""
    return max(500, int(run(2000)["per_second"] * seconds))


class Sink:
    """A server that each probe finds healthy, on every address of 127.0.0.0/8."""

    def __init__(self, port):
        self._peer = SickPeer(f"inet:0.0.0.0:{port}").start()
        self.port = port

    def hop(self, number=0):
        """A hop that ends here."""
        return f"smtp:[127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}]:{self.port}"

    def stop(self):
        """End it."""
        self._peer.close()
