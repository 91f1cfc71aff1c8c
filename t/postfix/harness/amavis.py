"""amavis - a real amavisd with nothing to scan, as a content filter between two ports"""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

from .logfile import LogFile
from .postfix import wait_gone
from .wait import wait_until

CONF = """\
use strict;
$MYHOME = '{dir}/home';
$TEMPBASE = "$MYHOME/tmp";
$QUARANTINEDIR = undef;
$daemon_user = 'amavis';
$daemon_group = 'amavis';
$myhostname = 'mx.example.test';
$mydomain = 'example.test';
@local_domains_maps = (['.test']);
@mynetworks = qw(127.0.0.0/8);
$pid_file = "$MYHOME/amavisd.pid";
$lock_file = "$MYHOME/amavisd.lock";
$do_syslog = 0;
$LOGFILE = "$MYHOME/amavis.log";
$log_level = 1;
$enable_db = 0;
$enable_zmq = 0;
$max_servers = 2;
$max_requests = 20;
$unix_socketname = undef;
$inet_socket_bind = '127.0.0.1';
$inet_socket_port = {port};
@inet_acl = qw(127.0.0.1);
@bypass_virus_checks_maps = (1);
@bypass_spam_checks_maps = (1);
@bypass_banned_checks_maps = (1);
@bypass_header_checks_maps = (1);
$bypass_decode_parts = 1;
$enable_dkim_verification = 0;
$enable_dkim_signing = 0;
$X_HEADER_LINE = "at $mydomain";
$forward_method = 'smtp:[127.0.0.1]:{forward}';
$notify_method = $forward_method;
$final_virus_destiny = D_PASS;
$final_spam_destiny = D_PASS;
$final_banned_destiny = D_PASS;
$final_bad_header_destiny = D_PASS;
1;
"""


class Amavis:
    """One amavisd."""

    def __init__(self, directory, port, forward):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.port = port
        self.forward = forward
        self.log = LogFile(self.dir / "home" / "amavis.log")
        self._stderr = LogFile(self.dir / "stderr")
        self.process = None

    def start(self):
        """Start, and return when it greets."""
        self._make_home()
        with open(self._stderr.path, "ab") as err:
            self.process = subprocess.Popen(
                [_amavisd(), "-c", str(self.dir / "amavisd.conf"), "foreground"],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, start_new_session=True)
        wait_until(self._greets, 30, "amavis greets", 0.1)
        return self

    def _make_home(self):
        owner = pwd.getpwnam("amavis")
        # self.dir stays root's: amavisd refuses a configuration that it could write.
        for path in (self.dir / "home", self.dir / "home" / "tmp"):
            path.mkdir(mode=0o750, exist_ok=True)
            os.chown(path, owner.pw_uid, owner.pw_gid)
        conf = self.dir / "amavisd.conf"
        conf.write_text(CONF.format(dir=self.dir, port=self.port, forward=self.forward),
                        encoding="utf-8")
        conf.chmod(0o644)

    def _greets(self):
        assert self.process.poll() is None, f"amavisd ended: {self._stderr.text()}"
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                sock.settimeout(1)
                greeting = sock.recv(512)
                sock.sendall(b"QUIT\r\n")
                sock.recv(512)
                return greeting.startswith(b"220 ")
        return False

    def members(self):
        """Process ids of all that belongs to it."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.getpgid(int(entry)) == self.process.pid:
                        found.append(int(entry))
        return found

    def stop(self):
        """Like `systemctl stop`; returns when nothing listens any more."""
        if self.process is None:
            return
        members = self.members()
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in members:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        wait_gone(members)
        self.process = None

    def freeze(self):
        """SIGSTOP for all of it: the kernel accepts connections, nobody answers."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        """End freeze()."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGCONT)

    def report(self):
        """The end of its log, and what it said on standard error."""
        return self._stderr.tail(40) + "\n" + self.log.tail(25)


def _amavisd():
    found = shutil.which("amavisd") or shutil.which("amavisd-new")
    assert found, "amavisd is not installed (Debian: amavisd-new)"
    return found
