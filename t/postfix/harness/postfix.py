"""postfix - a complete private Postfix in a directory

Clients of 127.0.0.1 and ::1 are in mynetworks, every other one (127.0.0.66) is not.  Clients may
authenticate as anybody with the password "secret" where sasl is on.  Mail for *.test is relayed;
route() says where to.

What is deferred is tried again each second.  qmgr may take a message up while the delivery agent that deferred it has
not closed its file yet, and then forgets it till it is told to look again ("skipped, still being delivered"): so
whoever waits for deferred mail does that with wait_delivery().

Listeners, each on a port of its own:
    port        the public one, with everything in main.cf
    reentry     where a content filter hands mail back: no content filter of its own
    further ones by add_listener()
"""
import contextlib
import grp
import json
import os
import pathlib
import pwd
import signal
import subprocess
import time

from .logfile import LogFile
from .wait import wait_until

MASTER_CF = """\
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

# As postfix-files(5) has them: path, mode, owned by postfix, group postdrop.
DIRECTORIES = (
    ("etc", 0o755, False, False),
    ("data", 0o700, True, False),
    ("spool", 0o755, False, False),
    ("spool/pid", 0o755, False, False),
    *((f"spool/{name}", 0o700, True, False) for name in (
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
        "saved", "trace")),
    ("spool/maildrop", 0o730, True, True),
    ("spool/public", 0o2710, True, True),
)

DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")

# As in Amavis's README.postfix: a filter that may take long, two at a time.
AMAVIS_TRANSPORT = """\
smtp-amavis unix - - n - 10 smtp
    -o smtp_data_done_timeout=1200
    -o smtp_send_xforward_command=yes
    -o disable_dns_lookups=yes
    -o max_use=20
"""

REENTRY_OPTIONS = {
    "content_filter": "",
    "smtpd_helo_restrictions": "",
    "smtpd_client_restrictions": "permit_mynetworks,reject",
    "smtpd_relay_restrictions": "permit_mynetworks,reject",
    "mynetworks": "127.0.0.0/8",
    "smtpd_error_sleep_time": "0",
    "smtpd_client_connection_count_limit": "0",
    "receive_override_options": "no_header_body_checks,no_unknown_recipient_checks",
}

MILTER_OPTIONS = "default_action=accept, connect_timeout=3s, command_timeout=3s"


class PostfixInstance:
    """One Postfix.  Set params and listeners, then start()."""

    def __init__(self, directory, free_port, chroot=False, ipv6=False):
        self.dir = pathlib.Path(directory)
        self._make_directories()
        self.config = self.dir / "etc"
        self.queue_directory = self.dir / "spool"
        self.log = LogFile(self.dir / "mail.log")
        self.port = free_port()
        self.reentry = free_port()
        self.chroot = chroot
        self._free_port = free_port
        self._listeners = [(self.port, {}), (self.reentry, dict(REENTRY_OPTIONS))]
        self._services = [AMAVIS_TRANSPORT]
        self._routes = {}
        self._started = False
        self._prepared = False
        self.params = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue_directory,
            "data_directory": self.dir / "data",
            "maillog_file": self.log.path,
            "maillog_file_prefixes": self.dir,
            "multi_instance_name": "",
            "myhostname": "mx.example.test",
            "mydomain": "example.test",
            "myorigin": "$myhostname",
            "mydestination": "$myhostname, localhost",
            "inet_interfaces": "127.0.0.1" + (", [::1]" if ipv6 else ""),
            "inet_protocols": "ipv4" + (", ipv6" if ipv6 else ""),
            "mynetworks": "127.0.0.1/32, [::1]/128",
            "relay_domains": "test",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "default_transport": "error:5.1.2 tests send nothing to the Internet",
            "relayhost": "",
            "transport_maps": "",
            "smtpd_relay_restrictions":
                "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_peername_lookup": "no",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_tls_security_level": "none",
            "smtp_tls_security_level": "none",
            "notify_classes": "",
            "default_process_limit": "100",
            "in_flow_delay": "0",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "bounce_queue_lifetime": "1d",
            "smtp_connect_timeout": "3s",
            "smtp_helo_timeout": "10s",
            "milter_protocol": "6",
            "process_id_directory": "pid",
        }

    # -- configuration ------------------------------------------------------------------------

    def use_milter(self, milter, non_smtpd=False):
        """Ask this milter for every message."""
        self.params["smtpd_milters"] = f"{{ {milter.postfix_address(self)}, {MILTER_OPTIONS} }}"
        if non_smtpd:
            self.params["non_smtpd_milters"] = "$smtpd_milters"

    def use_sasl(self, path):
        """Let clients authenticate with the auth server on this UNIX socket."""
        self.params.update(smtpd_sasl_auth_enable="yes", smtpd_sasl_type="dovecot",
                           smtpd_sasl_path=path, smtpd_tls_auth_only="no",
                           smtpd_sasl_security_options="noanonymous")

    def route(self, domain, destination):
        """Where mail for a domain goes: TRANSPORT:NEXTHOP."""
        self._routes[domain] = destination
        self.params["transport_maps"] = "inline:{" + ", ".join(
            f"{{ {key} = {value} }}" for key, value in self._routes.items()) + "}"

    def add_listener(self, **options):
        """One more smtpd; its port."""
        port = self._free_port()
        self._listeners.append((port, options))
        return port

    def listener_options(self, port):
        """The -o options of a listener, to be changed before start()."""
        return dict(self._listeners)[port]

    def add_service(self, text):
        """Lines of master.cf."""
        self._services.append(text)

    def remove_service(self, text):
        """Undo add_service() with the same text."""
        self._services.remove(text)

    def write(self):
        """Write main.cf and master.cf as they should be now."""
        for name, text in (("main.cf", self._main_cf()), ("master.cf", self._master_cf())):
            fresh = self.config / (name + ".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.rename(self.config / name)

    def prepare(self):
        """Write the configuration as if it had been there for a while.

        Postfix reads a file again and again until it has not been changed for more than a second.
        """
        self._prepared = True
        self.write()
        for name in ("main.cf", "master.cf"):
            os.utime(self.config / name, (time.time() - 10,) * 2)

    def _main_cf(self):
        return "".join(f"{key} = {value}\n" for key, value in self.params.items())

    def _master_cf(self):
        chroot = "y" if self.chroot else "n"
        lines = []
        for port, options in self._listeners:
            lines.append(f"127.0.0.1:{port} inet n - {chroot} - - smtpd\n")
            lines += [f"    -o {{ {key} = {value} }}\n" for key, value in options.items()]
        return "".join(lines) + MASTER_CF + "".join(self._services)

    # -- running ------------------------------------------------------------------------------

    def start(self):
        """Start, and return when the public listener greets."""
        if not self._prepared:
            self.prepare()
        # What `postfix start` does after its checks, which take two seconds.
        done = subprocess.run([DAEMONS / "master", "-w"], check=False, capture_output=True,
                              text=True, timeout=30,
                              env={**os.environ, "MAIL_CONFIG": str(self.config)})
        assert done.returncode == 0, f"master: {done.stderr}\n{self.log.tail()}"
        self._started = True
        self.log.wait_for(r"daemon started", 10)
        return self

    def _make_directories(self):
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for path, mode, owner, group in DIRECTORIES:
            (self.dir / path).mkdir(exist_ok=True)
            os.chown(self.dir / path, postfix if owner else 0, postdrop if group else 0)
            os.chmod(self.dir / path, mode)

    def stop(self):
        """Stop at once, and return when master and its children are gone."""
        if not self._started:
            return
        self._started = False
        master = self.master_pid()
        members = self._group(master)
        with contextlib.suppress(ProcessLookupError):
            os.kill(master, signal.SIGTERM)
        wait_until(lambda: not any(map(_alive, members)), 10, "Postfix is gone")

    def reload(self):
        """Write the configuration and `postfix reload`; returns when master has done it."""
        mark = self.log.mark()
        self.write()
        self._postfix("reload")
        self.log.wait_for(r"reload -- version", 10, mark)

    def _postfix(self, *args):
        done = subprocess.run(["postfix", "-c", self.config, *args], check=False, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, f"postfix {args}: {done.stdout}{done.stderr}\n{self.log.tail()}"

    def master_pid(self):
        """The process id of master."""
        return int((self.queue_directory / "pid" / "master.pid").read_text().split()[0])

    @staticmethod
    def _group(master):
        members = [master]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                        fields = file.read().rsplit(")", 1)[1].split()
                    if master in (int(fields[1]), int(fields[2])):
                        members.append(int(entry))
        return members

    # -- looking ------------------------------------------------------------------------------

    def command(self, name, *args):
        """Run one of Postfix's commands that take -c on this instance."""
        return subprocess.run([name, "-c", str(self.config), *args], check=False, text=True,
                              capture_output=True, timeout=60)

    def queue(self):
        """Messages in the queue, as postqueue -j gives them."""
        done = self.command("postqueue", "-j")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def queue_files(self):
        """Names of queue files, in whatever queue; cheaper than queue(), sees incoming too."""
        found = []
        for queue in ("maildrop", "incoming", "active", "deferred", "hold"):
            for _path, _dirs, files in os.walk(self.queue_directory / queue):
                found += [f"{queue}/{name}" for name in files]
        return found

    def wait_delivery(self, condition, timeout, what):
        """Wait for something that happens when mail is delivered."""
        flushed = time.monotonic()

        def is_there():
            nonlocal flushed
            found = condition()
            if not found and time.monotonic() > flushed + 3:
                self.command("postqueue", "-f")
                flushed = time.monotonic()
            return found
        return wait_until(is_there, timeout, what, interval=0.05)

    def wait_empty(self, timeout=10.0):
        """Wait until everything has left the queue."""
        try:
            self.wait_delivery(lambda: not self.queue_files(), timeout, "an empty queue")
        except AssertionError as error:
            raise AssertionError(f"{error}; still there:\n{self._explain_queue()}") from None

    def _explain_queue(self):
        """Each queue file, and what the log says of it."""
        lines = []
        for name in self.queue_files():
            path = next(self.queue_directory.glob(f"**/{name.split('/')[1]}"), None)
            lines.append(f"{name} {oct(path.stat().st_mode) if path else 'gone now'}")
            lines += [match.string for match in self.log.find(f".*{name.split('/')[1]}.*")]
        return "\n".join(lines)

    def sendmail(self, sender, recipients, text):
        """Submit with sendmail(1); the finished process."""
        return subprocess.run(["sendmail", "-C", str(self.config), "-f", sender, *recipients],
                              check=False, text=True, capture_output=True, timeout=60, input=text)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_gone(pids, timeout=10.0):
    """Wait until none of these processes is there."""
    wait_until(lambda: not any(map(_alive, pids)), timeout, f"processes {pids} are gone")

