"""stack - the set-up of a product that operators run, as a private Postfix

stacks/PRODUCT/ has the product's own main.cf, master.cf and tables, as they lie in /etc/postfix there,
on the ports that the product uses: a worker's network namespace has them all free.  Added here is what
makes the instance private (directories, log, brisk retries), every standard service that the product's
master.cf does not mention, and $failfast_milter, by which its smtpd_milters name us.

In all of them:
    - the product's programs and users are not on this machine: pipes run /bin/true as nobody;
    - nothing listens with TLS, for the tests' clients speak none;
    - chroot is off: the private queue directory has no etc/ and lib/ in it;
    - clients of 127.0.0.1 are in mynetworks, 127.0.0.66 is a stranger.
"""
import contextlib
import pathlib
import re
import shutil
import socket
import struct
import threading

from .milter import QUIET
from .postfix import MASTER_CF, MILTER_OPTIONS, PostfixInstance
from .scene import Scene, full

STACKS = pathlib.Path(__file__).resolve().parents[1] / "stacks"
INDEXED = re.compile(r"\b(?:hash|lmdb|btree):\$config_directory/([\w.-]+)")


class StackPostfix(PostfixInstance):
    """A Postfix with the configuration of a product."""

    def __init__(self, directory, free_port, product):
        super().__init__(directory, free_port)
        self.main_cf = self.master_cf = ""
        self.port, self.reentry = 25, 10025
        for path in (STACKS / product).iterdir():
            if path.name == "main.cf":
                self.main_cf = path.read_text(encoding="utf-8")
            elif path.name == "master.cf":
                self.master_cf = path.read_text(encoding="utf-8")
            else:
                shutil.copy(path, self.config / path.name)

    def use_milter(self, milter, non_smtpd=False):
        self.params["failfast_milter"] = f"{{ {milter.postfix_address(self)}, {MILTER_OPTIONS} }}"

    def write(self):
        super().write()
        for name in INDEXED.findall(self.main_cf):
            done = self.command("postmap", str(self.config / name))
            assert done.returncode == 0, done.stderr

    def _main_cf(self):
        theirs = set(re.findall(r"^(\w+)\s*=", self.main_cf, re.MULTILINE))
        return self.main_cf + "".join(f"{key} = {value}\n" for key, value in self.params.items()
                                      if key not in theirs)

    def _master_cf(self):
        theirs = {tuple(line.split()[:2]) for line in self.master_cf.splitlines()
                  if line.strip() and not line[0].isspace()}
        # "pickup fifo" stands for "pickup unix", "smtp inet" does not for "smtp unix".
        names = {name for name, kind in theirs if kind != "inet"}
        return self.master_cf + "".join(line + "\n" for line in MASTER_CF.splitlines()
                                        if line.split()[0] not in names)

    def service_lines(self, name):
        """The lines of one service of the product's master.cf."""
        found = re.search(rf"^{re.escape(name)} .*\n(?:[ \t].*\n)*", self.master_cf, re.MULTILINE)
        assert found, name
        return found.group()

    def change_master(self, old, new):
        """Another text in master.cf, and `postfix reload`."""
        assert self.master_cf.count(old) == 1, old
        self.master_cf = self.master_cf.replace(old, new)
        self.reload()


class Stack(Scene):
    """A site that is set up as a product does it.  A subclass names the product and what is around it."""

    product = None
    hops = {}        # what must be known before the first message: {name: role}
    reentries = ()   # ports where filters hand mail back

    def __init__(self, site, probe=QUIET, **options):
        super().__init__(site, probe, **options)
        self.furnish()

    def make_postfix(self, site, **_kwargs):
        return site.postfix(product=self.product)

    def furnish(self):
        """Start what the product's mail goes to."""

    def server(self, port, **kwargs):
        """A server on this host."""
        return self.site.peer(f"inet:127.0.0.1:{port}", **kwargs)

    def far_server(self, name, address, port, **kwargs):
        """One in the outside world, with a name."""
        self.site.dns.set(name, a=[address])
        return self.site.peer(f"inet:{address}:{port}", remote=True, **kwargs)

    def known(self):
        """{hop: its roles}."""
        return {name: "+".join(hop["roles"]) for name, hop in self.milter.hops().items()}

    def start_all_up(self):
        """Start; every hop is known from the first answer on, and comes up."""
        self.start()
        assert self.known() == self.hops
        for name in self.hops:
            self.milter.wait_state(name, "up")
        return self

    def must_refuse_users(self, hop, reason, code, text, sender, recipient, port=None):
        """Who may send here is told the whole truth at RCPT."""
        role = self.milter.hop(hop)["roles"][0]
        for who in ("mynetworks", "authenticated"):
            sent = self.send_at(port or self.port, recipient, who, sender=sender)
            seen = self.milter.hop(hop)
            assert (seen.get("state"), seen.get("reason")) == ("down", reason), (seen, str(sent))
            assert sent.rcpt[-1] == full(code, role, hop, seen["since"], text), sent

    def send_at(self, port, recipient, who="mynetworks", **kwargs):
        """One message at another listener."""
        usual, self.port = self.port, port
        try:
            return self.send(recipient, who, **kwargs)
        finally:
            self.port = usual

    def must_accept_at(self, port, recipient, who="mynetworks", **kwargs):
        """The same, and it has to be accepted."""
        sent = self.send_at(port, recipient, who, **kwargs)
        assert sent.accepted, f"refused:\n{sent}"
        return sent

    def must_reenter(self, recipient=None):
        """What a filter hands back is accepted at each listener made for that, and we know them as such."""
        recipient = recipient or self.recipient
        sent = []
        for port in self.reentries:
            sent.append(self.must_accept_at(port, recipient))
            _, found = self.milter.ctl("explain", "--json", "s@from.test", recipient, "--listener",
                                       f"127.0.0.1:{port}")
            assert found["reentry"], found
        return sent

    def delivered_by(self, transport, sent):
        """Wait until a pipe has delivered this message: there is no sink to ask."""
        self.postfix.log.wait_for(rf"{sent.queue_id}: to=.*relay={transport},.* status=sent", 10)


class OtherMilter:
    """A milter that has no opinion (rspamd, opendkim, psa-pc-remote), on a TCP port."""

    PACKET = struct.Struct("!Ic")
    SILENT = b"DAKQ"  # macros, abort and the two kinds of quit have no answer

    def __init__(self, port):
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock, sock.makefile("rb") as file, contextlib.suppress(OSError, struct.error):
            while True:
                length, command = self.PACKET.unpack(file.read(self.PACKET.size))
                file.read(length - 1)
                self.asked += 1
                if command == b"O":  # version 6, changes nothing, wants every step
                    sock.sendall(self.PACKET.pack(13, b"O") + struct.pack("!III", 6, 0, 0))
                elif command not in self.SILENT:
                    sock.sendall(self.PACKET.pack(1, b"c"))

