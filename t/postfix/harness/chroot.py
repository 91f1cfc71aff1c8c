"""chroot - a system of its own to install packages in, with a Postfix that delivers

It is an overlay over the running system, or over another one that FAILFAST_CLEAN_ROOT names (scripts/check
package-clean), so nothing that is done to it is left.
"""
import ctypes
import os
import pathlib
import re
import shlex
import signal
import subprocess

from .milter import BUILD
from .smtp import new_ident, send
from .wait import wait_until

MS_BIND, MS_REC, MNT_DETACH = 0x1000, 0x4000, 2
PACKAGE = "failfast-milter"
MAIN_CF = """\
compatibility_level = 3.6
# Debian's, as far as mail is concerned that stays here
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
maillog_file = /var/log/postfix.log
smtpd_peername_lookup = no
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:inbox
virtual_mailbox_base = /var/mail/example
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
relay_domains = broken.test
transport_maps = inline:{{ {{ broken.test = nowhere: }} }}
"""
_libc = ctypes.CDLL(None, use_errno=True)


def built_package():
    """The package that scripts/build-deb has built; None when it was not."""
    return next(iter(sorted((BUILD.parent / "deb").glob(f"{PACKAGE}_*.deb"))), None)


def newer(package, directory):
    """The same package with a higher version."""
    tree = directory / "newer"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    text, count = re.subn(r"(?m)^Version: (.*)$", r"Version: \1+next", control.read_text())
    assert count == 1
    control.write_text(text)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), f"{tree}.deb"], check=True,
                   capture_output=True)
    return pathlib.Path(f"{tree}.deb")


def _mount(source, target, kind, flags=0, data=""):
    if _libc.mount(source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags),
                   data.encode()) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {kind} on {target}: {os.strerror(error)}")


class Chroot:
    """A system below a directory.  The test's own processes see it from outside."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.root = self.dir / "root"
        self.root.mkdir(parents=True)
        self._mounted = []
        self._overlay(os.environ.get("FAILFAST_CLEAN_ROOT") or "/")
        self._mount("proc", self.root / "proc", "proc")
        self._mount("/dev", self.root / "dev", "none", MS_BIND | MS_REC)
        self._mount("tmpfs", self.root / "run", "tmpfs", 0, "mode=0755")
        self._mount("tmpfs", self.root / "tmp", "tmpfs", 0, "mode=1777")
        self._prepare()
        self.daemon = None

    def _mount(self, source, target, *rest):
        _mount(source, target, *rest)
        self._mounted.append(str(target))

    def _overlay(self, lower):
        for name in ("upper", "work"):
            (self.dir / name).mkdir()
        self._mount("overlay", self.root, "overlay", 0,
                    f"lowerdir={lower},upperdir={self.dir / 'upper'},workdir={self.dir / 'work'}")

    def _prepare(self):
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        # The index of manual pages takes long, and is not what is tested.
        (self.root / "var/lib/man-db/auto-update").unlink(missing_ok=True)
        if self.run("dpkg-query", "-s", PACKAGE, check=False).returncode == 0:
            self.run("dpkg", "--purge", PACKAGE)

    def run(self, *argv, check=True, timeout=120):
        """Run a program in there; the finished process, standard error within stdout."""
        done = subprocess.run(argv, check=False, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              env=self._environment(), preexec_fn=self._enter)
        assert done.returncode == 0 or not check, f"{argv}: {done.returncode}: {done.stdout}"
        return done

    @staticmethod
    def _environment():
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}

    def _enter(self):
        os.chroot(self.root)
        os.chdir("/")

    def path(self, name):
        """A path in there, from outside."""
        return self.root / name.lstrip("/")

    def files(self, *directories):
        """Every file below directories."""
        return {os.path.join(path, name).removeprefix(str(self.root)) for directory in directories
                for path, _dirs, names in os.walk(self.path(directory)) for name in names}

    # -- packages -----------------------------------------------------------------------------

    def install(self, package):
        """Install or upgrade, as nobody is there to answer a question; what dpkg said."""
        name = f"tmp/{package.name}"
        self.path(name).write_bytes(package.read_bytes())
        return self.run("dpkg", "-i", f"/{name}").stdout

    # -- the service --------------------------------------------------------------------------

    def start_daemon(self):
        """What the package's unit would start."""
        unit = self.path("/lib/systemd/system/failfast-milter.service").read_text()
        command = shlex.split(re.search(r"(?m)^ExecStart=(.*)$", unit).group(1))
        with open(self.dir / "daemon.log", "ab") as log:
            self.daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=self._environment(), preexec_fn=self._enter)
        wait_until(lambda: self.run("failfastctl", "status", check=False).returncode in (0, 1, 2),
                   20, "failfastctl status answers")

    def stop_daemon(self):
        """As systemd would."""
        if self.daemon is not None:
            self.daemon.terminate()
            assert self.daemon.wait(15) == 0, (self.dir / "daemon.log").read_text()
            self.daemon = None

    # -- mail ---------------------------------------------------------------------------------

    def start_postfix(self):
        """A real one, set up as on a new mail host."""
        nobody = [int(self.run("id", flag, "nobody").stdout) for flag in ("-u", "-g")]
        box = self.path("/var/mail/example")
        box.mkdir()
        os.chown(box, *nobody)
        etc = self.path("/etc/postfix")
        (etc / "main.cf").write_text(MAIN_CF.format(uid=nobody[0], gid=nobody[1]))
        (etc / "master.cf").write_bytes(self.path("/usr/share/postfix/master.cf.dist").read_bytes())
        self.run("postfix", "start")

    def must_deliver(self):
        """A message that comes in by SMTP reaches its mailbox."""
        ident = new_ident()
        sent = send(25, "inbox@example.test", ident=ident)
        assert sent.accepted, f"{sent}\n{self.log()}"
        inbox = self.path("/var/mail/example/inbox")
        wait_until(lambda: inbox.exists() and ident in inbox.read_text(), 20, "delivery")

    def is_asked(self):
        """Does Postfix ask the milter about a message whose transport there is not?"""
        return send(25, "a@broken.test").refusal.startswith("451 4.3.5 ")

    def log(self):
        """The end of the logs."""
        found = ""
        for path in (self.path("/var/log/postfix.log"), self.dir / "daemon.log"):
            if path.exists():
                found += path.read_text()[-6000:] + "\n"
        return found

    def end(self):
        """Stop all of it."""
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(15)
        if self.run("postfix", "status", check=False).returncode == 0:
            self.run("postfix", "stop")
        for target in reversed(self._mounted):
            _libc.umount2(target.encode(), MNT_DETACH)
