"""Relays of several servers: each has its name, its TLS policy and its password, and Postfix beside us meets the same."""
import os
import pathlib

import pytest

from tls_peer import Authority

from harness.milter import QUIET
from harness.net import REMOTE_ADDRESS, REMOTE_ADDRESSES
from harness.relays import PASSWORD, ServersScene, TlsScene, must_agree
from harness.scene import DETECTION
from harness.wait import wait_until

SECOND = REMOTE_ADDRESSES[1]
DOMAIN = "relay.example"
MX1, MX2 = f"mx1.{DOMAIN}", f"mx2.{DOMAIN}"
ONE_MX = ["@ 60 IN MX 10 mx1", f"mx1 60 IN A {REMOTE_ADDRESS}"]
TWO_MX = [*ONE_MX, "@ 60 IN MX 20 mx2", f"mx2 60 IN A {SECOND}"]
NO_MX = [f"@ 60 IN A {REMOTE_ADDRESS}"]
ALIAS = ["@ 60 IN MX 10 alias", "alias 60 IN CNAME mx1", f"mx1 60 IN A {REMOTE_ADDRESS}"]
SLOW = {**QUIET, "interval": "60s", "fast_interval": "300ms"}
CERTIFICATE = ("tls-certificate", "4.7.5", "relayhost", "server certificate not verified")
REJECTED = ("auth-rejected", "4.7.8", "relayhost", "authentication rejected")


@pytest.fixture(name="authority", scope="module")
def fixture_authority(world):
    """One for all tests; keys take a while."""
    return Authority(pathlib.Path(world.base) / "authority_of_servers")


def _issue(authority, *names):
    return [authority.issue(name, [name]) for name in names]


# A zone, the name in the certificate, the level, more parameters, and what must come of it.
NAMED = {
    "hostname-is-the-exchanger": (ONE_MX, MX1, "verify", {}, "up"),
    "hostname-is-not-the-domain": (ONE_MX, DOMAIN, "verify", {}, "down"),
    "hostname-without-mx": (NO_MX, DOMAIN, "verify", {}, "up"),
    "secure-is-the-domain": (ONE_MX, DOMAIN, "secure", {}, "up"),
    "secure-is-not-another-domain": (ONE_MX, "mx1.elsewhere.example", "secure", {}, "down"),
    "secure-with-hostname": (ONE_MX, MX1, "secure", {"smtp_tls_secure_cert_match": "hostname"}, "up"),
    "an-alias-is-the-name": (ALIAS, f"alias.{DOMAIN}", "verify", {}, "up"),
    "where-it-leads-is-not": (ALIAS, MX1, "verify", {}, "down"),
    "where-it-leads-is-if-so-set": (ALIAS, MX1, "verify", {"smtp_cname_overrides_servername": "yes"}, "up"),
}


@pytest.mark.seconds(8)
@pytest.mark.parametrize("case", list(NAMED))
def test_behind_mail_exchangers_the_name_of_the_server_is_verified(site, authority, case):
    zone, name, level, params, state = NAMED[case]
    site.unbound(relay=zone)
    scene = TlsScene(site, authority, authority.issue(name, [name]), level, nexthop=f"{DOMAIN}:PORT")
    scene.postfix.params.update(params)
    scene.start()
    hop, _said = must_agree(scene)
    assert (hop["state"], hop["reason"]) == (state, None if state == "up" else "tls-certificate"), hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("servername, state", [("hostname", "up"), ("nexthop", "down")])
def test_behind_mail_exchangers_sni_has_the_name_of_the_server(site, authority, servername, state):
    site.unbound(relay=ONE_MX)
    scene = TlsScene(site, authority, authority.issue("x.example", ["x.example"]), nexthop=f"{DOMAIN}:PORT")
    scene.relay.set_tls(by_name={MX1: authority.issue(MX1, [MX1])})
    scene.postfix.params["smtp_tls_servername"] = servername
    scene.start()
    hop, _said = must_agree(scene)
    assert hop["state"] == state, hop


@pytest.mark.seconds(15)
def test_a_mail_exchanger_with_a_wrong_certificate_makes_the_relay_partial(site, authority):
    """As long as the next one has the right one; and what is repaired is seen at once."""
    site.unbound(relay=TWO_MX)
    right = _issue(authority, MX1, MX2)
    scene = ServersScene(site, authority, [right[1], right[1]], f"{DOMAIN}:PORT")
    first, second = scene.peers
    scene.start()
    hop, said = must_agree(scene)
    assert (hop["state"], hop["reason"], said) == ("degraded", "partial", "sent"), hop
    assert "certificate" in hop["detail"] and REMOTE_ADDRESS in hop["detail"], hop
    assert len(second.messages) == 1 and not first.messages

    second.stop()
    scene.milter.wait_state(scene.hop, "down", "tls-certificate", DETECTION)
    scene.must_refuse(scene.hop, *CERTIFICATE)
    first.set_tls(identity=right[0])
    scene.must_recover(scene.recovery())


@pytest.mark.seconds(10)
def test_a_mail_exchanger_that_mail_does_not_go_to_is_looked_at_as_well(site, authority):
    site.unbound(relay=TWO_MX)
    right = _issue(authority, MX1, MX2)
    scene = ServersScene(site, authority, [right[0], right[0]], f"{DOMAIN}:PORT").start()
    scene.milter.wait_state(scene.hop, "degraded", "partial", DETECTION)
    assert SECOND in scene.milter.hop(scene.hop)["detail"]
    scene.must_deliver(scene.relay)
    scene.peers[1].set_tls(identity=right[1])
    scene.milter.wait_state(scene.hop, "up", timeout=DETECTION)


@pytest.mark.seconds(12)
def test_every_mail_exchanger_is_asked_for_tls_once_in_ten_minutes(site, authority):
    site.unbound(relay=TWO_MX)
    scene = ServersScene(site, authority, _issue(authority, MX1, MX2), f"{DOMAIN}:PORT").start()
    hops = scene.wait_hops("up")
    began = scene.peers[1].connections
    wait_until(lambda: scene.peers[1].connections >= began + 6, 15, "more probes of the second")
    assert [peer.handshakes for peer in scene.peers] == [hops, hops]


@pytest.mark.seconds(8)
@pytest.mark.parametrize("key, is_found", [(MX1, True), (DOMAIN + ":PORT", True), (f"x.{DOMAIN}", False)])
def test_behind_mail_exchangers_passwords_are_looked_up_by_the_name_of_the_server(site, authority, key, is_found):
    site.unbound(relay=ONE_MX)
    scene = ServersScene(site, authority, _issue(authority, MX1), f"{DOMAIN}:PORT")
    scene.use_passwords({key: PASSWORD}).start()
    hops = scene.wait_hops("up")
    assert scene.attempts() == [hops if is_found else 0]
    scene.must_deliver(scene.relay)
    assert scene.attempts() == [hops + 1 if is_found else 0]


@pytest.mark.seconds(12)
def test_the_name_of_the_server_goes_before_the_nexthop(site, authority):
    """The first exchanger has a password of its own, which is wrong; the second one that of the nexthop."""
    site.unbound(relay=TWO_MX)
    scene = ServersScene(site, authority, _issue(authority, MX1, MX2), f"{DOMAIN}:PORT")
    scene.use_passwords({MX1: "wrong", f"{DOMAIN}:PORT": PASSWORD}).start()
    hops = scene.wait_hops("degraded", "partial")
    assert "535" in scene.milter.hop(scene.hop)["detail"]
    began = scene.peers[0].connections
    wait_until(lambda: scene.peers[0].connections >= began + 5, 15, "five more probes of the first")
    assert scene.milter.hop(scene.hop)["reason"] == "partial"
    assert scene.attempts() == [hops, hops], "one attempt at each"
    # Postfix goes on to the second one, too.
    scene.must_deliver(scene.peers[1])


@pytest.mark.seconds(8)
def test_a_password_that_one_exchanger_rejects_is_not_tried_at_the_next(site, authority):
    site.unbound(relay=TWO_MX)
    scene = ServersScene(site, authority, _issue(authority, MX1, MX2), f"{DOMAIN}:PORT")
    scene.use_passwords({f"{DOMAIN}:PORT": "wrong"}).start()
    hops = scene.wait_hops("down", "auth-rejected")
    scene.must_refuse(scene.hop, *REJECTED)
    began = scene.peers[1].connections
    wait_until(lambda: scene.peers[1].connections >= began + 5, 15, "five more probes of the second")
    assert scene.attempts() == [hops, 0]


@pytest.mark.seconds(8)
def test_a_certificate_that_mail_meets_is_looked_at_at_once(site, authority):
    """It was fine a moment ago, and would not be looked at for ten minutes; but Postfix defers mail."""
    site.unbound(relay=NO_MX)
    scene = ServersScene(site, authority, _issue(authority, DOMAIN), f"[{DOMAIN}]:PORT", probe=SLOW)
    scene.postfix.params["relay_transport"] = "smtp"  # one hop for the log to speak of
    scene.postfix.prepare()
    scene.postfix.start()
    os.chmod(scene.postfix.log.path, 0o644)
    scene.milter.start()
    scene.milter.wait_sockets()
    scene.milter.wait_state(scene.hop, "up")
    scene.milter.log.wait_for("following the log of Postfix", 10)
    scene.relay.set_tls(identity=authority.issue(DOMAIN, [DOMAIN], ends="20210101000000Z"))
    scene.must_accept()
    scene.milter.wait_state(scene.hop, "down", "tls-certificate", 6)
    scene.must_refuse(scene.hop, *CERTIFICATE)


# Policies of the two nexthops of a list, their certificates, and what must come of it.
A, B = "a.relays.example", "b.relays.example"
LISTED = {
    "each-by-its-own-name": ({}, [A, B], "up", None),
    "the-names-are-not-mixed-up": ({}, [B, A], "down", "tls-certificate"),
    "one-is-wrong": ({}, [B, B], "degraded", "partial"),
    "a-policy-is-for-one-of-them": ({f"[{A}]:PORT": "encrypt"}, [B, B], "up", None),
    "and-not-for-the-other": ({f"[{B}]:PORT": "encrypt"}, [B, A], "degraded", "partial"),
    "a-policy-may-ask-for-another-name": (
        {f"[{A}]:PORT": f"verify match={B}", f"[{B}]:PORT": f"verify match={A}"}, [B, A], "up", None),
}


@pytest.mark.seconds(10)
@pytest.mark.parametrize("how", ["list", "fallback"])
@pytest.mark.parametrize("case", list(LISTED))
def test_nexthops_of_a_list_and_fallbacks_have_policies_of_their_own(site, authority, case, how):
    policies, names, state, reason = LISTED[case]
    site.unbound(relays=[f"a 60 IN A {REMOTE_ADDRESS}", f"b 60 IN A {SECOND}"])
    scene = ServersScene(site, authority, _issue(authority, *names),
                         f"[{A}]:PORT" if how == "fallback" else f"[{A}]:PORT,[{B}]:PORT")
    if how == "fallback":
        scene.postfix.params["smtp_fallback_relay"] = f"[{B}]:{scene.relay_port}"
    if policies:
        scene.use_policies(policies)
    scene.start()
    hop, _said = must_agree(scene)
    if how == "fallback" and (state, names) == ("up", [B, A]):
        assert scene.peers[1].connections == 0
    if how == "list" and state == "up":
        wait_until(lambda: scene.peers[1].handshakes, 10, "a handshake with the second")
        hop = scene.milter.hop(scene.hop)
    assert (hop["state"], hop["reason"]) == (state, reason), hop


@pytest.mark.seconds(15)
@pytest.mark.parametrize("how", ["list", "fallback"])
def test_nexthops_of_a_list_and_fallbacks_have_passwords_of_their_own(site, authority, how):
    site.unbound(relays=[f"a 60 IN A {REMOTE_ADDRESS}", f"b 60 IN A {SECOND}"])
    scene = ServersScene(site, authority, _issue(authority, A, B),
                         f"[{A}]:PORT" if how == "fallback" else f"[{A}]:PORT,[{B}]:PORT")
    if how == "fallback":
        scene.postfix.params["smtp_fallback_relay"] = f"[{B}]:{scene.relay_port}"
    scene.use_passwords({f"[{A}]:PORT": PASSWORD, f"[{B}]:PORT": "for b"})
    scene.peers[1].set("auth", accounts={"relayuser@example.test": "for b"}, mechanisms="LOGIN")
    scene.start()
    hops = scene.wait_hops("up")
    if how == "list":
        wait_until(lambda: scene.attempts()[1] == hops, 10, "an attempt at the second")
    assert scene.attempts() == [hops, hops if how == "list" else 0]
    scene.relay.stop()
    assert scene.wait_hops("degraded") == hops
    assert scene.attempts() == [hops, hops]
    scene.must_deliver(scene.peers[1])
    assert scene.attempts() == [hops, hops + 1]
