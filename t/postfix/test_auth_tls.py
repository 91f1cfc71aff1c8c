"""AUTH within TLS: options of its own, before and after STARTTLS, with TLS before the greeting; and Postfix does the same."""
import pathlib
import re

import pytest

from tls_peer import Authority

from harness.relays import NAME, PASSWORD, USER, ServersScene, must_agree
from harness.scene import DETECTION
from harness.wait import wait_until

REJECTED = ("auth-rejected", "4.7.8", "relayhost", "authentication rejected")
RELOAD = 3.0  # seconds until a change of a table is noticed: WATCH_POLL_MS, SETTLE_MS, postconf


@pytest.fixture(name="authority", scope="module")
def fixture_authority(world):
    """One for all tests; keys take a while."""
    return Authority(pathlib.Path(world.base) / "authority_of_auth")


def _scene(site, authority, level="encrypt", password=PASSWORD, wrapper=False, auth=None, **options):
    """A relay that wants a password; options: smtp_sasl_*security_options by their short names."""
    nexthop = f"[{NAME}]:PORT"
    scene = ServersScene(site, authority, [authority.issue(NAME, [NAME])], nexthop, level=level, wrapper=wrapper)
    scene.use_passwords({nexthop: password}, **(auth or {}))
    names = {"plain": "smtp_sasl_security_options", "tls": "smtp_sasl_tls_security_options",
             "verified": "smtp_sasl_tls_verified_security_options"}
    scene.postfix.params.update({names[word]: value for word, value in options.items()})
    return scene


ANY, STRICT = "noanonymous", "noplaintext, noanonymous"
# Level, options of plaintext, TLS and verified TLS, what the peer does; whether it is up, and what is sent.
OPTIONS = {
    "plain-is-for-tls-alone": ("encrypt", STRICT, ANY, ANY, {}, "up", "PLAIN"),
    "tls-if-it-is-offered": ("may", STRICT, ANY, ANY, {}, "up", "PLAIN"),
    "offered-under-tls-alone": ("encrypt", ANY, ANY, ANY, {"under_tls": True}, "up", "PLAIN"),
    "no-tls-no-plain": ("none", STRICT, ANY, ANY, {}, "down", None),
    "tls-is-not-offered-no-plain": ("may", STRICT, ANY, ANY, {"tls": "not_offered"}, "down", None),
    "tls-that-is-not-verified": ("encrypt", ANY, STRICT, ANY, {}, "down", None),
    "tls-that-is-verified": ("verify", STRICT, STRICT, ANY, {}, "up", "PLAIN"),
    "verified-is-stricter": ("secure", ANY, ANY, STRICT, {}, "down", None),
    "a-better-mechanism": ("encrypt", STRICT, STRICT, STRICT, {"mechanisms": "PLAIN LOGIN CRAM-MD5"}, "up", "CRAM-MD5"),
}


@pytest.mark.seconds(8)
@pytest.mark.parametrize("case", list(OPTIONS))
def test_the_options_are_those_of_the_connection(site, authority, case):
    level, plain, tls, verified, peer, state, mechanism = OPTIONS[case]
    auth = {key: value for key, value in peer.items() if key != "tls"}
    scene = _scene(site, authority, level, auth=auth, plain=plain, tls=tls, verified=verified)
    scene.relay.set_tls(peer.get("tls", "healthy"))
    scene.start()
    hops = scene.wait_hops(state, None if state == "up" else "auth-unavailable")
    assert [used for used, _ in scene.relay.attempts] == [mechanism] * hops * (state == "up")
    _hop, said = must_agree(scene)
    if state == "up":
        assert len(scene.relay.attempts) == hops + 1 and scene.relay.attempts[-1][0] == mechanism
    else:
        assert not scene.relay.attempts and re.search(r"no mechanism available|no compatible auth", said), said


@pytest.mark.seconds(8)
def test_authentication_that_only_tls_would_show_is_missed_as_postfix_misses_it(site, authority):
    """Without TLS such a server offers none, and mail goes out without."""
    scene = _scene(site, authority, "none", auth={"under_tls": True}).start()
    scene.wait_hops("degraded", "auth-unavailable")
    must_agree(scene)
    assert not scene.relay.attempts


@pytest.mark.seconds(8)
@pytest.mark.parametrize("level, verified, state", [("encrypt", STRICT, "up"), ("verify", ANY, "up"),
                                                    ("verify", STRICT, "down")])
def test_tls_before_the_greeting_is_tls_as_well(site, authority, level, verified, state):
    scene = _scene(site, authority, level, wrapper=True, plain=STRICT, tls=ANY, verified=verified).start()
    hops = scene.wait_hops(state, None if state == "up" else "auth-unavailable")
    assert len(scene.relay.attempts) == hops * (state == "up")
    must_agree(scene)


@pytest.mark.seconds(20)
@pytest.mark.parametrize("wrapper", [False, True], ids=["starttls", "wrapper"])
def test_fault_23_a_password_that_is_rejected_under_tls_is_tried_once(site, authority, wrapper):
    scene = _scene(site, authority, "verify", "wrong", wrapper, plain=STRICT).start()
    hops = scene.wait_hops("down", "auth-rejected")
    scene.must_refuse(scene.hop, *REJECTED)
    scene.must_have_nothing(scene.relay)
    assert "535" in scene.milter.hop(scene.hop)["detail"]
    before = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= before + 8, 15, "many intervals")
    assert len(scene.relay.attempts) == hops
    _hop, said = must_agree(scene)
    assert "535" in said
    scene.postfix.command("postsuper", "-d", "ALL")
    scene.use_passwords({f"[{NAME}]:PORT": PASSWORD})
    scene.milter.wait_state(scene.hop, "up", timeout=RELOAD + scene.recovery())
    scene.must_deliver(scene.relay)


@pytest.mark.seconds(15)
def test_a_fault_of_tls_shows_before_one_of_the_password_and_its_repair_at_once(site, authority):
    scene = _scene(site, authority, "verify", plain=STRICT)
    expired = authority.issue(NAME, [NAME], ends="20210101000000Z")
    right = scene.relay.identity
    scene.relay.set_tls(identity=expired)
    scene.start()
    hops = scene.wait_hops("down", "tls-certificate")
    assert not scene.relay.attempts, "the password was sent to a server that nobody believes"
    scene.must_refuse(scene.hop, "tls-certificate", "4.7.5", "relayhost", "server certificate not verified")
    scene.relay.set_tls(identity=right)
    scene.must_recover(scene.recovery())
    assert scene.wait_hops("up") == hops
    assert [used for used, _ in scene.relay.attempts].count("PLAIN") >= hops


@pytest.mark.seconds(8)
def test_a_hop_section_that_asks_for_less_than_postfix_sends_no_password(site, authority):
    scene = _scene(site, authority, "encrypt", plain=ANY)
    scene.milter.extra = 'hop "*" { depth = "auth" tls = "none" }\n'
    scene.start()
    hop = scene.milter.wait_state(scene.hop, "unknown", "local-error", DETECTION)
    assert "more TLS" in hop["detail"]
    assert not scene.relay.attempts
    scene.must_deliver(scene.relay)
    assert [sent for _, sent in scene.relay.attempts] == [f"\0{USER}\0{PASSWORD}"], "Postfix has sent it under TLS"


@pytest.mark.seconds(25)
@pytest.mark.parametrize("reply", ["454 4.7.0 temporary authentication failure", "451 4.3.0 over quota"])
def test_fault_24_the_next_message_passes_when_the_quota_is_there_again(site, authority, reply):
    """However often it was asked before."""
    scene = _scene(site, authority, "encrypt")
    scene.relay.set("auth", accounts={USER: PASSWORD}, mechanisms="PLAIN", reply=reply)
    scene.start()
    hops = scene.wait_hops("down", "service-unavailable")
    scene.must_refuse(scene.hop, "service-unavailable", "4.3.2", "relayhost", "service not available")
    before = len(scene.relay.attempts)
    wait_until(lambda: len(scene.relay.attempts) >= before + 8 * hops, 20, "eight more attempts of each")
    assert scene.milter.hop(scene.hop)["reason"] == "service-unavailable"
    scene.relay.set("auth", accounts={USER: PASSWORD}, mechanisms="PLAIN")
    scene.must_recover(scene.recovery())
    scene.postfix.wait_empty()
    after = len(scene.relay.attempts)
    probes = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= probes + 5 * hops, 15, "probes after that")
    assert len(scene.relay.attempts) == after, "a server that is fine is asked once an hour"
