"""unbound - a real resolver whose zones a test writes

Zones are answered from files, through the cache of the resolver, so that times to live and aliases are those of the real
world.  A zone that could not be loaded is SERVFAIL; a resolver that is stopped in mid-air answers nothing.
"""
import pathlib
import signal
import socket
import struct
import subprocess

from .wait import wait_until

ADDRESS = "127.0.0.54"
CONF = """\
server:
    interface: {address}
    access-control: 127.0.0.0/8 allow
    chroot: ""
    username: ""
    directory: "{dir}"
    pidfile: ""
    use-syslog: no
    logfile: "{dir}/unbound.log"
    log-queries: yes
    module-config: "iterator"
    do-not-query-localhost: no
    num-threads: 1
    root-hints: ""
remote-control:
    control-enable: yes
    control-use-cert: no
    control-interface: {dir}/control.sock
"""
ZONE = """\
auth-zone:
    name: "{name}."
    zonefile: "{dir}/{name}.zone"
    for-downstream: no
    for-upstream: yes
    fallback-enabled: no
"""
SICK = """\
auth-zone:
    name: "sick.example."
    primary: 127.0.0.1@1
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
"""


class Unbound:
    """Zones is {name: lines of a zone file}; start(), then set() at any time."""

    def __init__(self, directory, zones):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.conf = self.dir / "unbound.conf"
        self.log = self.dir / "unbound.log"
        self._zones = zones
        self._serial = 0
        self._process = None
        self._is_frozen = False

    def start(self):
        """Answer from now on; returns self."""
        text = CONF.format(address=ADDRESS, dir=self.dir) + SICK
        for name, lines in self._zones.items():
            self._write(name, lines)
            text += ZONE.format(name=name, dir=self.dir)
        self.conf.write_text(text, encoding="ascii")
        self._process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", self.conf],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(self._answers, 10, "unbound answers")
        return self

    def stop(self):
        """Questions are answered with "port unreachable"."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        self._process.wait(10)
        self._process = None

    def freeze(self):
        """Answer nothing at all."""
        self._process.send_signal(signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self):
        """End freeze()."""
        if self._is_frozen:
            self._process.send_signal(signal.SIGCONT)
        self._is_frozen = False

    def set(self, name, lines):
        """Another zone file; what is in the cache stays there as long as it holds."""
        self._write(name, lines)
        done = subprocess.run(["/usr/sbin/unbound-control", "-c", self.conf, "auth_zone_reload",
                               f"{name}."], check=False, capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, f"auth_zone_reload: {done.stdout}{done.stderr}"

    def _write(self, name, lines):
        self._serial += 1
        text = f"$ORIGIN {name}.\n@ 60 IN SOA ns hostmaster {self._serial} 60 60 60 1\n" \
               "@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n" + "".join(f"{line}\n" for line in lines)
        (self.dir / f"{name}.zone").write_text(text, encoding="ascii")

    def _answers(self):
        assert self._process.poll() is None, self.tail()
        packet = struct.pack("!HHHHHH", 1, 0x100, 1, 0, 0, 0) + b"\x02ns" + b"".join(
            bytes([len(label)]) + label.encode()
            for label in next(iter(self._zones)).split(".")) + b"\0" + struct.pack("!HH", 1, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
            ask.settimeout(0.2)
            try:
                ask.sendto(packet, (ADDRESS, 53))
                return ask.recv(512)[3] & 0xf == 0
            except OSError:
                return False

    def tail(self):
        """The end of its log."""
        return self.log.read_text(encoding="utf-8")[-4000:] if self.log.exists() else "(no log)"
