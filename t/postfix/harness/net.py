"""net - private network and mount namespaces for one test process

Each pytest worker moves itself into a network namespace of its own: every port is free, no other
worker is seen, and a process that was left behind is recognised by its namespace.  A second
namespace at the other end of a veth pair is the outside world: peers there are remote to the
milter, and an address there can swallow SYNs like a firewall does (its neighbour entry is
overwritten with a link-layer address that nobody has).

A private mount namespace gives the worker an /etc/resolv.conf that names t/peers/dns_peer.py, and
a tmpfs under the temporary directory, so that fsync() of a shared disk is not what is measured.
"""
import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

DNS_ADDRESS = "127.0.0.53"
OUR_ADDRESS = "198.51.100.1"
REMOTE_ADDRESS = "198.51.100.2"
REMOTE_ADDRESSES = tuple(f"198.51.100.{host}" for host in range(2, 10))
OUR_ADDRESS6 = "2001:db8:51::1"
REMOTE_ADDRESS6 = "2001:db8:51::2"
NOBODY_LLADDR = "02:00:00:00:00:66"

_libc = ctypes.CDLL(None, use_errno=True)


class Unprepared(Exception):
    """What the tests need and this machine does not have."""


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def _mount(source, target, kind, flags, data=None):
    _call("mount", source, target.encode(), kind, ctypes.c_ulong(flags), data)


def _run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unprepared(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class World:
    """The namespaces of this worker; made once by World.enter()."""

    def __init__(self):
        self.base = None
        self._remote_fd = -1
        self._dropped = set()
        self._added = set()
        self._ports = itertools.count(20000)

    @classmethod
    def enter(cls):
        """Move this thread, and all that it starts later, into new namespaces."""
        if os.geteuid() != 0:
            raise Unprepared("these tests start Postfix and make namespaces: run them as root")
        world = cls()
        try:
            _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
            _mount(b"none", "/", None, MS_REC | MS_PRIVATE)
        except OSError as error:
            raise Unprepared(f"no private namespaces ({error}): in a container, give it "
                             "CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)") from error
        world._make_base()
        world._make_resolv_conf()
        world._make_links()
        return world

    def _make_base(self):
        self.base = tempfile.mkdtemp(prefix="failfast-t-")
        os.chmod(self.base, 0o755)
        _mount(b"tmpfs", self.base, b"tmpfs", 0, b"mode=0755")

    def use_name_server(self, address=DNS_ADDRESS):
        """Whom everything in this worker asks from now on."""
        path = os.path.join(self.base, "resolv.conf")
        with open(path, "w", encoding="ascii") as out:
            out.write(f"nameserver {address}\noptions timeout:1 attempts:2\n")
        return path

    def _make_resolv_conf(self):
        path = self.use_name_server()
        _mount(path.encode(), os.path.realpath("/etc/resolv.conf"), None, MS_BIND)

    def _make_links(self):
        self._remote_fd = self._new_namespace()
        remote = f"/proc/{os.getpid()}/fd/{self._remote_fd}"
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "ffhere", "type", "veth",
             "peer", "name", "ffthere", "netns", remote)
        _run("ip", "addr", "add", f"{OUR_ADDRESS}/24", "dev", "ffhere")
        _run("ip", "addr", "add", f"{OUR_ADDRESS6}/64", "dev", "ffhere", "nodad")
        _run("ip", "link", "set", "ffhere", "up")
        inside = ("nsenter", f"--net={remote}", "ip")
        for address in REMOTE_ADDRESSES:
            _run(*inside, "addr", "add", f"{address}/24", "dev", "ffthere")
        _run(*inside, "addr", "add", f"{REMOTE_ADDRESS6}/64", "dev", "ffthere", "nodad")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "link", "set", "ffthere", "up")

    @staticmethod
    def _new_namespace():
        found = []

        def make():
            _call("unshare", CLONE_NEWNET)
            found.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not found:
            raise Unprepared("no second network namespace")
        return found[0]

    def remote_socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A new socket that belongs to the outside world."""
        found = []

        def make():
            _call("setns", self._remote_fd, CLONE_NEWNET)
            found.append(socket.socket(family, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return found[0]

    def drop(self, address):
        """Swallow every packet to a remote address from now on, SYNs included."""
        _run("ip", "neigh", "replace", address, "lladdr", NOBODY_LLADDR,
             "dev", "ffhere", "nud", "permanent")
        self._dropped.add(address)

    def heal(self, address):
        """End drop()."""
        if address in self._dropped:
            _run("ip", "neigh", "del", address, "dev", "ffhere")
            self._dropped.discard(address)

    def heal_all(self):
        """End every drop() and every add_address()."""
        for address in list(self._dropped):
            self.heal(address)
        for address in list(self._added):
            self.remove_address(address)

    def add_address(self, address):
        """One more address of this host, until remove_address() or the end of the test."""
        _run("ip", "addr", "add", f"{address}/24", "dev", "ffhere")
        self._added.add(address)

    def remove_address(self, address):
        """End add_address()."""
        _run("ip", "addr", "del", f"{address}/24", "dev", "ffhere")
        self._added.discard(address)

    def free_port(self):
        """A TCP port that nobody in this namespace has had before."""
        for port in self._ports:
            with contextlib.closing(socket.socket()) as probe:
                try:
                    probe.bind(("0.0.0.0", port))
                    return port
                except OSError:
                    continue
        raise AssertionError("out of ports")

    def processes(self):
        """Every process in this worker's namespaces but the worker itself: {pid: command line}."""
        ours = {os.readlink("/proc/self/ns/net"),
                os.readlink(f"/proc/self/fd/{self._remote_fd}")}
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/net") not in ours:
                    continue
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    found[int(entry)] = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
        return found

    def wait_for_no_processes(self, timeout=3.0):
        """What is still there after timeout seconds; those are killed, and only those."""
        deadline = time.monotonic() + timeout
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return left

    def leave(self):
        """Remove what is visible outside the namespaces."""
        if self.base is None:
            return
        _libc.umount2(self.base.encode(), 2)
        shutil.rmtree(self.base, ignore_errors=True)
