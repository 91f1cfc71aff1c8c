"""What our probes leave behind at real peers: two lines in the log of a Postfix, nothing at an amavis."""
import re
import time

import pytest

from harness.milter import BRISK
from harness.scene import Scene
from harness.wait import wait_until

# Probes come when the operator asks, so they can be counted.
SELDOM = {**BRISK, "interval": "1h", "fast_interval": "1h", "down_interval": "1h",
          "reply_timeout": "10s"}
RUDE = r"lost connection|improper command pipelining|timeout|error|warning|PREGREET|HANGUP|COMMAND"


def resets():
    """How many RST this network namespace has sent."""
    with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    return int(values[names.index("OutRsts")])


class PeerScene(Scene):
    """The relayhost is a Postfix of its own."""

    def __init__(self, site, probe, port=None):
        super().__init__(site, probe)
        self.peer = site.postfix()
        self.peer.params["myhostname"] = "relay.example.test"
        relayhost = f"[127.0.0.1]:{port or self.peer.port}"
        self.postfix.params.update(relayhost=relayhost, default_transport="smtp")
        self.hop = f"smtp:{relayhost}"
        self.milter.extra = f'hop "relay:{relayhost}" {{ interval = 1h }}\n'

    def probe(self):
        """One probe that finds the hop up."""
        code, found = self.milter.ctl("probe", "--json", self.hop, timeout=30)
        assert code == 0, found
        return found


@pytest.mark.seconds(5)
def test_a_probe_leaves_two_lines_at_a_postfix_and_no_reset(site):
    scene = PeerScene(site, SELDOM)
    scene.peer.start()
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.milter.wait_state("relay:" + scene.hop.removeprefix("smtp:"), "up")
    scene.peer.log.wait_for("disconnect from")
    time.sleep(0.2)
    mark, before = scene.peer.log.mark(), resets()
    for _ in range(20):
        scene.probe()
    wait_until(lambda: len(scene.peer.log.find(r"disconnect from", mark)) >= 20, 5, "20 disconnects")
    lines = [line for line in scene.peer.log.text(mark).splitlines() if "/smtpd[" in line]
    assert len(lines) == 40, "\n".join(lines)
    assert all(re.search(r"(?<!dis)connect from |disconnect from .* ehlo=1 quit=1 commands=2", line)
               for line in lines), "\n".join(lines)
    assert not scene.peer.log.find(RUDE)
    assert resets() == before


@pytest.mark.seconds(8)
def test_a_postfix_behind_postscreen_stays_up(site):
    port = site.world.free_port()
    scene = PeerScene(site, SELDOM, port)
    scene.peer.add_service(f"127.0.0.1:{port} inet n - n - 1 postscreen\n"
                           "smtpd pass - - n - - smtpd\n"
                           "dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n")
    scene.peer.params.update(
        postscreen_access_list="", postscreen_greet_action="enforce", postscreen_greet_wait="2s",
        postscreen_cache_map=f"btree:{scene.peer.dir}/data/postscreen",
        postscreen_greet_ttl="1s")
    scene.peer.start()
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.milter.wait_state("relay:" + scene.hop.removeprefix("smtp:"), "up")
    before = resets()

    def greeted_slowly():
        """Once postscreen has forgotten us, in whole seconds."""
        found = scene.probe()
        heard = [step for step in found["steps"] if step["direction"] == "received"
                 and step["kind"] == "dialogue"]
        return (found, heard) if heard[0]["text"].startswith("220-") else None
    found, heard = wait_until(greeted_slowly, 15, "postscreen looks again", 0.3)
    assert heard[1]["text"].startswith("220 "), heard
    assert heard[1]["ms"] - heard[0]["ms"] > 1500, heard
    assert found["result"]["state"] == "up"
    assert not scene.peer.log.find(RUDE.replace("|warning", "")), scene.peer.log.tail()
    assert resets() == before


@pytest.mark.seconds(45)
def test_an_hour_of_probes_exhausts_no_amavis(site):
    """As many probes as an hour has, a hundred times as fast, with mail in between."""
    scene = Scene(site, SELDOM)
    sink = site.peer()
    amavis = site.amavis(scene.postfix.reentry)
    hop = f"smtp-amavis:[127.0.0.1]:{amavis.port}"
    scene.postfix.params["content_filter"] = hop
    scene.postfix.route("to.test", f"smtp:[127.0.0.1]:{sink.bind_to[1]}")
    amavis.start()
    scene.start()
    scene.milter.wait_state(hop, "up")
    mark = amavis.log.mark()
    most, rude = 0, 0
    for number in range(360):
        before = resets()
        code, found = scene.milter.ctl("probe", "--json", hop)
        # For a while after mail, amavis hangs up on Postfix without a QUIT, which makes resets of its own.
        rude += resets() - before if number % 60 <= 30 else 0
        assert code == 0 and found["status"]["state"] == "up", (number, found)
        most = max(most, len(amavis.members()))
        if number % 60 == 30:
            scene.must_deliver(sink)
        time.sleep(0.05)
    scene.must_deliver(sink)
    # The master, two children, and one or two that are just being replaced.
    assert most <= 5, most
    assert not amavis.log.find(r"\(!|WARN|TROUBLE", mark), amavis.report()
    assert rude == 0, "resets"
    scene.postfix.wait_empty()
