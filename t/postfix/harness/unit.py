"""unit - the systemd unit, and a process confined as the unit says, where there is no systemd

What systemd would do is done by hand between fork and exec: a private view of the file system, the
capabilities, and the filter of system calls.
"""
import ctypes
import errno
import os
import pathlib
import subprocess

from .milter import ROOT, program

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
                "SETUID")  # by number; the unit keeps none behind them
LAST_CAPABILITY = 40
PR_CAPBSET_DROP = 24
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 0x20, 0x1000, 0x4000, 0x40000
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_FLTATR_CTL_NNP = 0x7FFF0000, 0x00050000, 3
NO_SUCH_CALL = -1

_libc = ctypes.CDLL(None, use_errno=True)


def unit_text():
    """The unit as `make` makes it for the programs under test."""
    text = (ROOT / "config" / "failfast-milter.service.in").read_text(encoding="utf-8")
    sbindir = str(pathlib.Path(program("failfast-milter")).parent)
    return text.replace("@sbindir@", sbindir).replace("@sysconfdir@", "/etc")


def settings(name):
    """Every value of a setting of the unit, in their order."""
    return [line.split("=", 1)[1] for line in unit_text().splitlines()
            if line.startswith(name + "=")]


def _calls_of(word):
    """The system calls of a word of SystemCallFilter."""
    if not word.startswith("@"):
        return {word}
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word], check=True,
                          capture_output=True, text=True)
    found = set()
    for line in done.stdout.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            found |= _calls_of(line.strip())
    return found


def allowed_calls():
    """What the unit's SystemCallFilter lines leave, read one after the other as systemd does."""
    allowed = set()
    for value in settings("SystemCallFilter"):
        words = value.removeprefix("~").split()
        calls = set().union(*map(_calls_of, words))
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _must(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _mount(source, target, kind, flags, data=None):
    _must(_libc.mount(source, target, kind, ctypes.c_ulong(flags), data))


def own_mounts():
    """A mount namespace of one's own; for preexec_fn."""
    _must(_libc.unshare(CLONE_NEWNS))
    _mount(b"none", b"/", None, MS_REC | MS_PRIVATE)


def bind_over(source, target):
    """In own_mounts(): show a directory at another place, whose parents need not exist."""
    parent = "/" + target.strip("/").split("/", maxsplit=1)[0]
    os.stat(source)
    fd = os.open(source, os.O_PATH)
    _mount(b"tmpfs", parent.encode(), b"tmpfs", 0)
    os.makedirs(target, exist_ok=True)
    _mount(f"/proc/self/fd/{fd}".encode(), target.encode(), None, MS_BIND)


class Confinement:
    """Call it between fork and exec.  All that takes long is done beforehand."""

    def __init__(self):
        self._kept = settings("CapabilityBoundingSet")[0].replace("CAP_", "").split()
        assert set(self._kept) <= set(CAPABILITIES), self._kept
        assert settings("ProtectSystem") == ["strict"] and settings("ProcSubset") == ["pid"]
        self._seccomp = ctypes.CDLL("libseccomp.so.2")
        self._seccomp.seccomp_init.restype = ctypes.c_void_p
        self._filter = ctypes.c_void_p(self._seccomp.seccomp_init(
            ctypes.c_uint32(SCMP_ACT_ERRNO | errno.EPERM)))
        assert not settings("NoNewPrivileges")
        _must(self._seccomp.seccomp_attr_set(self._filter, SCMP_FLTATR_CTL_NNP, ctypes.c_uint32(0)))
        for name in allowed_calls():
            number = self._seccomp.seccomp_syscall_resolve_name(name.encode())
            if number != NO_SUCH_CALL:
                self._seccomp.seccomp_rule_add(self._filter, ctypes.c_uint32(SCMP_ACT_ALLOW),
                                               ctypes.c_int(number), ctypes.c_uint(0))

    def __call__(self):
        own_mounts()
        _mount(b"none", b"/", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        _mount(b"proc", b"/proc", b"proc", 0, b"subset=pid")
        for number in range(LAST_CAPABILITY + 1):
            name = CAPABILITIES[number] if number < len(CAPABILITIES) else ""
            if name not in self._kept:
                _must(_libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
        _must(self._seccomp.seccomp_load(self._filter))
