"""A relayhost in the outside world: refuses, swallows SYNs, has no name, is not our own host."""
import statistics
import time

import pytest

from harness.net import REMOTE_ADDRESS, REMOTE_ADDRESS6
from harness.scene import DETECTION, RelayScene

REFUSED = ("connection-refused", "4.4.1", "relayhost", "connection refused")
TIMEOUT = ("connection-timeout", "4.4.1", "relayhost", "connection timed out")
NOT_FOUND = ("dns-not-found", "4.4.4", "relayhost", "host not found")


@pytest.mark.seconds(8)
def test_a_relayhost_that_refuses_is_down_and_recovers_without_help(site):
    scene = RelayScene(site).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()

    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    scene.must_refuse(scene.hop, *REFUSED)
    scene.must_have_nothing(scene.relay, counts=[1])

    scene.relay.start()
    scene.must_recover(scene.recovery())
    scene.postfix.wait_empty()


def test_a_nexthop_of_default_transport_goes_before_relayhost(site):
    scene = RelayScene(site)
    own = site.peer(remote=True)
    hop = f"smtp:[{REMOTE_ADDRESS}]:{own.bind_to[1]}"
    scene.postfix.params["default_transport"] = hop
    scene.start()
    assert hop in scene.milter.hops() and scene.hop not in scene.milter.hops()
    scene.must_deliver(own)
    assert not any(known["learned"] for known in scene.milter.hops().values())


@pytest.mark.seconds(8)
def test_a_relayhost_on_ipv6_is_probed_as_well(site):
    scene = RelayScene(site, f"[{REMOTE_ADDRESS6}]:PORT", ipv6=True).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    scene.must_refuse(scene.hop, *REFUSED)
    scene.relay.start()
    scene.must_recover(scene.recovery())


@pytest.mark.seconds(12)
def test_a_relayhost_whose_packets_are_dropped_is_down_and_recovers_without_help(site):
    scene = RelayScene(site).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()

    site.world.drop(REMOTE_ADDRESS)
    scene.milter.wait_state(scene.hop, "down", "connection-timeout", DETECTION)
    scene.must_refuse(scene.hop, *TIMEOUT)
    scene.must_have_nothing(scene.relay, counts=[1])

    site.world.heal(REMOTE_ADDRESS)
    # A probe that is under way when the packets flow again may have to end first: one second.
    scene.must_recover(scene.recovery() + 1.0)
    scene.postfix.wait_empty()


@pytest.mark.seconds(8)
@pytest.mark.parametrize("relayhost, records", [
    ("[relay.example.net]:PORT", {"relay.example.net": {"a": [REMOTE_ADDRESS]}}),
    ("relay.example.net:PORT", {"relay.example.net": {"mx": [(10, "mx1.example.net")]},
                                "mx1.example.net": {"a": [REMOTE_ADDRESS]}}),
], ids=["address", "mx"])
def test_a_relayhost_whose_name_does_not_exist_is_down_until_it_does(site, relayhost, records):
    scene = RelayScene(site, relayhost).start()
    scene.milter.wait_state(scene.hop, "down", "dns-not-found", DETECTION)
    scene.must_refuse(scene.hop, *NOT_FOUND)
    scene.must_have_nothing(scene.relay)

    for name, record in records.items():
        site.dns.set(name, **record)
    scene.must_recover(scene.recovery() + 1.0)
    scene.postfix.wait_empty()
    assert len(scene.relay.messages) == 4


@pytest.mark.seconds(10)
def test_a_relayhost_whose_name_goes_away_is_down_with_dns_not_found(site):
    site.dns.set("relay.example.net", a=[REMOTE_ADDRESS])
    scene = RelayScene(site, "[relay.example.net]:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()
    site.dns.reset()
    scene.milter.wait_state(scene.hop, "down", "dns-not-found", DETECTION)
    scene.must_refuse(scene.hop, *NOT_FOUND)
    scene.must_have_nothing(scene.relay, counts=[1])


@pytest.mark.seconds(6)
def test_a_message_never_waits_for_a_remote_relayhost(site):
    """Remote hops are judged by what is known: RCPT is answered at once even in mid-outage."""
    scene = RelayScene(site).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_accept()
    site.world.drop(REMOTE_ADDRESS)
    deadline = time.monotonic() + 3
    waits = []
    while time.monotonic() < deadline:
        waits.append(scene.send().rcpt_seconds)
    assert statistics.median(waits) < 0.1 and max(waits) < 0.7, waits


@pytest.mark.seconds(8)
def test_mail_for_relay_domains_is_judged_by_the_relayhost_too(site):
    """It goes through another transport, so it is another hop: relay:RELAYHOST."""
    scene = RelayScene(site).start()
    hop = f"relay:{scene.relayhost}"
    scene.must_deliver(scene.relay, "a@to.test")
    scene.milter.wait_state(hop, "up")
    scene.postfix.wait_empty()
    scene.relay.stop()
    scene.milter.wait_state(hop, "down", "connection-refused", DETECTION)
    scene.must_refuse(hop, *REFUSED, recipients="b@to.test")
    scene.must_have_nothing(scene.relay, counts=[1])
    scene.relay.start()
    scene.must_recover(scene.recovery(), "c@to.test")
