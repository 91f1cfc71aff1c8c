"""failfastctl watch: live, over a restart of the daemon, into pipes and onto terminals."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness.milter import QUIET, program
from harness.scene import FilterScene, RouteScene
from harness.wait import wait_until

PROBE = {**QUIET, "down_interval": "200ms"}


class Watch:
    """A failfastctl watch whose lines are read as they come."""

    def __init__(self, site, milter, *args, stdout=None, env=None):
        self.lines = []
        self._rest = b""
        read_end, write_end = os.pipe()
        self.out = read_end
        self.process = subprocess.Popen(
            [program("failfastctl"), "-s", str(milter.control), "watch", *args],
            stdin=subprocess.DEVNULL, stdout=write_end if stdout is None else stdout,
            stderr=subprocess.PIPE, env=env)
        os.close(write_end)
        site.at_end(self.end)
        site.show("watch", lambda: "\n".join(self.lines))

    def end(self):
        """Whatever it does now."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.out is not None:
            os.close(self.out)
            self.out = None

    def read(self):
        """Take what is there; all lines so far."""
        while select.select([self.out], [], [], 0)[0]:
            got = os.read(self.out, 65536)
            if not got:
                break
            self._rest += got
            *fresh, self._rest = self._rest.split(b"\n")
            self.lines += [line.decode("ascii") for line in fresh]
        return self.lines

    def wait(self, pattern, timeout=10, after=0):
        """The first line like this from a place on; its match."""
        return wait_until(lambda: next(filter(None, (re.search(pattern, line)
                                                     for line in self.read()[after:])), None),
                          timeout, f"a line like {pattern!r} in {self.lines}")

    def wait_event(self, timeout=10, **expected):
        """The first JSON line with these values."""
        def look():
            for line in self.read():
                document = json.loads(line)
                if all(document[key] == value for key, value in expected.items()):
                    return document
            return None
        return wait_until(look, timeout, f"{expected} in {self.lines}")


def stop_peer(scene, peer, hop):
    """Down, and known to be."""
    peer.stop()
    scene.milter.ctl("probe", hop)
    scene.milter.wait_state(hop, "down")


def routes(site):
    """Two hops, both up, as is everything else."""
    scene = RouteScene(site, probe=PROBE).start()
    wait_until(lambda: {scene.good_hop, scene.bad_hop} <= set(scene.milter.hops()) and
               scene.milter.ctl("status")[0] == 0, 10, "every hop is up")
    return scene


STAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


def test_first_what_is_not_up_and_then_each_change(site):
    scene = routes(site)
    stop_peer(scene, scene.bad, scene.bad_hop)
    watch = Watch(site, scene.milter)
    match = watch.wait(STAMP + rf"down {re.escape(scene.bad_hop)} connection-refused: connect to ")
    assert match.string[:20] == scene.milter.hop(scene.bad_hop)["since"]
    scene.bad.start()
    watch.wait(STAMP + rf"down -> up {re.escape(scene.bad_hop)}$")
    stop_peer(scene, scene.good, scene.good_hop)
    watch.wait(STAMP + rf"up -> down {re.escape(scene.good_hop)} connection-refused: ")
    assert len(watch.lines) == 3 and "\033" not in "".join(watch.lines)
    watch.process.send_signal(signal.SIGINT)
    assert watch.process.wait(5) == -signal.SIGINT
    assert watch.process.stderr.read() == b""


def test_json_lines_of_a_pattern(site):
    scene = routes(site)
    watch = Watch(site, scene.milter, "--json", scene.bad_hop)
    wait_until(lambda: watching(scene), 5, "it watches")
    stop_peer(scene, scene.good, scene.good_hop)
    stop_peer(scene, scene.bad, scene.bad_hop)
    event = watch.wait_event(hop=scene.bad_hop)
    assert list(event) == ["event", "time", "hop", "from", "to", "reason", "detail", "roles"]
    assert (event["event"], event["from"], event["to"], event["reason"], event["roles"]) == \
        ("change", "up", "down", "connection-refused", ["transport"])
    assert len(watch.lines) == 1


def watching(scene):
    """How many clients the control socket has just now."""
    path = str(scene.milter.control)
    with open("/proc/net/unix", encoding="utf-8") as file:
        return sum(line.split()[5] == "03" for line in file if line.rstrip().endswith(path))


@pytest.mark.seconds(8)
def test_it_survives_a_restart_and_tells_what_changed_meanwhile(site):
    scene = routes(site)
    watch = Watch(site, scene.milter)
    # A first word, so that it is known to have begun.
    assert scene.milter.ctl("force", scene.good_hop, "up")[0] == 0
    watch.wait(f"forced-up {re.escape(scene.good_hop)}")
    assert scene.milter.ctl("force", scene.good_hop, "auto")[0] == 0
    watch.wait(f"forced-up -> up {re.escape(scene.good_hop)}")
    scene.milter.stop()
    watch.wait(STAMP + "failfast-milter is gone: waiting for it$")
    scene.bad.stop()
    scene.milter.start()
    watch.wait(STAMP + "failfast-milter is back$", 5)
    watch.wait(STAMP + rf"up -> down {re.escape(scene.bad_hop)} connection-refused")
    wait_until(lambda: scene.milter.status()["counts"]["unknown"] == 0, 10, "every hop is known again")
    os.kill(scene.milter.engine_pid(), signal.SIGKILL)
    watch.wait("failfast-milter is gone", after=5)
    watch.wait("failfast-milter is back", 5, after=6)
    scene.milter.wait_ready()
    scene.milter.wait_state(scene.good_hop, "up")
    scene.milter.wait_state(scene.bad_hop, "down")
    scene.bad.start()
    watch.wait(STAMP + rf"down -> up {re.escape(scene.bad_hop)}$")
    assert len(watch.lines) == 8, "what is as it was is not told"


def test_it_ends_when_nobody_reads_and_when_there_is_no_daemon(site):
    scene = routes(site)
    watch = Watch(site, scene.milter)
    wait_until(lambda: watching(scene), 5, "it watches")
    os.close(watch.out)
    watch.out = None
    assert watch.process.wait(5) == -signal.SIGPIPE, "although it had nothing to write"
    scene.milter.stop()
    code, said = scene.milter.ctl("watch")
    assert code == 3 and "is failfast-milter running?" in said


def test_a_terminal_gets_colour_and_lines_that_fit(site):
    scene = routes(site)
    scene.bad.stop()
    scene.milter.ctl("probe", scene.bad_hop)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        watch = Watch(site, scene.milter, stdout=slave, env=env)
        said = b""
        while not said.endswith(b"\n"):
            assert select.select([master], [], [], 10)[0], said
            said += os.read(master, 4096)
        plain = re.sub(rb"\033\[\d*m", b"", said).rstrip(b"\r\n")
        assert (plain != said.rstrip(b"\r\n")) == coloured, said
        assert 60 < len(plain) <= 80 and scene.bad_hop.encode() in plain, plain
        watch.end()
    os.close(slave)
    os.close(master)


def test_watchers_are_bounded_and_one_that_leaves_makes_room(site):
    scene = FilterScene(site, probe=PROBE).start()
    scene.wait_up()
    clients = []

    def connect():
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(str(scene.milter.control))
        sock.sendall(b'{"command": "watch"}\n')
        clients.append(sock)
        return json.loads(sock.makefile().readline())
    try:
        assert all("hops" in connect() for _ in range(32))
        assert connect() == {"error": "too many watch already"}
        clients.pop().close()
        clients.pop(0).close()
        wait_until(lambda: "hops" in connect(), 5, "there is room again", 0.05)
        code, _ = scene.milter.ctl("status")
        assert code == 0
    finally:
        for sock in clients:
            sock.close()
