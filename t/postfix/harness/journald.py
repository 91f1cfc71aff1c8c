"""journald - the part of systemd-journald that Postfix's log meets: /dev/log in, a real journal out

In the mount namespace of the worker, for one test: a /dev with a log socket, a machine ID of its own, and a /var/log
that holds nothing but journal/MACHINE-ID/system.journal, written by systemd-journal-remote(8).  What Postfix logs is copied to a plain file
for the test itself to look at.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import uuid

MS_BIND = 0x1000
MS_REC = 0x4000
MNT_DETACH = 2
WRITER = "/lib/systemd/systemd-journal-remote"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINE = re.compile(rb"<(\d+)>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?([^\[:]+)(?:\[(\d+)\])?: (.*)", re.S)

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source, target, kind, flags):
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind, ctypes.c_ulong(flags), None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {target}: {os.strerror(error)}")


class Journald:
    """What takes the log of everything in this worker until stop()."""

    def __init__(self, directory, copy):
        self.dir = pathlib.Path(directory)
        self.machine = uuid.uuid4().hex
        self.boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(
            encoding="ascii").strip().replace("-", "")
        self.path = pathlib.Path("/var/log/journal") / self.machine / "system.journal"
        self._copy = copy
        self._mounted = []
        self._socket = None
        self._writer = None
        self._thread = None
        self._lock = threading.Lock()

    def start(self, mode=0o644):
        """Mount, listen, write; mode is that of the journal."""
        devices = self.dir / "dev"
        logs = self.dir / "log"
        devices.mkdir(parents=True)
        (logs / "journal" / self.machine).mkdir(parents=True)
        for name in DEVICES:
            (devices / name).touch()
            self._bind(f"/dev/{name}", devices / name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(devices / "log"))
        os.chmod(devices / "log", 0o666)
        self._bind(devices, "/dev")
        self._bind(logs, "/var/log")
        (self.dir / "machine-id").write_text(self.machine + "\n", encoding="ascii")
        self._bind(self.dir / "machine-id", "/etc/machine-id")
        self._start_writer()
        self.write(b"<30>systemd[1]: started")
        self.chmod(mode)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _bind(self, source, target):
        _mount(source, target, None, MS_BIND | MS_REC)
        self._mounted.append(target)

    def chmod(self, mode):
        """Who may read the journal?  As soon as its file is there."""
        deadline = time.monotonic() + 10
        while not self.path.exists():
            assert time.monotonic() < deadline, "no journal"
            time.sleep(0.01)
        os.chmod(self.path, mode)

    def _start_writer(self):
        self._writer = subprocess.Popen([WRITER, "-o", str(self.path), "-"], stdin=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, start_new_session=True)

    def _end_writer(self):
        self._writer.stdin.close()
        self._writer.wait(10)

    def _run(self):
        while True:
            data = self._socket.recv(65536)
            if data == b"end":
                return
            self.write(data)

    def write(self, data):
        """One message of syslog(3)."""
        match = LINE.match(data.rstrip(b"\n\0"))
        if not match:
            return
        priority, tag, pid, message = match.groups()
        with self._lock:
            self._writer.stdin.write(
                b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_TRANSPORT=syslog\n"
                b"PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%s\nMESSAGE=%s\n\n" % (
                    time.time_ns() // 1000, time.monotonic_ns() // 1000, self.boot.encode(),
                    int(priority) % 8, int(priority) // 8, tag, pid or b"0", message))
            self._writer.stdin.flush()
            with open(self._copy, "ab") as copy:
                copy.write(b"Nov 28 00:00:00 mx %s[%s]: %s\n" % (tag, pid or b"0", message))

    def rotate(self):
        """The journal goes on in another file."""
        with self._lock:
            self._end_writer()
            mode = os.stat(self.path).st_mode & 0o777
            self.path.rename(self.path.with_name("system@0.journal"))
            self._start_writer()
        self.write(b"<30>systemd[1]: rotated")
        self.chmod(mode)

    def stop(self):
        """Everything as it was."""
        if self._thread is not None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"end", "/dev/log")
            self._thread.join(10)
        while self._mounted:
            _libc.umount2(os.fsencode(self._mounted.pop()), MNT_DETACH)
        if self._socket is not None:
            self._socket.close()
        if self._writer is not None:
            self._end_writer()
