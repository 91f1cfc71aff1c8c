"""TLS of a relayhost: what failfast-milter says of it, and what Postfix's own smtp(8) does with the same server."""
import pathlib
import re
import ssl

import pytest

from tls_peer import Authority, TlsPeer

from harness.relays import NAME, TlsScene, must_agree
from harness.scene import DETECTION
from harness.wait import wait_until


@pytest.fixture(name="authority", scope="module")
def fixture_authority(world):
    """One for all tests; keys take a while."""
    return Authority(pathlib.Path(world.base) / "authority")


def _expired(ca):
    return ca.issue(NAME, [NAME], ends="20210101000000Z")


def _early(ca):
    return ca.issue(NAME, [NAME], begins="20400101000000Z")


CERTIFICATES = {
    "right": (lambda ca, _: ca.issue(NAME, [NAME]), None),
    "by_common_name": (lambda ca, _: ca.issue(NAME), None),
    "wildcard": (lambda ca, _: ca.issue("x", ["*.example.net"]), None),
    "expired": (lambda ca, _: _expired(ca), "has expired"),
    "early": (lambda ca, _: _early(ca), "not yet valid"),
    "other_name": (lambda ca, _: ca.issue("other.example.net", ["other.example.net"]), "mismatch"),
    "alternative_name_hides_common_name": (lambda ca, _: ca.issue(NAME, ["other.example.net"]), "mismatch"),
    "unknown_authority": (lambda _, other: other.issue(NAME, [NAME]), "unable to get local issuer"),
    "self_signed": (lambda ca, _: ca.issue(NAME, [NAME], self_signed=True), "self-signed"),
    "weak_1024": (lambda ca, _: ca.issue(NAME, [NAME], bits=1024), None),
    "weak_512": (lambda ca, _: ca.issue(NAME, [NAME], bits=512), "key too weak|too small|EE"),
}


@pytest.mark.seconds(8)
@pytest.mark.parametrize("level", ["may", "encrypt", "verify", "secure"])
@pytest.mark.parametrize("case", list(CERTIFICATES))
def test_a_certificate_is_judged_as_postfix_judges_it(site, authority, case, level):
    make, words = CERTIFICATES[case]
    other = Authority(site.dir / "other", "Other Root")
    scene = TlsScene(site, authority, make(authority, other), level)
    if level == "may":
        scene.milter.extra = 'hop "*" { depth = "tls" }\n'
    scene.start()
    hop, said = must_agree(scene, 3 if level == "may" else 1)
    if words and level in ("verify", "secure"):
        assert hop["reason"] in ("tls-certificate", "tls-handshake"), hop
        if hop["reason"] == "tls-certificate":
            assert re.search(words, hop["detail"]), hop
            assert "not verified" in said
    assert hop["tls_not_after"] is not None or hop["reason"] == "tls-handshake", hop


@pytest.mark.seconds(10)
@pytest.mark.parametrize("level", ["may", "encrypt"])
@pytest.mark.parametrize("behaviour", [
    "not_offered", "answers_454", "answers_502", "injected", "drops_at_hello", "drops_half", "garbage",
    "silent_handshake", "silent", "drops_after", "hello_4xx", "needs_certificate"])
def test_a_sick_handshake_is_judged_as_postfix_judges_it(site, authority, behaviour, level):
    """At "may" Postfix falls back to plaintext when a message is older than minimal_backoff_time, a second here."""
    scene = TlsScene(site, authority, level=level)
    scene.relay.set_tls(behaviour)
    scene.milter.extra = 'hop "*" { depth = "tls" }\n'
    scene.start()
    hop, _said = must_agree(scene, 3 if level == "may" else 1)
    wanted = {"not_offered": "tls-unavailable", "answers_454": "tls-unavailable",
              "answers_502": "tls-unavailable", "silent": "connection-lost",
              "drops_after": "connection-lost", "hello_4xx": "service-unavailable",
              "injected": None, "needs_certificate": ("tls-handshake", "connection-lost")}
    reason = wanted.get(behaviour, "tls-handshake")
    if level == "encrypt":
        assert hop["reason"] == reason or hop["reason"] in (reason or ()), hop
    elif behaviour in ("not_offered", "answers_454", "answers_502"):
        assert (hop["state"], hop["tls_not_after"]) == ("up", None), hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("level, only", [("encrypt", "TLSv1"), ("verify", "TLSv1"), ("encrypt", "TLSv1_2"),
                                         ("verify", "TLSv1_3")])
def test_an_old_protocol_is_judged_as_postfix_judges_it(site, authority, level, only):
    scene = TlsScene(site, authority, level=level)
    scene.relay.set_tls(only=ssl.TLSVersion[only])
    scene.start()
    hop, _said = must_agree(scene)
    assert hop["state"] == ("down" if (level, only) == ("verify", "TLSv1") else "up"), hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("servername", ["", "hostname", "nexthop", "wrong.example.net"])
def test_a_certificate_that_depends_on_sni(site, authority, servername):
    scene = TlsScene(site, authority, authority.issue("default.example.net", ["default.example.net"]))
    scene.relay.set_tls(by_name={NAME: authority.issue(NAME, [NAME])})
    scene.postfix.params["smtp_tls_servername"] = servername
    scene.start()
    hop, _said = must_agree(scene)
    assert hop["state"] == ("up" if servername in ("hostname", "nexthop") else "down"), hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("policy, state", [
    ("encrypt", "up"), ("none", "up"), ("verify match=other.example.net", "down"),
    ("secure match=relay.example.net:other.example.net", "up"), ("fingerprint match=RIGHT", "up"),
    ("fingerprint match=AA:BB", "down"), ("encrypt protocols=!TLSv1.2:!TLSv1.3 ciphers=high", "down"),
    ("verify nonsense=1", "down"),
])
def test_a_policy_goes_before_the_level(site, authority, policy, state):
    """The global level would let no mail through."""
    identity = authority.issue("odd.example.org")
    if policy.startswith("secure"):
        identity = authority.issue(NAME, [NAME])
    scene = TlsScene(site, authority, identity, "verify")
    scene.relay.set_tls(only=ssl.TLSVersion.TLSv1_2)
    table = scene.postfix.dir / "policy"
    right = identity.fingerprint()
    table.write_text(f"other:25 none\n{scene.relayhost} {policy.replace('RIGHT', right)}\n", encoding="ascii")
    scene.postfix.params.update(smtp_tls_policy_maps=f"texthash:{table}", smtp_tls_fingerprint_digest="sha256")
    scene.start()
    hop, _said = must_agree(scene)
    assert hop["state"] == state, hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("ok", [True, False])
def test_lmtp_is_judged_by_its_own_parameters(site, authority, ok):
    scene = TlsScene(site, authority, None if ok else _expired(authority), level="none", lmtp=True)
    scene.postfix.params.update(default_transport="lmtp", lmtp_tls_security_level="verify",
                                lmtp_tls_CAfile=authority.file)
    scene.hop = f"lmtp:{scene.relayhost}"
    scene.start()
    hop, _said = must_agree(scene)
    assert (hop["state"], hop["reason"]) == (("up", None) if ok else ("down", "tls-certificate")), hop


@pytest.mark.seconds(8)
@pytest.mark.parametrize("ok", [True, False])
def test_tls_before_the_greeting(site, authority, ok):
    identity = None if ok else _expired(authority)
    scene = TlsScene(site, authority, identity, wrapper=True).start()
    hop, _said = must_agree(scene)
    assert (hop["state"], hop["reason"]) == (("up", None) if ok else ("down", "tls-certificate")), hop


@pytest.mark.seconds(15)
def test_fault_21_an_expired_certificate_refuses_mail_until_it_is_renewed(site, authority):
    scene = TlsScene(site, authority, authority.issue(NAME, [NAME], ends="20300101000000Z")).start()
    up = scene.milter.wait_state(scene.hop, "up")
    assert up["tls_not_after"] == "2030-01-01T00:00:00Z"
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", DETECTION)
    scene.relay.set_tls(identity=_expired(authority))
    scene.relay.start()
    # The certificate was fine a moment ago, and is not looked at for ten minutes; a reload does not change that.
    scene.milter.wait_state(scene.hop, "up", timeout=DETECTION)
    scene.postfix.params["smtp_tls_secure_cert_match"] = "nexthop"
    scene.postfix.params["smtp_tls_security_level"] = "secure"
    scene.postfix.reload()
    scene.milter.wait_state(scene.hop, "down", "tls-certificate", DETECTION)
    scene.must_refuse(scene.hop, "tls-certificate", "4.7.5", "relayhost", "server certificate not verified")
    scene.must_have_nothing(scene.relay, counts=[1])
    scene.relay.set_tls(identity=authority.issue(NAME, [NAME]))
    scene.must_recover(scene.recovery())
    scene.postfix.wait_empty()


@pytest.mark.seconds(8)
@pytest.mark.parametrize("case", ["other_name", "unknown_authority", "self_signed"])
def test_fault_21_a_certificate_that_nobody_believes_refuses_mail(site, authority, case):
    make, words = CERTIFICATES[case]
    scene = TlsScene(site, authority, make(authority, Authority(site.dir / "other", "Other Root"))).start()
    hop = scene.milter.wait_state(scene.hop, "down", "tls-certificate", DETECTION)
    assert re.search(words, hop["detail"]), hop
    scene.must_refuse(scene.hop, "tls-certificate", "4.7.5", "relayhost", "server certificate not verified")
    scene.must_have_nothing(scene.relay)
    scene.relay.set_tls(identity=authority.issue(NAME, [NAME]))
    scene.must_recover(scene.recovery())


@pytest.mark.seconds(8)
def test_fault_21_starttls_is_required_and_not_offered(site, authority):
    scene = TlsScene(site, authority, level="encrypt")
    scene.relay.set_tls("not_offered")
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "tls-unavailable", DETECTION)
    scene.must_refuse(scene.hop, "tls-unavailable", "4.7.4", "relayhost", "TLS is required but not available")
    scene.relay.set_tls()
    scene.must_recover(scene.recovery())


@pytest.mark.seconds(6)
@pytest.mark.parametrize("level, state", [("verify", "degraded"), ("encrypt", "up")])
def test_fault_22_a_certificate_that_ends_soon(site, authority, level, state):
    """Where it is not verified mail passes without it, too."""
    scene = TlsScene(site, authority, level=level)
    scene.milter.options["tls_expiry_warning"] = "3650d"
    scene.relay.set_tls(identity=authority.issue(NAME, [NAME], ends="20300101000000Z"))
    scene.start()
    hop, _said = must_agree(scene)
    assert (hop["state"], hop["reason"]) == (state, "tls-expiring" if state == "degraded" else None), hop
    assert hop["tls_not_after"] == "2030-01-01T00:00:00Z"
    tags = [value for name, value in scene.must_deliver(scene.relay).header() if name == "Failfast-Status"]
    assert len(tags) == (state == "degraded") and all("reason=tls-expiring" in tag for tag in tags), tags


@pytest.mark.seconds(12)
def test_fault_22_the_warning_ends_soon_after_the_certificate_is_renewed(site, authority):
    """It is looked at once a minute, or when the operator asks."""
    scene = TlsScene(site, authority)
    scene.milter.options["tls_expiry_warning"] = "2000d"
    scene.relay.set_tls(identity=authority.issue(NAME, [NAME], ends="20300101000000Z"))
    scene.start()
    scene.milter.wait_state(scene.hop, "degraded", "tls-expiring")
    began = scene.relay.handshakes
    seen = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= seen + 6, 15, "six more probes")
    assert scene.relay.handshakes == began
    scene.relay.set_tls(identity=authority.issue(NAME, [NAME], ends="20480101000000Z"))
    scene.milter.ctl("probe", "--json", scene.hop)
    # What ends first now is the authority, in ten years.
    assert scene.milter.wait_state(scene.hop, "up")["tls_not_after"] > "2032"


@pytest.mark.seconds(10)
def test_a_good_server_is_asked_for_tls_once_and_is_left_in_order(site, authority):
    scene = TlsScene(site, authority).start()
    scene.milter.wait_state(scene.hop, "up")
    began = scene.relay.connections
    wait_until(lambda: scene.relay.connections >= began + 5, 20, "five more probes")
    hops = [name for name in scene.milter.hops() if name.endswith(scene.relayhost)]
    assert scene.relay.handshakes == len(hops)
    gone = [line for line in scene.relay.log if "gone" in line]
    assert not gone, gone


@pytest.mark.seconds(6)
def test_what_cannot_be_checked_is_unknown(site, authority):
    scene = TlsScene(site, authority, level="dane")
    scene.postfix.params["smtp_dns_support_level"] = "dnssec"
    scene.start()
    hop = scene.milter.wait_state(scene.hop, "unknown", "local-error")
    assert "TLSA" in hop["detail"]
    scene.must_accept()


@pytest.mark.seconds(6)
def test_a_hop_section_says_what_to_ask(site, authority):
    other = Authority(site.dir / "other", "Other Root")
    scene = TlsScene(site, authority, other.issue(NAME, [NAME]), level="none")
    scene.milter.extra = f'hop "smtp:*" {{ tls = "verify" ca_file = "{authority.file}" }}\n'
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "tls-certificate")
    scene.milter.extra = f'hop "smtp:*" {{ tls = "verify" ca_file = "{other.file}" }}\n'
    scene.milter.write()
    scene.milter.hup()
    scene.milter.wait_state(scene.hop, "up")


def test_a_peer_that_is_no_test_of_its_own_can_tls(authority, world):
    """The peer itself, with Python's own client."""
    peer = TlsPeer(f"inet:127.0.0.1:{world.free_port()}", authority.issue(NAME, [NAME])).start()
    try:
        import smtplib  # pylint: disable=import-outside-toplevel
        with smtplib.SMTP("127.0.0.1", peer.bind_to[1]) as client:
            client.starttls()
            client.ehlo()
            assert client.noop()[0] == 250
    finally:
        peer.close()
