"""scene - sites that many tests need, and what must be true of a refusal

A FilterScene is a Postfix whose content filter is a sick peer; a RouteScene has no content filter but
two domains, each with a destination of its own; a RelayScene has a relayhost in the outside world.
"""
import re
import time

from .milter import BRISK, QUIET
from .net import REMOTE_ADDRESS, REMOTE_ADDRESS6
from .smtp import MYNETWORKS, OTHER, Smtp, send
from .wait import wait_until

MAX_AGE = 1.0            # seconds, the default
MAX_WAIT = 0.3           # seconds, the default
LOCAL_RECOVERY = 1.5     # "after restart none refused later than"
DETECTION = 12.0         # soft failures need `fall` probes of up to reply_timeout each
WHO = {"other": {}, "mynetworks": {"source": MYNETWORKS}, "authenticated": {"login": True}}

ROLE_TEXT = {"content-filter": "content filter", "proxy-filter": "proxy filter",
             "relayhost": "relayhost", "transport": "transport"}


def brief(code, role, text):
    """The reply to a client whom we do not know."""
    return f"451 {code} {ROLE_TEXT[role]} is temporarily unavailable: {text}"


def full(code, role, hop, since, text):
    """The reply to authenticated clients and to mynetworks; since as in status."""
    return f"451 {code} {ROLE_TEXT[role]} {hop} is down since {since[11:]}: {text}"


class Scene:
    """A site with one Postfix and one milter."""

    port = None
    recipient = "a@to.test"

    def __init__(self, site, probe, chroot=False, ipv6=False, **options):
        self.site = site
        self.postfix = self.make_postfix(site, chroot=chroot, ipv6=ipv6)
        site.sasl(self.postfix)
        self.milter = site.milter(self.postfix, probe=dict(probe), **options)
        self.postfix.use_milter(self.milter)
        self.port = self.postfix.port

    def make_postfix(self, site, **kwargs):
        """The Postfix of this scene, not started."""
        return site.postfix(**kwargs)

    def start(self):
        """Start Postfix, then the milter."""
        self.postfix.prepare()
        self.postfix.start()
        self.milter.start()
        self.milter.wait_sockets()
        return self

    def send(self, recipients=None, who="other", **kwargs):
        """One message."""
        return send(self.port, recipients or self.recipient, **WHO[who], **kwargs)

    def must_accept(self, recipients=None, who="other", **kwargs):
        """One message that has to be accepted."""
        sent = self.send(recipients, who, **kwargs)
        assert sent.accepted, f"refused:\n{sent}"
        return sent

    def must_deliver(self, sink, recipients=None, who="other", timeout=10, **kwargs):
        """One message that has to be accepted and to arrive; the message as the sink has it."""
        sent = self.must_accept(recipients, who, **kwargs)
        return wait_until(lambda: sink.find(sent.ident), timeout, f"{sent.ident} at the sink")

    def must_refuse(self, hop, reason, code, role, text, recipients=None):
        """Every kind of client is refused at RCPT with the words that the manual promises."""
        first = self.send(recipients)
        assert first.refusal == brief(code, role, text), first
        seen = self.milter.hop(hop)
        assert (seen.get("state"), seen.get("reason")) == ("down", reason), seen
        assert role in seen["roles"], seen
        for who in ("mynetworks", "authenticated"):
            sent = self.send(recipients, who)
            assert sent.refusal == full(code, role, hop, seen["since"], text), sent
            assert sent.rcpt[-1].code == 451, "refused later than at RCPT"

    def must_have_nothing(self, *sinks, counts=None):
        """Nothing queued, and nothing more delivered than counts says (a list, else none)."""
        assert self.postfix.queue() == [] and self.postfix.queue_files() == []
        for sink, count in zip(sinks, counts or [0] * len(sinks)):
            assert len(sink.messages) == count, sink.ids()

    def must_recover(self, within, recipients=None):
        """Messages sent all the time are accepted from a moment within so many seconds on."""
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            sent = self.send(recipients)
            if sent.accepted:
                break
            assert asked - began <= within, f"still refused after {asked - began:.2f} s:\n{sent}"
            time.sleep(0.05)
        for who in WHO:
            self.must_accept(recipients, who)
        return sent


class FilterScene(Scene):
    """The content filter is a sick peer on loopback; it is the sink, too."""

    role = "content-filter"

    def __init__(self, site, probe=QUIET, filter_address=None, transport="smtp-amavis", **options):
        super().__init__(site, probe, **options)
        self.filter = site.peer(filter_address, lmtp=transport == "lmtp")
        if filter_address is None:
            nexthop = f"[127.0.0.1]:{self.filter.bind_to[1]}"
        else:
            nexthop = filter_address
        self.hop = f"{transport}:{nexthop}"
        self.postfix.params["content_filter"] = self.hop
        self.postfix.route("to.test", "discard:")

    def wait_up(self):
        """Until the filter is known to be up."""
        return self.milter.wait_state(self.hop, "up")


class RouteScene(Scene):
    """good.test and bad.test, both healthy at first."""

    def __init__(self, site, probe=QUIET, **options):
        super().__init__(site, probe, **options)
        self.good, self.bad = site.peer(), site.peer()
        self.good_hop = f"smtp:[127.0.0.1]:{self.good.bind_to[1]}"
        self.bad_hop = f"smtp:[127.0.0.1]:{self.bad.bind_to[1]}"
        self.postfix.route("good.test", self.good_hop)
        self.postfix.route("bad.test", self.bad_hop)

    def break_bad(self):
        """From now on bad.test's hop refuses, and what we know of it is too old to use."""
        wait_until(lambda: self.milter.hop(self.bad_hop).get("last_probe", True), 10,
                   f"the end of the first probe of {self.bad_hop}")
        self.bad.stop()
        time.sleep(MAX_AGE)

    def session(self, who="other"):
        """A session that has said EHLO, and AUTH if told."""
        session = Smtp(self.port, WHO[who].get("source", OTHER))
        session.hello()
        if who == "authenticated":
            assert session.login().code == 235
        return session


class RelayScene(Scene):
    """All mail leaves through a relayhost in the outside world; everybody may send."""

    role = "relayhost"
    recipient = "a@elsewhere.example"

    def __init__(self, site, relayhost=None, probe=BRISK, ipv6=False, **options):
        super().__init__(site, probe, ipv6=ipv6, **options)
        host = f"[{REMOTE_ADDRESS6}]" if ipv6 else REMOTE_ADDRESS
        self.relay = site.peer(f"inet:{host}:{site.world.free_port()}", remote=True)
        port = self.relay.bind_to[1]
        self.relayhost = (relayhost or f"[{REMOTE_ADDRESS}]:PORT").replace("PORT", str(port))
        self.hop = f"smtp:{self.relayhost}"
        self.postfix.params.update(relayhost=self.relayhost, default_transport="smtp",
                                   smtpd_relay_restrictions="check_client_access static:OK, reject")

    def recovery(self):
        """rise x fast_interval + down_interval, with the jitter and the probes themselves."""
        def seconds(key):
            value = self.milter.probe[key]
            number = float(re.match(r"[\d.]+", value).group())
            return number / 1000 if value.endswith("ms") else number
        return (2 * seconds("fast_interval") + seconds("down_interval")) * 1.1 + 0.5
