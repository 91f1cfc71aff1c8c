"""Names of relays, looked up by a real resolver: what smtp(8) finds, and what it does not."""
import re

import pytest

from harness.net import OUR_ADDRESS, REMOTE_ADDRESS, REMOTE_ADDRESS6, REMOTE_ADDRESSES
from harness.scene import DETECTION, RelayScene
from harness.wait import wait_until

SECOND = REMOTE_ADDRESSES[1]
THIRD = REMOTE_ADDRESSES[2]
TTL = 5.0  # seconds that an answer is kept at least
NAME = "relay.example"
# A relayhost's name, its zone, and what Postfix logs of mail that it cannot send there.
GOOD = {
    "mx": ["@ 60 IN MX 10 mx1", f"mx1 60 IN A {REMOTE_ADDRESS}"],
    "better-mx-without-address": ["@ 60 IN MX 10 gone", "@ 60 IN MX 20 mx2",
                                  f"mx2 60 IN A {REMOTE_ADDRESS}"],
    "no-mx": [f"@ 60 IN A {REMOTE_ADDRESS}"],
    "mx-is-an-address": [f"@ 60 IN MX 10 {REMOTE_ADDRESS}."],
    "mx-is-an-alias": ["@ 60 IN MX 10 alias", "alias 60 IN CNAME mx1",
                       f"mx1 60 IN A {REMOTE_ADDRESS}"],
}
BAD = {
    "nxdomain": ("gone.relay.example", [], "dns-not-found", r"Host or domain name not found"),
    "null-mx": (NAME, ["@ 60 IN MX 0 .", f"@ 60 IN A {REMOTE_ADDRESS}"], "dns-not-found",
                r"does not accept mail"),
    "no-address": (NAME, ["@ 60 IN MX 10 gone"], "dns-not-found", r"Host not found|not found"),
    "servfail": ("sick.example", [], "dns-failure", r"try again"),
}


def local_mail(scene):
    """A message that nobody refuses."""
    scene.postfix.sendmail("a@from.test", [scene.recipient], "Subject: hello\n\nhello\n")


def tagged(message):
    """The value of our header, folded lines joined."""
    found = re.search(rb"^Failfast-Status:(.*(?:\r?\n[ \t].*)*)", message.data, re.MULTILINE)
    return re.sub(r"\s+", " ", found.group(1).decode()).strip() if found else None


def relays(site, scene, *addresses):
    """More relays at the port of the first."""
    return [site.peer(f"inet:{address}:{scene.relay.bind_to[1]}", remote=True)
            for address in addresses]


@pytest.mark.parametrize("zone", GOOD.values(), ids=GOOD.keys())
def test_what_postfix_finds_is_found(site, zone):
    site.unbound(relay=zone)
    scene = RelayScene(site, f"{NAME}:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()


@pytest.mark.seconds(8)
@pytest.mark.parametrize("host, zone, reason, logged", BAD.values(), ids=BAD.keys())
def test_what_postfix_does_not_find_is_down_for_the_same_reason(site, host, zone, reason, logged):
    site.unbound(relay=zone)
    scene = RelayScene(site, f"{host}:PORT").start()
    scene.milter.wait_state(scene.hop, "down", reason, DETECTION)
    sent = scene.send()
    code = {"dns-not-found": "4.4.4", "dns-failure": "4.4.3"}[reason]
    assert sent.refusal.startswith(f"451 {code} relayhost"), sent
    mark = scene.postfix.log.mark()
    local_mail(scene)
    scene.postfix.log.wait_for(rf"status=deferred.*({logged})", 15, mark)


@pytest.mark.seconds(8)
@pytest.mark.parametrize("role", ["transport", "content-filter"])
def test_fault_19_where_postfix_bounces_mail_is_refused(site, role):
    """In a map or content_filter a name that is gone is for ever."""
    site.unbound(relay=[])
    scene = RelayScene(site)
    hop = f"smtp:[{NAME}]:{scene.relay.bind_to[1]}"
    if role == "transport":
        scene.postfix.route("to.test", hop)
    else:
        scene.postfix.params["content_filter"] = hop
    scene.start()
    scene.milter.wait_state(hop, "down", "dns-not-found", DETECTION)
    scene.must_refuse(hop, "dns-not-found", "4.4.4", role, "host not found", "b@to.test")
    mark = scene.postfix.log.mark()
    scene.postfix.sendmail("a@from.test", ["b@to.test"], "Subject: hello\n\nhello\n")
    scene.postfix.log.wait_for(r"dsn=5\.4\.4, status=bounced", 15, mark)


@pytest.mark.seconds(15)
def test_a_resolver_that_answers_nothing_is_dns_failure_until_it_does(site):
    unbound = site.unbound(relay=[f"@ 60 IN A {REMOTE_ADDRESS}"])
    scene = RelayScene(site, f"[{NAME}]:PORT")
    unbound.freeze()
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "dns-failure", DETECTION)
    scene.must_refuse(scene.hop, "dns-failure", "4.4.3", "relayhost", "name service error")
    unbound.thaw()
    scene.must_recover(scene.recovery() + 2.0)
    scene.postfix.wait_empty()


@pytest.mark.seconds(25)
@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_addresses_that_are_known_serve_while_the_resolver_is_down(site, how):
    unbound = site.unbound(relay=["@ 60 IN MX 10 mx1", f"mx1 1 IN A {REMOTE_ADDRESS}"])
    scene = RelayScene(site, f"{NAME}:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    getattr(unbound, how)()
    scene.milter.log.wait_for(r"last known addresses serve", TTL + 10)
    scene.milter.wait_state(scene.hop, "up")
    # and they are still asked: a relay that is down is seen
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)


@pytest.mark.seconds(15)
def test_a_name_that_moves_is_followed_when_its_time_to_live_ends(site):
    unbound = site.unbound(relay=[f"@ 1 IN A {REMOTE_ADDRESS}"])
    scene = RelayScene(site, f"[{NAME}]:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    other, = relays(site, scene, SECOND)
    assert other.connections == 0
    unbound.set(NAME, [f"@ 1 IN A {SECOND}"])
    wait_until(lambda: other.connections > 0, TTL + 5, "a connection to the new address")
    scene.relay.stop()
    scene.must_deliver(other)
    assert scene.milter.hop(scene.hop)["state"] == "up"


@pytest.mark.seconds(15)
def test_another_resolv_conf_is_noticed(site):
    site.dns.set(NAME, a=[SECOND])
    site.unbound(relay=[f"@ 3600 IN A {REMOTE_ADDRESS}"])
    scene = RelayScene(site, f"[{NAME}]:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    other, = relays(site, scene, SECOND)
    site.world.use_name_server()
    wait_until(lambda: other.connections > 0, 10, "a connection to what the other one says")


@pytest.mark.seconds(8)
def test_an_answer_that_holds_is_not_asked_for_again(site):
    site.dns.set(NAME, a=[REMOTE_ADDRESS])
    scene = RelayScene(site, f"[{NAME}]:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    site.dns.log.clear()
    seen = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= seen + 6, 15, "six probes")
    asked = [line for line in site.dns.log if f" A {NAME}:" in line]
    assert len(asked) <= 2, asked


@pytest.mark.seconds(20)
def test_of_several_mx_hosts_one_that_fails_makes_the_relay_partial(site):
    site.unbound(relay=["@ 60 IN MX 10 mx1", "@ 60 IN MX 20 mx2", "@ 60 IN MX 30 mx3",
                        f"mx1 60 IN A {REMOTE_ADDRESS}", f"mx2 60 IN A {SECOND}",
                        f"mx3 60 IN A {THIRD}"])
    scene = RelayScene(site, f"{NAME}:PORT")
    second, third = relays(site, scene, SECOND, THIRD)
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    wait_until(lambda: second.connections and third.connections, 10, "everybody has a turn")
    scene.must_deliver(scene.relay)

    # not the one that mail goes to
    third.stop()
    scene.milter.wait_state(scene.hop, "degraded", "partial")
    message = scene.must_deliver(scene.relay)
    assert "state=degraded" in tagged(message) and "reason=partial" in tagged(message)
    assert THIRD in scene.milter.hop(scene.hop)["detail"]
    third.start()
    scene.milter.wait_state(scene.hop, "up")

    # the one that it goes to
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "degraded", "partial")
    scene.must_deliver(second)
    second.stop()
    third.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    scene.relay.start()
    scene.must_recover(scene.recovery() + 1)


@pytest.mark.seconds(12)
@pytest.mark.parametrize("preference", ["any", "ipv6", "ipv4"])
def test_an_ipv6_address_that_is_unreachable_makes_the_relay_partial(site, preference):
    site.unbound(relay=[f"@ 60 IN A {REMOTE_ADDRESS}", f"@ 60 IN AAAA {REMOTE_ADDRESS6}"])
    scene = RelayScene(site, f"[{NAME}]:PORT")
    scene.postfix.params.update(inet_protocols="all", smtp_address_preference=preference,
                                smtp_connect_timeout="1s")
    site.world.drop(REMOTE_ADDRESS6)
    scene.start()
    scene.milter.wait_state(scene.hop, "degraded", "partial")
    message = scene.must_deliver(scene.relay)
    assert "reason=partial" in tagged(message)
    assert REMOTE_ADDRESS6 in scene.milter.hop(scene.hop)["detail"]
    site.world.heal(REMOTE_ADDRESS6)
    six = site.peer(f"inet:[{REMOTE_ADDRESS6}]:{scene.relay.bind_to[1]}", remote=True)
    scene.milter.wait_state(scene.hop, "up")
    assert six.connections > 0


@pytest.mark.seconds(20)
def test_a_list_of_relays_is_up_as_long_as_one_of_them_works(site):
    scene = RelayScene(site)
    second, = relays(site, scene, SECOND)
    port = scene.relay.bind_to[1]
    scene.postfix.params["relayhost"] = f"[{REMOTE_ADDRESS}]:{port}, [{SECOND}]:{port}"
    scene.hop = f"smtp:[{REMOTE_ADDRESS}]:{port},[{SECOND}]:{port}"
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    second.stop()
    scene.milter.wait_state(scene.hop, "degraded", "partial")
    second.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "degraded", "partial")
    scene.must_deliver(second)
    second.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    scene.must_refuse(scene.hop, "connection-refused", "4.4.1", "relayhost", "connection refused")
    second.start()
    scene.must_recover(scene.recovery() + 1)


@pytest.mark.seconds(20)
def test_a_fallback_relay_is_bothered_only_when_it_is_needed(site):
    scene = RelayScene(site)
    fallback, = relays(site, scene, SECOND)
    scene.postfix.params["smtp_fallback_relay"] = f"[{SECOND}]:{scene.relay.bind_to[1]}"
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)
    assert fallback.connections == 0
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "degraded", "partial", DETECTION)
    scene.must_deliver(fallback)
    fallback.set("greet_421")
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    fallback.set("healthy")
    scene.must_recover(scene.recovery() + 1)
    scene.relay.start()
    scene.milter.wait_state(scene.hop, "up")


@pytest.mark.seconds(10)
def test_a_relay_at_port_25_that_bears_our_name_is_a_loop(site):
    scene = RelayScene(site, f"[{SECOND}]")
    twin = site.peer(f"inet:{SECOND}:25", remote=True, name="mx.example.test")
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "loop", DETECTION)
    scene.must_refuse(scene.hop, "loop", "4.4.6", "relayhost", "mail would loop back to this host")
    mark = scene.postfix.log.mark()
    local_mail(scene)
    scene.postfix.log.wait_for(r"loops back to myself", 10, mark)
    twin.name = "other.example.test"
    scene.must_recover(scene.recovery() + 1)


def test_at_another_port_our_name_is_no_loop(site):
    scene = RelayScene(site)
    scene.relay.name = "mx.example.test"
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(10)
@pytest.mark.parametrize("relayhost", [f"[{OUR_ADDRESS}]", NAME], ids=["address", "mx"])
def test_a_relay_that_is_this_host_is_a_loop(site, relayhost):
    site.unbound(relay=["@ 60 IN MX 10 here", f"here 60 IN A {OUR_ADDRESS}",
                        "@ 60 IN MX 20 worse", f"worse 60 IN A {REMOTE_ADDRESS}"])
    scene = RelayScene(site, relayhost)
    scene.postfix.params["inet_interfaces"] = "all"
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "loop", DETECTION)
    mark = scene.postfix.log.mark()
    local_mail(scene)
    scene.postfix.log.wait_for(r"loops back to myself", 10, mark)


@pytest.mark.seconds(15)
def test_when_every_canary_fails_the_transport_is_down(site):
    site.dns.set("elsewhere.example", a=[REMOTE_ADDRESS])
    scene = RelayScene(site)
    other, = relays(site, scene, SECOND)
    port = scene.relay.bind_to[1]
    scene.postfix.params["relayhost"] = ""
    scene.postfix.route("fixed.test", f"smtp:[{THIRD}]:{port}")
    relays(site, scene, THIRD)
    scene.hop, fixed = "smtp:", f"smtp:[{THIRD}]:{port}"
    scene.milter.extra = f'canary "smtp" {{ hosts = {{"{REMOTE_ADDRESS}:{port}", ' \
                         f'"{SECOND}:{port}"}} }}\n'
    scene.start()
    scene.milter.wait_state("smtp:", "up")
    wait_until(lambda: [check for check in scene.milter.hop("smtp:")["checks"]
                        if check["check"] == "server"], 10, "a word of a canary")
    assert not [hop for hop in scene.milter.hops() if REMOTE_ADDRESS in hop or SECOND in hop]

    other.stop()
    seen = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= seen + 3, 10, "three rounds")
    assert scene.milter.hop("smtp:")["state"] == "up"

    other.start()
    site.world.drop(REMOTE_ADDRESS)
    site.world.drop(SECOND)
    scene.milter.wait_state("smtp:", "down", "connection-timeout", DETECTION)
    scene.must_refuse("smtp:", "connection-timeout", "4.4.1", "transport", "connection timed out")
    # mail that has a nexthop does not go to any MX host
    scene.milter.wait_state(fixed, "up")
    scene.must_accept("a@fixed.test")
    site.world.heal(SECOND)
    scene.must_recover(scene.recovery() + 2)

    # and without canaries nobody knows
    site.world.drop(SECOND)
    scene.milter.wait_state("smtp:", "down", "connection-timeout", DETECTION)
    scene.milter.extra = ""
    scene.milter.write()
    scene.milter.hup()
    wait_until(lambda: scene.milter.hops().get("smtp:", {}).get("state") != "down", 10,
               "a word without canaries")
    site.world.heal_all()
