"""Fixtures of the tests on a real Postfix.  See harness/ for what they give.

    /usr/bin/python3 -m pytest -n 3 t/postfix

as root, on Debian with postfix, postfix-lmdb, postfix-pcre, amavisd-new, dovecot-lmtpd, iproute2,
systemd-journal-remote, unbound,
python3-pytest, python3-pytest-xdist, python3-pytest-timeout and a C compiler.  FAILFAST_BUILD names
another build directory than the root of the repository; FAILFAST_LOAD_MESSAGES another number of
messages for the memory test.  A test that fails shows every log of its site.
"""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

# pylint: disable=wrong-import-position
from auth_peer import AuthPeer  # noqa: E402
from dns_peer import DnsPeer  # noqa: E402
from harness import net  # noqa: E402
from harness.amavis import Amavis  # noqa: E402
from harness.milter import Milter  # noqa: E402
from harness.postfix import PostfixInstance  # noqa: E402
from harness.stack import StackPostfix  # noqa: E402
from harness.unbound import ADDRESS as UNBOUND_ADDRESS, Unbound  # noqa: E402
from sick_peer import SickPeer  # noqa: E402
from tls_peer import TlsPeer  # noqa: E402

_state = {"world": None, "why": "", "number": 0}


def pytest_configure(config):
    """Register markers; move a worker into its namespaces before it starts any thread."""
    config.addinivalue_line("markers", "seconds(n): about how long the test takes; long ones first")
    is_controller = not hasattr(config, "workerinput") and getattr(config.option, "tx", None)
    if is_controller or config.option.collectonly:
        return
    try:
        _state["world"] = net.World.enter()
    except net.Unprepared as why:
        _state["why"] = str(why)


def pytest_unconfigure():
    """Leave nothing behind."""
    if _state["world"] is not None:
        _state["world"].leave()


def pytest_addoption(parser):
    """--longest N: leave out tests that take longer than so many seconds."""
    parser.addoption("--longest", type=int, default=None)


def pytest_collection_modifyitems(config, items):
    """Long tests start first, so that no worker ends long after the others."""
    def seconds(item):
        marker = item.get_closest_marker("seconds")
        return marker.args[0] if marker else 3
    longest = config.getoption("longest")
    if longest is not None:
        items[:] = [item for item in items if seconds(item) <= longest]
    items.sort(key=lambda item: -seconds(item))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows every log of the site."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for title, text in getattr(item, "site_logs", []):
        try:
            report.sections.append((title, text()))
        except Exception as error:  # pylint: disable=broad-except
            report.sections.append((title, f"(no log: {error!r})"))


@pytest.fixture(scope="session")
def world():
    """The namespaces of this worker."""
    assert _state["world"] is not None, _state["why"]
    yield _state["world"]
    left = _state["world"].wait_for_no_processes()
    assert not left, f"processes left behind by the session: {left}"


@pytest.fixture(scope="session")
def name_server(world):  # pylint: disable=redefined-outer-name,unused-argument
    """The name server that everything in this worker asks."""
    peer = DnsPeer(net.DNS_ADDRESS).start()
    yield peer
    peer.stop()


class Site:
    """What one test has running; everything ends with the test."""

    def __init__(self, item, the_world, dns):
        _state["number"] += 1
        self.world = the_world
        self.dns = dns
        self.dir = pathlib.Path(the_world.base) / f"{_state['number']:03d}"
        self.dir.mkdir()
        self._item = item
        item.site_logs = [("name server", lambda: "\n".join(list(dns.log)[-40:]))]
        self._cleanup = []
        self._count = 0

    def _next(self, word):
        self._count += 1
        return self.dir / f"{word}{self._count}"

    def at_end(self, function):
        """Call this when the test is over; last first."""
        self._cleanup.append(function)

    def show(self, title, text):
        """Show text() when the test fails."""
        self._item.site_logs.append((title, text))

    def peer(self, address=None, start=True, remote=False, **kwargs):
        """A sick peer, on a loopback port if not told; remote: in the outside world."""
        if address is None:
            host = net.REMOTE_ADDRESS if remote else "127.0.0.1"
            address = f"inet:{host}:{self.world.free_port()}"
        if remote:
            kwargs["make_socket"] = self.world.remote_socket
        made = SickPeer(address, **kwargs)
        self.at_end(made.close)
        self.show(f"peer {address}", lambda: "\n".join(list(made.log)[-60:]))
        return made.start() if start else made

    def tls_peer(self, identity, remote=True, **kwargs):
        """A peer that can TLS."""
        host = net.REMOTE_ADDRESS if remote else "127.0.0.1"
        if remote:
            kwargs["make_socket"] = self.world.remote_socket
        made = TlsPeer(f"inet:{host}:{self.world.free_port()}", identity, **kwargs)
        self.at_end(made.close)
        self.show("TLS peer", lambda: "\n".join(list(made.log)[-60:]))
        return made.start()

    def postfix(self, product=None, **kwargs):
        """A Postfix, not started; product: set up as stacks/PRODUCT says."""
        directory = self._next("postfix")
        directory.mkdir()
        if product is not None:
            made = StackPostfix(directory, self.world.free_port, product)
        else:
            made = PostfixInstance(directory, self.world.free_port, **kwargs)
        self.at_end(made.stop)
        self.show("Postfix", made.log.tail)
        return made

    def sasl(self, postfix):
        """Give a Postfix an auth server."""
        self.at_end(AuthPeer(str(postfix.queue_directory / "auth.sock")).start().stop)
        postfix.use_sasl("auth.sock")

    def milter(self, postfix=None, **kwargs):
        """A milter, not started."""
        made = Milter(self._next("milter"), postfix, **kwargs)
        self.at_end(made.end)
        self.show("milter", lambda: made.log.tail(300))
        return made

    def amavis(self, forward):
        """An amavisd that hands mail on to a port, not started."""
        made = Amavis(self._next("amavis"), self.world.free_port(), forward)
        self.at_end(made.stop)
        self.show("amavis", made.report)
        return made

    def unbound(self, **zones):
        """A real resolver that everything asks until the test is over; zones without "example"."""
        made = Unbound(self._next("unbound"), {f"{name}.example": zone
                                               for name, zone in zones.items()})
        self.at_end(made.stop)
        self.at_end(self.world.use_name_server)
        self.show("unbound", made.tail)
        self.world.use_name_server(UNBOUND_ADDRESS)
        return made.start()

    def end(self):
        """Stop everything; the first error, if any."""
        first = None
        for function in reversed(self._cleanup):
            try:
                function()
            except Exception as error:  # pylint: disable=broad-except
                first = first or error
        return first


@pytest.fixture
def site(request, world, name_server):  # pylint: disable=redefined-outer-name
    """An empty site."""
    made = Site(request.node, world, name_server)
    yield made
    error = made.end()
    world.heal_all()
    name_server.reset()
    left = world.wait_for_no_processes()
    assert error is None, f"while stopping: {error!r}"
    assert not left, f"processes left behind: {left}"
