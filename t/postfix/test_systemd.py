"""The systemd unit: what it says is right, and the programs work as confined as it makes them.

There is no systemd in these tests.  What it would do to the service is done by hand, and what it would
be told is read from sockets of the test.
"""
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess

import pytest

from harness.milter import is_sanitized, program
from harness.scene import FilterScene
from harness.unit import Confinement, bind_over, own_mounts, unit_text
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                reason="no systemd-analyze")


def analyze(tmp_path, *words):
    """systemd-analyze about the unit."""
    path = tmp_path / "failfast-milter.service"
    path.write_text(unit_text(), encoding="utf-8")
    return subprocess.run(["systemd-analyze", *words, str(path)], check=False, text=True,
                          capture_output=True, env={**os.environ, "SYSTEMD_PAGER": ""}, timeout=60)


def spawn(milter, wrap=None, environment=None, stderr=None):
    """Start a milter as a service would be; its standard error goes to the log if not told."""
    milter.write()
    with open(milter.log.path, "ab") as log:
        milter.process = subprocess.Popen(
            [program("failfast-milter"), "-f", "-c", str(milter.conf), "-p", str(milter.pidfile)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=stderr or log, start_new_session=True,
            preexec_fn=wrap, env={**os.environ, **(environment or {})})
    return milter


@contextlib.contextmanager
def datagrams(path):
    """A socket like systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        os.chmod(path, 0o666)
        sock.settimeout(10)
        yield sock


def test_unit_is_valid(tmp_path):
    """systemd finds no fault in it."""
    done = analyze(tmp_path, "verify", "--man=no")
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_exposure(tmp_path):
    """No more is left open than the unit explains."""
    done = analyze(tmp_path, "security", "--offline=true", "--threshold=30")
    assert done.returncode == 0, done.stdout


def test_ready(site):
    """READY=1 comes when the sockets are there, and from the main process."""
    scene = FilterScene(site)
    scene.postfix.prepare()
    with datagrams(str(site.dir / "notify")) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        spawn(scene.milter, environment={"NOTIFY_SOCKET": str(site.dir / "notify")})
        while True:
            text, ancillary, _flags, _address = sock.recvmsg(4096, 256)
            if b"READY=1" in text.split(b"\n"):
                break
    assert int.from_bytes(ancillary[0][2][:4], "little") == scene.milter.process.pid
    assert scene.milter.socket_path().exists() and scene.milter.status() is not None


def fields_of(datagram):
    """{name: value} of a message to the journal; these have no newlines."""
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer writes to standard error")
def test_journal(site):
    """With the journal at standard error, messages have priorities, and changes of state fields."""
    scene = FilterScene(site)
    scene.postfix.prepare()
    scene.postfix.start()
    journal = site.dir / "journal"
    journal.mkdir()
    reader, writer = os.pipe()
    where = os.fstat(writer)

    def show_journal():
        own_mounts()
        bind_over(str(journal), "/run/systemd/journal")

    with datagrams(journal / "socket") as sock:
        spawn(scene.milter, show_journal, {"JOURNAL_STREAM": f"{where.st_dev}:{where.st_ino}"}, writer)
        os.close(writer)
        seen = {}
        while not seen.get("MESSAGE", "").startswith(f"hop {scene.hop}: unknown -> up"):
            seen = fields_of(sock.recv(65536))
        assert seen["FAILFAST_HOP"] == scene.hop and seen["FAILFAST_STATE"] == "up", seen
        assert seen["SYSLOG_IDENTIFIER"] == "failfast-milter" and seen["SYSLOG_FACILITY"] == "2"
        assert seen["PRIORITY"] == "6"
        # A journal that does not take it gets the priority before the line.
        sock.close()
        scene.milter.hup()
        text = b""
        while b"<6>reload: SIGHUP\n" not in text:
            assert select.select([reader], [], [], 10)[0], text
            text += os.read(reader, 4096)
    os.close(reader)


def test_stderr_sent_elsewhere_is_no_journal(site):
    """JOURNAL_STREAM of somebody else changes nothing."""
    scene = FilterScene(site)
    scene.postfix.prepare()
    spawn(scene.milter, environment={"JOURNAL_STREAM": "1:1"})
    line = scene.milter.log.wait_for(r".*ready: listening").string
    assert not line.startswith("<")


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer needs system calls of its own")
def test_confined(site):
    """As confined as the unit makes it, it does all that it does."""
    scene = FilterScene(site)
    scene.postfix.prepare()
    scene.postfix.start()
    spawn(scene.milter, Confinement())
    scene.milter.wait_ready()
    scene.milter.wait_sockets()
    scene.wait_up()
    scene.must_accept()
    states = {name: hop["state"] for name, hop in scene.milter.hops().items()}
    assert set(states.values()) == {"up"}, states
    scene.milter.hup()
    scene.milter.log.wait_for("reload: SIGHUP")
    engine = scene.milter.engine_pid()
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: scene.milter.children(scene.milter.pid()) not in ([], [engine]), 10,
               "another engine")
    scene.wait_up()
    scene.filter.stop()
    scene.milter.wait_state(scene.hop, "up")
    wait_until(lambda: scene.send().refusal, 5, "a refusal")
    assert scene.milter.stop() == 0
    assert not scene.milter.log.find("(?i)not permitted|read-only"), scene.milter.log.tail()
    assert not scene.milter.socket_path().exists()


def test_confined_set_group_id(site):
    """Programs of on_change may call postqueue, as confined as they are: it gets its group."""
    made = site.dir / "id"
    shutil.copy("/usr/bin/id", made)
    shutil.chown(made, group="postdrop")
    made.chmod(0o2755)
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(made), "-gn"],
                          check=False, text=True, capture_output=True, timeout=60, preexec_fn=Confinement())
    assert (done.returncode, done.stdout) == (0, "postdrop\n"), done.stderr
