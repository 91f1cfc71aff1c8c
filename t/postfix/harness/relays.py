"""relays - relayhosts that can TLS, that want a password, or both

Each scene can send the same message around the milter, so that a test sees what smtp(8) makes of the same server.
"""
import os
import pathlib
import pwd

from .net import REMOTE_ADDRESS, REMOTE_ADDRESSES
from .scene import DETECTION, RelayScene
from .wait import wait_until

NAME = "relay.example.net"
USER = "relayuser@example.test"
PASSWORD = "tiger-Lily-77+open/sesame"


class TlsScene(RelayScene):
    """A relayhost that can TLS, with a certificate of our own authority."""

    def __init__(self, site, authority, identity=None, level="verify", wrapper=False, lmtp=False,
                 nexthop=f"[{NAME}]:PORT", **options):
        site.dns.set(NAME, a=[REMOTE_ADDRESS])
        self._peer = site.tls_peer(identity or authority.issue(NAME, [NAME]), wrapper=wrapper, lmtp=lmtp)
        super().__init__(site, nexthop, **options)
        self.relay = self._peer
        self.relayhost = nexthop.replace("PORT", str(self.relay.bind_to[1]))
        self.hop = f"smtp:{self.relayhost}"
        self.postfix.params.update(
            relayhost=self.relayhost, smtp_tls_security_level=level, smtp_tls_CAfile=authority.file,
            smtp_tls_loglevel="1", smtp_starttls_timeout="2s", smtp_helo_timeout="2s")
        if wrapper:
            self.postfix.params["smtp_tls_wrappermode"] = "yes"

    def what_postfix_does(self, attempts):
        """Send one message around the milter: "sent", or why smtp(8) defers it."""
        sent = self.postfix.sendmail("me@example.test", [self.recipient], "Subject: test\n\ntest\n")
        assert sent.returncode == 0, sent.stderr
        pattern = r"postfix/[sl]mtp\[\d+\]: .*status=(sent|deferred|bounced) \((.*)\)"

        def has_decided():
            found = self.postfix.log.find(pattern)
            is_sent = found and found[-1].group(1) == "sent"
            return found[-1] if is_sent or len(found) >= attempts else None
        found = self.postfix.wait_delivery(has_decided, 30, f"mail is sent, or deferred {attempts} times")
        return "sent" if found.group(1) == "sent" else found.group(2)

    def settled(self, state=None):
        """The hop, when it is known to be up or down."""
        def is_there():
            hop = self.milter.hop(self.hop)
            wanted = [state] if state else ["up", "degraded", "down"]
            known = hop.get("state") in wanted or hop.get("reason") == "local-error"
            return hop if known else None
        return wait_until(is_there, DETECTION, f"{self.hop} is judged: {self.milter.hop(self.hop)}")


class ServersScene(TlsScene):
    """Several servers at one port of several addresses, each with a certificate; .peers."""

    def __init__(self, site, authority, identities, nexthop, **options):
        super().__init__(site, authority, identities[0], nexthop=nexthop, **options)
        self.relay_port = self.relay.bind_to[1]
        self.peers = [self.relay] + [
            site.tls_peer(identity, address=f"inet:{address}:{self.relay_port}", wrapper=self.relay.wrapper)
            for identity, address in zip(identities[1:], REMOTE_ADDRESSES[1:])]

    def _table(self, name, lines):
        """A table that the keeper may read."""
        table = self.site.dir / name
        text = "".join(f"{key.replace('PORT', str(self.relay_port))} {value}\n" for key, value in lines.items())
        table.write_text(text, encoding="ascii")
        os.chown(table, 0, pwd.getpwnam("postfix").pw_gid)
        table.chmod(0o640)
        return f"texthash:{table}"

    def use_policies(self, lines):
        """smtp_tls_policy_maps; PORT stands for the port."""
        self.postfix.params["smtp_tls_policy_maps"] = self._table("policy", lines)
        return self

    def use_passwords(self, lines, accepts=PASSWORD, **auth):
        """smtp_sasl_password_maps, for USER; each server accepts one password."""
        maps = self._table("sasl_passwd", {key: f"{USER}:{password}" for key, password in lines.items()})
        self.postfix.params.update(smtp_sasl_auth_enable="yes", smtp_sasl_password_maps=maps,
                                   smtp_sasl_security_options="noanonymous",
                                   smtp_sasl_tls_security_options="noanonymous")
        for peer in self.peers:
            peer.set("auth", **{"accounts": {USER: accepts}, "mechanisms": "PLAIN", **auth})
        self.milter.extra = 'hop "*" { depth = "auth" }\n'
        return self

    def wait_hops(self, state, reason=None):
        """Wait until every hop that leads to the relay is in a state; returns how many there are (smtp and relay)."""
        self.milter.wait_state(self.hop, state, reason)
        hops = [name for name in self.milter.hops() if name.endswith(f":{self.relayhost}")]
        for hop in hops:
            self.milter.wait_state(hop, state, reason)
        return len(hops)

    def attempts(self):
        """How often each server was asked to authenticate."""
        return [len(peer.attempts) for peer in self.peers]


def must_agree(scene, attempts=1):
    """Both see the same; the hop."""
    said = scene.what_postfix_does(attempts)
    hop = scene.settled()
    passes = hop["state"] in ("up", "degraded")
    assert passes == (said == "sent"), f"Postfix: {said}; failfast-milter: {hop}"
    return hop, said


class AuthScene(RelayScene):
    """A relayhost that wants a password, and a table of passwords."""

    def __init__(self, site, depth="auth", options="noanonymous", hop_extra="", **kwargs):
        super().__init__(site, **kwargs)
        self.table = site.dir / "sasl_passwd"
        self.postfix.params.update(
            smtp_sasl_auth_enable="yes", smtp_sasl_security_options=options,
            smtp_sasl_password_maps=f"hash:{self.table}")
        self.milter.extra = f'hop "smtp:*" {{ depth = {depth} {hop_extra} }}\n'
        self.relay.set("auth", accounts={USER: PASSWORD})

    def passwords(self, password=PASSWORD, key=None, mode=0o640):
        """Write the table and build it; the keeper may read it unless mode says otherwise."""
        self.table.write_text(f"{key or self.relayhost} {USER}:{password}\n", encoding="utf-8")
        os.chown(self.table, 0, pwd.getpwnam("postfix").pw_gid)
        self.table.chmod(mode)
        if not (self.postfix.config / "main.cf").exists():
            self.postfix.prepare()
        done = self.postfix.command("postmap", f"hash:{self.table}")
        assert done.returncode == 0, done.stderr
        return self

    def give_to_keeper(self):
        """Let Postfix's group read the table."""
        for path in (self.table, pathlib.Path(f"{self.table}.db")):
            os.chown(path, 0, pwd.getpwnam("postfix").pw_gid)
            path.chmod(0o640)

    def wait(self, state, reason=None, timeout=DETECTION):
        """Wait for a state of the hop."""
        return self.milter.wait_state(self.hop, state, reason, timeout)

    def deliver_past_us(self, what):
        """A message that does not ask the milter, for it comes by sendmail(1); what the log says of it."""
        mark = self.postfix.log.mark()
        self.postfix.sendmail("a@example.test", ["b@elsewhere.example"], "Subject: x\n\nx\n")
        return self.postfix.log.wait_for(what, 10, mark)

    def attempts(self):
        """How often somebody tried to authenticate at the relay."""
        return list(self.relay.attempts)
